package githubsim

// Markdown as people and bots write it on GitHub, made safe to show.

import (
	"bytes"
	"html/template"
	"regexp"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
)

// markdown turns GitHub's Markdown into HTML, raw HTML included: the
// sanitizer, not the renderer, decides what is safe.
var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))

// sanitizer is made once; it is safe for concurrent use afterwards.
var sanitizer = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.AllowAttrs("type").Matching(regexp.MustCompile("^checkbox$")).OnElements("input")
	p.AllowAttrs("checked", "disabled").Matching(regexp.MustCompile("^$")).OnElements("input")
	p.RequireNoReferrerOnLinks(true)
	return p
})

// renderMarkdown is safe HTML for a page.
func renderMarkdown(text string) template.HTML {
	var out bytes.Buffer
	if err := markdown.Convert([]byte(text), &out); err != nil {
		return template.HTML(template.HTMLEscapeString(text))
	}
	return template.HTML(sanitizer().SanitizeBytes(out.Bytes()))
}
