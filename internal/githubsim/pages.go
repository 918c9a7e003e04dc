package githubsim

// A few plain pages, so that the links in answers and texts lead somewhere.
// Rules:
//
//   - Read-only, for everyone: whoever reaches the simulator sees all of it.
//     Apps alone are made and installed on pages (manifests.go), and the buttons
//     of check runs pressed (checkbuttons.go), which ask who one is.
//   - What people wrote is hostile: html/template escapes it, Markdown goes
//     through a sanitizer, nothing runs scripts (Content-Security-Policy).
//   - The model is copied under the mutex (pagesview.go), git runs after it.

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

//go:embed pages
var pageFiles embed.FS

// pageTemplates are the pages by name, each with the layout.
var pageTemplates = parsePages()

func parsePages() map[string]*template.Template {
	functions := template.FuncMap{
		"markdown": renderMarkdown,
		"inc":      func(n int) int { return n + 1 },
		"short":    func(sha string) string { return sha[:min(len(sha), 7)] },
		"path":     escapePath,
		"when":     func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") },
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"subject":  func(message string) string { s, _, _ := strings.Cut(message, "\n"); return s },
		"rest":     func(message string) string { _, r, _ := strings.Cut(message, "\n"); return strings.TrimSpace(r) },
	}
	out := map[string]*template.Template{}
	for _, name := range []string{"repository", "pulls", "pull", "checks", "files", "commit", "commits", "compare", "blob", "run", "issue", "release", "missing", "newapp", "app", "install", "authorize"} {
		out[name] = template.Must(template.New("layout.html").Funcs(functions).
			ParseFS(pageFiles, "pages/layout.html", "pages/parts.html", "pages/"+name+".html"))
	}
	return out
}

// page is what the layout shows.
type page struct {
	Title string
	Repo  *repoView
	Tab   string
	Data  any
}

// errNoPage says that there is nothing at an address.
var errNoPage = errors.New("no such page")

func (s *Server) pageHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_githubsim/style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, pageFiles, "pages/style.css")
	})
	mux.HandleFunc("GET /avatars/u/{id}", s.serveAvatar)
	s.manifestPages(mux)
	s.oauthPages(mux)
	mux.HandleFunc("POST /{owner}/{repo}/runs/{id}", s.pressByPage)
	mux.HandleFunc("GET /{owner}/{repo}", s.servePage)
	mux.HandleFunc("GET /{owner}/{repo}/{rest...}", s.servePage)
	return mux
}

// servePage answers one page of a repository.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	repo := s.viewRepo(r.PathValue("owner"), r.PathValue("repo"))
	if repo == nil {
		s.writePage(w, http.StatusNotFound, "missing", page{Title: "Not found"})
		return
	}
	kind, rest, _ := strings.Cut(r.PathValue("rest"), "/")
	var err error
	switch kind {
	case "":
		err = s.pageRepository(w, r, repo, "", "")
	case "tree":
		err = s.pageTree(w, r, repo, rest)
	case "blob":
		err = s.pageBlob(w, r, repo, rest)
	case "pulls":
		s.pagePulls(w, r, repo)
	case "pull":
		err = s.pagePull(w, r, repo, rest)
	case "issues":
		err = s.pageIssue(w, r, repo, rest)
	case "commit":
		err = s.pageCommit(w, r, repo, rest)
	case "commits":
		err = s.pageCommits(w, r, repo, rest)
	case "compare":
		err = s.pageCompare(w, r, repo, rest)
	case "runs":
		err = s.pageRun(w, repo, rest)
	case "releases":
		err = s.pageRelease(w, repo, rest)
	default:
		err = errNoPage
	}
	switch {
	case errors.Is(err, errNoPage) || errors.Is(err, errNoObject):
		s.writePage(w, http.StatusNotFound, "missing", page{Title: "Not found", Repo: repo})
	case err != nil:
		http.Error(w, "The page could not be made: "+err.Error(), http.StatusInternalServerError)
	}
}

// writePage fills a template into the layout.
func (s *Server) writePage(w http.ResponseWriter, status int, name string, p page) {
	s.writeForm(w, status, name, p, "'none'")
}

