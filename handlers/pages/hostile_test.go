package pages_test

// Content of repositories is hostile: every text of a view is, here.

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/promobot/promobot/promotion/view"
)

// hostiles are tried in the place of every text.
var hostiles = map[string]string{
	"markup":     `"'></b></td></table><script>alert(1)</script><img src=x onerror=alert(1)>`,
	"attribute":  `x onmouseover=alert(1) style=color:red " autofocus onfocus=alert(1) '`,
	"javascript": `javascript:alert(1)//`,
	"data":       `data:text/html,<script>alert(1)</script>`,
	"template":   "{{.}}`${alert(1)}` <!-- --> ]]> \x00",
	"code":       "``` `<i>` ` </code><script>",
	"far":        `https://evil.example/"><script>`,
	"host":       `//evil.example/x`,
	"user":       `https://github.com@evil.example/`,
	"direction":  "prod\u202euoe\u2066 \u200b",
	"bytes":      "\xff\xfe\xc0",
	"line ends":  "a\r\ndata: b\n\n",
	"entities":   `&lt;script&gt; &#0; &quot;`,
	"above":      `../../../x`,
}

// poison replaces every text below v; what keeps the world together it leaves as
// it is.
func poison(v reflect.Value, with string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), with)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), with)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for _, field := range v.Fields() {
			poison(field, with)
		}
	case reflect.String:
		v.SetString(with)
	default:
	}
}

func TestHostileContent(t *testing.T) {
	for name, text := range hostiles {
		t.Run(name, func(t *testing.T) {
			w := world{fixed()}
			r := w.shop()
			r.Problems, r.Error, r.Archived = []view.Problem{{Line: 3}}, "x", true
			poison(reflect.ValueOf(&r), text)
			const id = "page-00000000000000000000000000000001"
			s := newSite(fixed, r)
			s.answers = []view.Answer{{ID: id, By: text, Command: text, Says: []string{text}, At: fixed(), Environment: text}}
			s.health.Troubles = []string{text}

			repo := "/" + url.PathEscape(r.Owner) + "/" + url.PathEscape(r.Name)
			for _, path := range pathsBelow(t, s, "/") {
				got := s.ask(alice, path, nil)
				if got.status != 200 && got.status != 404 {
					t.Errorf("%s: %d", path, got.status)
				}
				inert(t, path, got.body)
			}
			form := press(text, text, text)
			got := s.ask(alice, repo+"/act", form)
			inert(t, "acting", got.body)
			for _, query := range []string{"/?q=", "/?env=", "/?is=", "/?answer=", "/?to="} {
				inert(t, query, s.ask(alice, query+url.QueryEscape(text), nil).body)
				inert(t, query, s.ask("", query+url.QueryEscape(text), nil).body)
			}
			inert(t, "a person's name", s.ask("x", "/", nil).body)
		})
	}
}

// pathsBelow are our own pages that a page links to, and those that they link to.
func pathsBelow(t *testing.T, s *site, first string) []string {
	t.Helper()
	all := []string{first}
	for i := 0; i < len(all) && len(all) < 40; i++ {
		for _, l := range linksOf(t, s.ask(alice, all[i], nil).body) {
			if strings.HasPrefix(l, "/") && !strings.HasPrefix(l, "/assets/") && !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	if len(all) < 2 {
		t.Fatalf("the first page leads to %v only", all)
	}
	return all
}

func linksOf(t *testing.T, body string) (links []string) {
	t.Helper()
	walk(t, body, func(n *html.Node) {
		for _, a := range n.Attr {
			if n.Data == "a" && a.Key == "href" && a.Val != "#main" {
				path, _, _ := strings.Cut(a.Val, "#")
				links = append(links, path)
			}
		}
	})
	return links
}

func walk(t *testing.T, body string, visit func(*html.Node)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			visit(n)
		}
	}
}

// ours are all elements and attributes that a page may have.
var (
	elements = strings.Fields("html head meta title link script body a header svg circle path rect nav ol ul li span div form input button main section h1 h2 h3 p dl dt dd small b i s code time table thead tbody tr th td label select option datalist details summary article footer wbr")
	allowed  = strings.Fields("lang charset name content rel href type src defer class viewbox aria-hidden cx cy r d x width height preserveaspectratio role aria-label aria-labelledby id tabindex method action value datetime hidden data-live data-waits data-at scope open selected list autocomplete placeholder maxlength")
)

// inert says whether a page holds nothing that a text could have brought.
func inert(t *testing.T, where, body string) {
	t.Helper()
	scripts := 0
	walk(t, body, func(n *html.Node) {
		if !slices.Contains(elements, n.Data) {
			t.Errorf("%s: an element %q", where, n.Data)
		}
		if n.Data == "script" {
			scripts++
		}
		for _, a := range n.Attr {
			key := strings.ToLower(a.Key)
			if !slices.Contains(allowed, key) {
				t.Errorf("%s: <%s %s=%q>", where, n.Data, a.Key, a.Val)
			}
			if key == "href" || key == "src" || key == "action" {
				if err := harmless(n.Data, a.Val); err != nil {
					t.Errorf("%s: %v", where, err)
				}
			}
		}
	})
	if scripts > 1 {
		t.Errorf("%s: %d scripts", where, scripts)
	}
}

// harmless says whether an address is one of ours, or a link that was a whole
// address from the beginning.
func harmless(element, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return err
	case u.Scheme == "" && u.Host == "" && (address == "" || address == "#main" || strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//")):
		if strings.Contains(u.EscapedPath()+"/", "/../") {
			return fmt.Errorf("<%s> leads out of its folder: %s", element, address)
		}
		return nil
	case element == "a" && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil:
		return nil
	}
	return fmt.Errorf("<%s> leads to %s", element, address)
}
