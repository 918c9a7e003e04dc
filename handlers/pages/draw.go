package pages

// Drawing: templates, which are all parsed at the start, and the files beside them,
// whose names change with their content.

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed templates assets
var files embed.FS

// asset is one file, as it is sent.
type asset struct {
	kind    string
	plain   []byte
	gzipped []byte
}

// assets are the files by the names they are served under; names are those by the
// names they have here.
var assets, names = readAssets()

func readAssets() (map[string]asset, map[string]string) {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	entries, err := files.ReadDir("assets")
	if err != nil {
		panic(err) // they are embedded
	}
	byName, named := map[string]asset{}, map[string]string{}
	for _, entry := range entries {
		content, err := files.ReadFile("assets/" + entry.Name())
		if err != nil {
			panic(err)
		}
		sum, ext := sha256.Sum256(content), path.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		byName[name] = asset{kinds[ext], content, gzipped(content)}
		named[entry.Name()] = name
	}
	return byName, named
}

// templates are the pages by name, each with the layout.
var templates = parseTemplates()

func parseTemplates() map[string]*template.Template {
	out := map[string]*template.Template{}
	for _, name := range []string{"home", "repository", "pipeline", "environment", "promotion", "confirm", "welcome", "refused"} {
		out[name] = template.Must(template.New("layout.html").Funcs(functions).
			ParseFS(files, "templates/layout.html", "templates/icons.html", "templates/parts.html", "templates/parts_*.html", "templates/"+name+".html"))
	}
	return out
}

var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func gzipped(content []byte) []byte {
	var b bytes.Buffer
	z, _ := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(&b)
	_, _ = z.Write(content) // a buffer takes all
	_ = z.Close()
	return b.Bytes()
}

// wantsGzip says whether the browser takes gzip; one that weighs it at nothing does
// not.
func wantsGzip(r *http.Request) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, is := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			n, err := strconv.ParseFloat(q, 64)
			return !is || err == nil && n > 0
		}
	}
	return false
}

// draw writes a page.
func (p *Pages) draw(w http.ResponseWriter, r *http.Request, a *answer) {
	var b bytes.Buffer
	if err := templates[a.template].Execute(&b, a.page); err != nil {
		p.options.Log.Error().Err(err).Str("template", a.template).Msg("A page could not be drawn")
		http.Error(w, "this page could not be drawn; promobot's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if a.status == 0 {
		a.status = http.StatusOK
	}
	send(w, r, a.status, b.Bytes(), gzipped)
}

// asset answers /assets/NAME. A name that is none of ours may be a repository of an
// owner with that name.
func (p *Pages) asset(w http.ResponseWriter, r *http.Request) {
	one, known := assets[r.PathValue("file")]
	if !known {
		r.SetPathValue("owner", "assets")
		r.SetPathValue("repo", r.PathValue("file"))
		p.drawn(p.repository)(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", one.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	send(w, r, http.StatusOK, one.plain, func([]byte) []byte { return one.gzipped })
}

func send(w http.ResponseWriter, r *http.Request, status int, content []byte, pack func([]byte) []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if wantsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		content = pack(content)
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}