// writeForm is writePage for one whose forms may lead to the places named, as
// the directive form-action has them; browsers hold redirects to it as well.
func (s *Server) writeForm(w http.ResponseWriter, status int, name string, p page, leads string) {
	var out bytes.Buffer
	if err := pageTemplates[name].Execute(&out, p); err != nil {
		http.Error(w, "The page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' https: data:; base-uri 'none'; form-action "+leads+"; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the reader may be gone
}

// serveAvatar draws a disc in a colour of the account's own.
func (s *Server) serveAvatar(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="20" fill="hsl(%d 45%% 55%%)"/></svg>`, id*47%360)
}

func (s *Server) pageRepository(w http.ResponseWriter, r *http.Request, repo *repoView, ref, path string) error {
	if ref == "" {
		ref = repo.Default
	}
	data := struct {
		Ref, Path, Parent string
		Entries           []entryView
		Head              *commitView
		Readme            string
		Pulls             []pullView
	}{Ref: ref, Path: path, Pulls: s.viewPulls(repo.repo, func(p pullView) bool { return p.State == "open" })}
	if at := strings.LastIndex(path, "/"); at >= 0 {
		data.Parent = path[:at]
	}
	tip, found := s.resolveForPage(repo.repo, ref)
	if found {
		head, err := s.readCommit(repo.repo, tip)
		if err != nil {
			return err
		}
		data.Head = &head
		if data.Entries, err = s.viewTree(r.Context(), repo.repo, tip, path); err != nil {
			return err
		}
		for _, e := range data.Entries {
			if strings.EqualFold(e.Name, "readme.md") && !e.Folder {
				o, err := repo.repo.store.object(tip + ":" + e.Path)
				if err != nil {
					return err
				}
				data.Readme = string(o.data)
			}
		}
	} else if path != "" || ref != repo.Default {
		return errNoPage
	}
	s.writePage(w, http.StatusOK, "repository", page{Title: repo.FullName, Repo: repo, Tab: "code", Data: data})
	return nil
}

func (s *Server) pageTree(w http.ResponseWriter, r *http.Request, repo *repoView, rest string) error {
	ref, path, err := s.splitRef(repo.repo, rest)
	if err != nil {
		return err
	}
	return s.pageRepository(w, r, repo, ref, path)
}

func (s *Server) pageBlob(w http.ResponseWriter, _ *http.Request, repo *repoView, rest string) error {
	ref, path, err := s.splitRef(repo.repo, rest)
	if err != nil {
		return err
	}
	tip, found := s.resolveForPage(repo.repo, ref)
	if !found || path == "" {
		return errNoPage
	}
	o, err := repo.repo.store.object(tip + ":" + path)
	if err != nil {
		return err
	}
	if o.kind != "blob" {
		return errNoPage
	}
	data := struct {
		Ref, Path string
		Size      int
		Binary    bool
		Lines     []string
	}{Ref: ref, Path: path, Size: len(o.data), Binary: bytes.IndexByte(o.data, 0) >= 0}
	if !data.Binary {
		data.Lines = strings.Split(strings.TrimSuffix(string(o.data), "\n"), "\n")
	}
	s.writePage(w, http.StatusOK, "blob", page{Title: path + " · " + repo.FullName, Repo: repo, Tab: "code", Data: data})
	return nil
}

func (s *Server) pagePulls(w http.ResponseWriter, r *http.Request, repo *repoView) {
	state := r.URL.Query().Get("state")
	if state != "closed" && state != "all" {
		state = "open"
	}
	data := struct {
		State string
		Pulls []pullView
	}{state, s.viewPulls(repo.repo, func(p pullView) bool {
		return state == "all" || (p.State == "open") == (state == "open")
	})}
	s.writePage(w, http.StatusOK, "pulls", page{Title: "Pull requests · " + repo.FullName, Repo: repo, Tab: "pulls", Data: data})
}

func (s *Server) pagePull(w http.ResponseWriter, r *http.Request, repo *repoView, rest string) error {
	number, tab, _ := strings.Cut(rest, "/")
	raw := ""
	for _, suffix := range []string{".diff", ".patch"} {
		if n, is := strings.CutSuffix(number, suffix); is {
			number, raw = n, suffix
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return errNoPage
	}
	p := s.viewPull(repo.repo, n)
	if p == nil {
		return errNoPage
	}
	if raw != "" {
		return s.writeRawDiff(w, r, repo.repo, p, raw)
	}
	if p.Commits, err = s.viewCommits(r.Context(), repo.repo, p.Base+".."+p.Head, 250); err != nil {
		return err
	}
	name := "pull"
	p.Tab = strings.TrimPrefix(tab, "commits")
	switch tab {
	case "", "commits":
	case "files":
		name = "files"
		if p.Diff, err = s.viewDiff(r.Context(), repo.repo, p.Base+"..."+p.Head); err != nil {
			return err
		}
	case "checks":
		name = "checks"
	default:
		return errNoPage
	}
	s.writeForm(w, http.StatusOK, name, page{Title: fmt.Sprintf("%s · #%d · %s", p.Title, n, repo.FullName), Repo: repo, Tab: "pulls", Data: p}, "'self'")
	return nil
}

func (s *Server) writeRawDiff(w http.ResponseWriter, r *http.Request, repo *repository, p *pullView, kind string) error {
	args := []string{"diff", p.Base + "..." + p.Head}
	if kind == ".patch" {
		args = []string{"format-patch", "--stdout", p.Base + ".." + p.Head}
	}
	out, err := repo.store.run(r.Context(), gitInput{}, args...)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(out) // the reader may be gone
	return nil
}

func (s *Server) pageIssue(w http.ResponseWriter, r *http.Request, repo *repoView, rest string) error {
	n, err := strconv.Atoi(rest)
	if err != nil {
		return errNoPage
	}
	i, isPull := s.viewIssue(repo.repo, n)
	if isPull {
		http.Redirect(w, r, fmt.Sprintf("/%s/pull/%d", repo.FullName, n), http.StatusFound)
		return nil
	}
	if i == nil {
		return errNoPage
	}
	s.writePage(w, http.StatusOK, "issue", page{Title: fmt.Sprintf("%s · #%d · %s", i.Title, n, repo.FullName), Repo: repo, Data: i})
	return nil
}

func (s *Server) pageCommit(w http.ResponseWriter, r *http.Request, repo *repoView, rest string) error {
	if !isObjectID(rest) {
		return errNoPage
	}
	c, err := s.readCommit(repo.repo, rest)
	if err != nil {
		return err
	}
	data := struct {
		commitView
		Checks []checkView
		Diff   []diffView
	}{commitView: c, Checks: s.viewChecks(repo.repo, c.SHA)}
	span := c.SHA + "^1.." + c.SHA
	if len(c.Parents) == 0 {
		span = emptyTree + ".." + c.SHA
	}
	if data.Diff, err = s.viewDiff(r.Context(), repo.repo, span); err != nil {
		return err
	}
	s.writePage(w, http.StatusOK, "commit", page{Title: c.Subject() + " · " + repo.FullName, Repo: repo, Tab: "code", Data: data})
	return nil
}

func (s *Server) pageCommits(w http.ResponseWriter, r *http.Request, repo *repoView, ref string) error {
	if ref == "" {
		ref = repo.Default
	}
	tip, found := s.resolveForPage(repo.repo, ref)
	if !found {
		return errNoPage
	}
	list, err := s.viewCommits(r.Context(), repo.repo, tip, 100)
	if err != nil {
		return err
	}
	data := struct {
		Ref     string
		Commits []commitView
	}{ref, list}
	s.writePage(w, http.StatusOK, "commits", page{Title: "Commits · " + repo.FullName, Repo: repo, Tab: "commits", Data: data})
	return nil
}

func (s *Server) pageCompare(w http.ResponseWriter, r *http.Request, repo *repoView, rest string) error {
	from, to, found := strings.Cut(rest, "...")
	base, hasBase := s.resolveForPage(repo.repo, from)
	head, hasHead := s.resolveForPage(repo.repo, to)
	if !found || !hasBase || !hasHead {
		return errNoPage
	}
	data := struct {
		From, To string
		Commits  []commitView
		Diff     []diffView
	}{From: from, To: to}
	var err error
	if data.Commits, err = s.viewCommits(r.Context(), repo.repo, base+".."+head, 250); err != nil {
		return err
	}
	if data.Diff, err = s.viewDiff(r.Context(), repo.repo, base+"..."+head); err != nil {
		return err
	}
	s.writePage(w, http.StatusOK, "compare", page{Title: "Comparing " + rest + " · " + repo.FullName, Repo: repo, Tab: "code", Data: data})
	return nil
}

func (s *Server) pageRun(w http.ResponseWriter, repo *repoView, rest string) error {
	id, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return errNoPage
	}
	run := s.viewRun(repo.repo, id)
	if run == nil {
		return errNoPage
	}
	s.writeForm(w, http.StatusOK, "run", page{Title: run.Name + " · " + repo.FullName, Repo: repo, Data: run}, "'self'")
	return nil
}

func (s *Server) pageRelease(w http.ResponseWriter, repo *repoView, rest string) error {
	tag, is := strings.CutPrefix(rest, "tag/")
	if !is {
		return errNoPage
	}
	if plain, err := url.PathUnescape(tag); err == nil {
		tag = plain
	}
	rel := s.viewRelease(repo.repo, tag)
	if rel == nil {
		return errNoPage
	}
	s.writePage(w, http.StatusOK, "release", page{Title: rel.Name + " · " + repo.FullName, Repo: repo, Tab: "code", Data: rel})
	return nil
}
