package setup

// The pages: a form, the way to GitHub, and what came of it.

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/registration"
)

var (
	//go:embed pages/setup.html
	pagesText string
	//go:embed pages/setup.css
	styles string

	pages = template.Must(template.New("").Funcs(template.FuncMap{"code": inlineCode}).Parse(pagesText))

	// styleHash lets browsers take this stylesheet and no other.
	styleHash = func() string {
		h := sha256.Sum256([]byte(styles))
		return "'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'"
	}()

	ticked = regexp.MustCompile("`([^`]*)`")
)

// inlineCode makes <code> of what stands between backticks.
func inlineCode(text string) template.HTML {
	return template.HTML(ticked.ReplaceAllString(template.HTMLEscapeString(text), "<code>$1</code>")) //nolint:gosec // escaped just here
}

// maxForm is far above what the form sends.
const maxForm = 64 << 10

// shown is what a page shows.
type shown struct {
	Title  string
	Style  template.CSS
	Answer Answers
	Wrong  map[string]string
	// Problem is what went wrong as a whole; Retry whether trying again may help.
	Problem     string
	Retry       bool
	Permissions []registration.Permission
	Choices     []choice
	// Action is where the manifest is posted.
	Action, Manifest, Host string
	Events                 string
	Alone                  bool // the page is carried to another machine
	Saved                  *Saved
}

type choice struct {
	registration.Option
	Chosen bool
	Needs  []registration.Permission
}

// Handler serves the pages.
func (f *Flow) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /start/{token}", f.start)
	mux.HandleFunc("GET /{$}", f.known(f.form))
	mux.HandleFunc("POST /{$}", f.known(f.confirm))
	mux.HandleFunc("GET /created", f.created)
	mux.HandleFunc("POST /again", f.known(f.again))
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Another name for this machine would let another site's page read ours.
		if r.Host != f.host {
			http.Error(w, "Open the address as promobot setup has printed it.", http.StatusMisdirectedRequest)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// start takes the first address, once.
func (f *Flow) start(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	right := !f.used && subtle.ConstantTimeCompare([]byte(r.PathValue("token")), []byte(f.first)) == 1
	f.used = f.used || right
	f.mu.Unlock()
	if !right {
		f.stranger(w)
		return
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure would keep it from 127.0.0.1 without HTTPS
		Name: f.cookie, Value: f.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(f.options.Base, "https:"), // it is plain HTTP to this machine itself
	})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// known lets only the browser pass that opened the first address.
func (f *Flow) known(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie(f.cookie)
		if err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(f.session)) != 1 {
			f.stranger(w)
			return
		}
		next(w, r)
	}
}

func (f *Flow) stranger(w http.ResponseWriter) {
	f.write(w, http.StatusForbidden, "problem", shown{
		Title:   "This address does not count",
		Problem: "The address that promobot setup prints can be opened once, in one browser. Go on in that browser, or start promobot setup again.",
	})
}

func (f *Flow) form(w http.ResponseWriter, _ *http.Request) {
	f.writeForm(w, http.StatusOK, f.options.Answers, nil)
}

func (f *Flow) writeForm(w http.ResponseWriter, status int, a Answers, wrong map[string]string) {
	p := shown{Title: "Set promobot up", Answer: a, Wrong: wrong, Permissions: registration.Permissions()}
	for _, o := range registration.Options {
		c := choice{Option: o, Chosen: slices.Contains(a.Options, o.Name)}
		for _, need := range registration.All() {
			if need.Option == o.Name {
				c.Needs = append(c.Needs, need)
			}
		}
		p.Choices = append(p.Choices, c)
	}
	f.write(w, status, "form", p)
}

// answersOf reads the form.
func answersOf(r *http.Request) Answers {
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	a := Answers{
		GitHub: field("github"), Name: field("name"), URL: field("url"),
		Organization: field("organization"), Personal: field("owner") == "person",
	}
	for _, o := range registration.Options {
		if slices.Contains(r.PostForm["option"], o.Name) {
			a.Options = append(a.Options, o.Name)
		}
	}
	return a
}

func (f *Flow) confirm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read; go back and send it again.", http.StatusBadRequest)
		return
	}
	a := answersOf(r)
	p, wrong := f.way(a)
	if len(wrong) > 0 {
		f.writeForm(w, http.StatusUnprocessableEntity, a, wrong)
		return
	}
	f.write(w, http.StatusOK, "confirm", p)
}

// way is the page that leads to GitHub.
func (f *Flow) way(a Answers) (shown, map[string]string) {
	action, manifest, wrong := f.order(a)
	if len(wrong) > 0 {
		return shown{}, wrong
	}
	p := shown{
		Title: "Create the App on GitHub", Answer: a, Action: action, Manifest: string(manifest),
		Permissions: registration.Permissions(a.Options...), Events: strings.Join(registration.Events(a.Options...), ", "),
	}
	if u, err := url.Parse(action); err == nil {
		p.Host = u.Host
	}
	return p, nil
}

// Page is the way to GitHub as one file, to be opened on another machine; where
// GitHub then sends the person is for Paste.
func (f *Flow) Page() ([]byte, map[string]string) {
	p, wrong := f.way(f.options.Answers)
	if len(wrong) > 0 {
		return nil, wrong
	}
	p.Alone = true
	text, err := render("confirm", p)
	if err != nil {
		return nil, map[string]string{"page": err.Error()}
	}
	return text, nil
}

// created is where GitHub sends the person.
func (f *Flow) created(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if err := f.take(q.Get("code"), q.Get("state")); err != nil {
		// Whoever reloads the last page sees it again.
		f.outcome(w, err)
		return
	}
	f.outcome(w, f.finish(r.Context()))
}

func (f *Flow) again(w http.ResponseWriter, r *http.Request) {
	f.outcome(w, f.finish(r.Context()))
}

func (f *Flow) outcome(w http.ResponseWriter, err error) {
	if saved := f.Saved(); saved != nil {
		f.write(w, http.StatusOK, "done", shown{Title: "promobot is set up", Saved: saved})
		return
	}
	if err == nil {
		err = errState
	}
	f.write(w, http.StatusBadGateway, "problem", shown{Title: "That did not work yet", Problem: upper(err.Error()), Retry: f.Retry()})
}

func render(name string, p shown) ([]byte, error) {
	p.Style = template.CSS(styles) //nolint:gosec // our own
	var out bytes.Buffer
	err := pages.ExecuteTemplate(&out, name, p)
	return out.Bytes(), err
}

// write sends a page. Its forms lead here, and to where the manifest goes.
func (f *Flow) write(w http.ResponseWriter, status int, name string, p shown) {
	text, err := render(name, p)
	if err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	leads := "'self'"
	if u, err := url.Parse(p.Action); err == nil && u.Host != "" {
		leads += " " + u.Scheme + "://" + u.Host
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+styleHash+"; img-src data:; form-action "+leads+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the browser may be gone
}
