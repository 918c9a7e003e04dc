package texts_test

// Hostile content: whatever stands in a repository, the texts keep their
// structure. Each text is rendered with harmless and with hostile names, and
// must come out as the same blocks, with no HTML, link, mention or trailer more.

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	rendererhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

var hostile = []string{
	"<script>alert(1)</script>", "<!-- ", "-->", "</details>", "<details>", "@acme/everyone", "hey @ana", "#12", "fixes #12", "GH-12", "acme/fleet#12",
	"[x](javascript:alert(1))", "![x](https://evil.example/x.png)", "[x]: https://evil.example", "https://evil.example/issues/1", "www.evil.example", "a@evil.example",
	"a|b", `a\|b`, `a\\|b`, "|||||", `\`, "`", "``a`", "a`|`b", "`@ana`", "`x`@ana`y`", "` `", "*a*", "**", "__a__", "_a_", "~~a~~", "$a$", "&lt;b&gt;", "&#64;ana", "\\@ana",
	"# head", "- item", "+ item", "1. item", "1.", "www", "gh-", "1) item", "---", "===", "```", "```\n\nPromotion-Id: evil", "~~~", "> quote", "    code", "[ ] task", "[x] task",
	"Promotion-Id: evil", "\n\nPromotion-Id: evil", "x\r\n\r\nPromotion-Id: evil\r\n", "\u202egnp.exe", "a\u200bb", "a\x00b", "\x1b[31mred", "\u2028line", "\xff\xfe",
	"", " ", "\t", "é", "日本語", ":shipit:", "c++", "c#", "svc (old)", "a'b\"c", "%s%d", "{{.Text}}", "@", "#", "@\u200bana", "#\u20121",
	"Merge pull request #12 from <b>/x", "x (#99) @ana", "#915@ana", "see #915 and #9150", strings.Repeat("@a ", 500), strings.Repeat("`", 300), strings.Repeat("|", 1500),
}

// told are all texts of one situation in which every name is s.
func told(s string) map[string]string {
	p := with(auto(), overwriting)
	p.Pipeline.Key, p.Pipeline.Title = s, s
	c := p.Decision.Content
	c.Changes = []content.Change{{File: s, Value: s + ".", Now: s, After: s, Overwrites: true, Kinds: []content.Kind{content.Drift}}, {File: s, Now: s, After: s}}
	c.Kept, c.From, c.To = []string{s, s}, s, s
	c.Refused = []content.Refusal{{File: s, Value: s + ".", Reason: s, Remedy: s}, {File: s, Never: true}}
	p.State.Attempt, p.State.Cause, p.State.Rebuild = 2, s, 1
	p.State.Replaced = &state.Replaced{Revision: "v" + s}
	p.State.Revision, p.State.Origin, p.State.From = "v"+s, s, "from"
	p.State.Others = map[string]string{"x" + s: id(3)}
	p.Config.After = []string{s}
	p.Decision.Reason = s
	for i := range p.Decision.Gates {
		p.Decision.Gates[i].Text = s
	}
	for i := range p.Brings {
		p.Brings[i].Message, p.Brings[i].Author.Name = "x "+s, s
	}
	p.Way = append(p.Way, texts.Step{Environment: s, Carries: true})
	stopped := p
	stopped.Decision.Standing = promotion.Stopped
	broken := p
	brokenConfig := *p.Config
	brokenConfig.Title, brokenConfig.Body = "{{"+s+"}}{{", "{{"+s+"}}{{"
	broken.Config = &brokenConfig

	one := revisionOfStagings()
	one.Pipelines[0].Pipeline.Key = s
	for i := range one.Pipelines[0].Steps {
		one.Pipelines[0].Steps[i].Reason = "x " + s
		one.Pipelines[0].Steps[i].Actions = []promotion.Applies{{Do: "retry", Label: "Retry", Does: "x" + s, Urgent: true, Button: "retry:0"}}
		one.Pipelines[0].Steps[i].Waits = &promotion.Gate{Name: "approval", Text: s}
	}
	p.Actions = []promotion.Applies{{Do: "hold", Label: "Hold", Does: "x" + s, Button: "hold:0"}}
	more := services(3, func(_ int, step *texts.Step) {
		step.Reason = "x " + s
		if step.Environment == "prod" {
			step.Standing = promotion.Stopped
		}
	})
	for i := range more.Pipelines {
		more.Pipelines[i].Pipeline.Key, more.Pipelines[i].Pipeline.Group = s, s+"s"
	}
	foreign := texts.Foreign{
		Repository: repository, Number: 1, Reaches: []texts.Reach{{Pipeline: s, Environment: s, Onward: []string{s}}},
		Shared: map[string]int{s: 3}, File: &texts.FileChange{Effects: []string{s}},
	}
	invalid := texts.Foreign{Repository: repository, Number: 1, File: &texts.FileChange{Problems: config.Problems{{File: s, Line: 1, Message: s, Remedy: s + "."}}}}
	all := toldOfWays(s)
	maps.Copy(all, toldOfRollbacks(s))
	maps.Copy(all, map[string]string{
		"body": texts.Body(p), "body with a broken template": texts.Body(broken),
		"head": texts.HeadCheck(p).Summary, "stopped": texts.HeadCheck(stopped).Summary,
		"revision": texts.RevisionCheck(one).Summary, "revisions": texts.RevisionCheck(more).Summary, "revisions' text": texts.RevisionCheck(more).Text,
		"foreign": texts.ForeignCheck(foreign).Summary, "invalid": texts.ForeignCheck(invalid).Summary,
	})
	return all
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(rendererhtml.WithUnsafe()))

// structure are a text's blocks, links and raw HTML, in order.
func structure(t *testing.T, what, src string) []string {
	t.Helper()
	source := []byte(src)
	var out []string
	err := ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text, *ast.String, *ast.CodeSpan:
		case *ast.Link:
			if d := string(n.Destination); !strings.HasPrefix(d, repository.URL+"/") && !strings.HasPrefix(d, evidenceHost+"/") {
				t.Errorf("%s: a link leads to %q", what, n.Destination)
			}
		case *ast.AutoLink, *ast.Image, *ast.RawHTML, *ast.ThematicBreak:
			t.Errorf("%s: there is a %s", what, n.Kind())
		case *ast.HTMLBlock:
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				if s := strings.TrimSpace(string(line.Value(source))); s != "<details><summary>Record</summary>" && s != "</details>" {
					t.Errorf("%s: raw HTML %q", what, s)
				}
			}
			out = append(out, "HTML")
		case *extast.TableCell:
			out = append(out, n.Kind().String()+lastColumn(n, source))
		default:
			out = append(out, n.Kind().String())
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// lastColumn marks a row's last cell where what we write there is known: a
// pipe too many would shift them, and parsers drop the cells beyond the header's.
func lastColumn(n ast.Node, source []byte) string {
	if n.NextSibling() != nil {
		return ""
	}
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Value(source))
		}
	}
	switch cell := b.String() + " "; {
	case strings.HasSuffix(cell, " (⚠ drift, overwrites) "):
		return " after"
	case strings.HasSuffix(cell, " lifts it "):
		return " lifts it"
	case strings.HasPrefix(cell, "x "):
		return " why"
	}
	return ""
}

var (
	quiet = regexp.MustCompile(`(?s)<a [^>]*>.*?</a>|<code[^>]*>.*?</code>|<[^>]*>`)
	// shortened is a list that leaves something out.
	shortened = regexp.MustCompile(`… and \d+ more`)
	noticed   = regexp.MustCompile(`[@#][\p{L}\p{N}_]|(?i:\bgh-\d)|://|(?i:\bwww\.[\p{L}\p{N}])`)
)

// visible is what GitHub looks for mentions and references in.
func visible(t *testing.T, src string) string {
	t.Helper()
	var b bytes.Buffer
	if err := markdown.Convert([]byte(src), &b); err != nil {
		t.Fatal(err)
	}
	return html.UnescapeString(quiet.ReplaceAllString(b.String(), "\x01"))
}

// harmlessly is what is told with harmless names, to compare with.
var harmlessly = sync.OnceValue(func() map[string]string { return told("harmless") })

func checkHostile(t *testing.T, s string) {
	t.Helper()
	harmless, got := harmlessly(), told(s)
	for what, src := range got {
		if !utf8.ValidString(src) {
			t.Errorf("%s: not UTF-8", what)
		}
		if i := strings.IndexFunc(src, func(r rune) bool { return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }); i >= 0 {
			t.Errorf("%s: a formatting character in %.40q", what, src[i:])
		}
		was, is := structure(t, what, harmless[what]), structure(t, what, src)
		if len(shortened.FindAllString(src, -1)) != len(shortened.FindAllString(harmless[what], -1)) {
			was, is = nil, nil // long names have left less room for lists
		}
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("%s: %q changes the structure (-harmless +hostile):\n%s\n%s", what, s, diff, src)
		}
		if m := noticed.FindString(visible(t, src)); m != "" {
			t.Errorf("%s: GitHub would notice %q:\n%s", what, m, src)
		}
	}
	checkPlain(t, s)
	checkPlainWays(t, s)
	checkButtons(t, s)
}

// checkButtons holds the buttons of services and environments with the same names.
func checkButtons(t *testing.T, s string) {
	t.Helper()
	r := services(2, func(_ int, step *texts.Step) {
		step.Environment = s
		step.Actions = []promotion.Applies{{Do: "retry", Label: "Retry", Does: s + ".", Urgent: true, Button: "retry:0"}}
	})
	r.Pipelines[0].Pipeline.Title = s
	one := texts.Revision{Repository: repository, Commit: id(1), Pipelines: r.Pipelines[:1]}
	for _, b := range slices.Concat(texts.RevisionCheck(r).Buttons, texts.RevisionCheck(one).Buttons) {
		for most, said := range map[int]string{20: b.Label, 40: b.Does} {
			if m := noticed.FindString(said); m != "" || utf8.RuneCountInString(said) > most || said == "" || strings.ContainsFunc(said, unicode.IsControl) {
				t.Errorf("a button says %q, with %q", said, m)
			}
		}
	}
}

// checkPlain holds titles and git messages against the same names.
func checkPlain(t *testing.T, s string) {
	t.Helper()
	p := auto()
	p.Pipeline.Key, p.Pipeline.Title = s, s
	p.Decision.Content.From, p.Decision.Content.To = s, s
	p.Decision.Content.Changes = []content.Change{{File: s, Value: s, Now: s, After: s}}
	for i := range p.Decision.Gates {
		p.Decision.Gates[i].Text = s
	}
	mergeTitle, merge := texts.MergeMessage(p)
	p.Decision.Standing, p.Decision.Reason = promotion.Stopped, s
	for what, line := range map[string]string{"title": texts.Title(p), "check's title": texts.HeadCheck(p).Title, "merge's title": strings.TrimSuffix(mergeTitle, " (#915)")} {
		if m := noticed.FindString(line); m != "" || strings.ContainsAny(line, "\r\n\x00\x1b") || line == "" {
			t.Errorf("%s: %q has %q", what, line, m)
		}
	}
	want := len(p.State.Trailers("x", "y"))
	for what, message := range map[string]string{"body": texts.Body(p), "commit": texts.CommitMessage(p), "merge": merge} {
		ts := state.ParseTrailers(message)
		missing := 0
		if !strings.ContainsFunc(s, unicode.IsGraphic) { // an empty value is left out
			missing = 1
		}
		if ts[state.TrailerID] != p.State.ID || len(ts) < want-missing {
			t.Errorf("%s: the trailers read back are %v", what, ts)
		}
		prose := message[:max(0, strings.LastIndex(message, "\n\n"))]
		if what != "body" {
			if m := noticed.FindString(prose); m != "" {
				t.Errorf("%s: GitHub would notice %q in\n%s", what, m, prose)
			}
		}
		if lines := strings.Split(prose, "\n"); slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Promotion-") }) {
			t.Errorf("%s: a line of it begins like a trailer:\n%s", what, prose)
		}
	}
}

func TestHostileNames(t *testing.T) {
	for i, s := range hostile {
		t.Run(fmt.Sprintf("%02d %.20q", i, s), func(t *testing.T) { checkHostile(t, s) })
	}
}

func FuzzHostileNames(f *testing.F) {
	for _, s := range hostile[:20] { // all of them are held above
		f.Add(s)
	}
	f.Fuzz(checkHostile)
}

// The property has to fail on a text that is not escaped, else it proves nothing.
func TestNoticingWorks(t *testing.T) {
	for _, s := range []string{"hey @ana", "fixes #12", "see GH-12", "https://evil.example", "&#64;ana"} {
		if noticed.FindString(visible(t, s)) == "" && !strings.Contains(s, "https") {
			t.Errorf("%q goes unnoticed", s)
		}
	}
	if got := structure(t, "a list", "- item"); !slices.Contains(got, "List") {
		t.Errorf("the structure of a list is %v", got)
	}
}

func TestLinksNeedARepositorysOwnAddress(t *testing.T) {
	for _, address := range []string{"", "javascript:alert(1)", "https://x/a)b", "https://x/ y", "//x/y", "https://x/<b>"} {
		p := auto()
		p.Repository.URL, p.State.URL = address, ""
		if body := texts.Body(p); strings.Contains(body, "](") {
			t.Errorf("%q: there is a link in\n%s", address, body)
		}
	}
}

func TestTemplatesCannotReachTheTrailers(t *testing.T) {
	for name, template := range map[string]string{
		"open fence": "{{.Text}}\n\n```", "open details": "<details>\n{{.Text}}", "comment": "<!-- {{.Text}}", "rule": "{{.Text}}\n\n---\n",
		"own trailers": "Promotion-Id: evil", "hostile names": "{{.Name}} {{.Text}}",
	} {
		t.Run(name, func(t *testing.T) {
			p := with(auto(), func(p *texts.Promotion) { p.Config.Body, p.Pipeline.Title = template, "<b>\n\nPromotion-Id: evil" })
			body := texts.Body(p)
			if got := state.ParseTrailers(body)[state.TrailerID]; got != p.State.ID {
				t.Errorf("the id read back is %q from\n%s", got, body)
			}
			if regexp.MustCompile(`(?m)^---\s*$`).MatchString(body) {
				t.Errorf("a rule stands before the trailers:\n%s", body)
			}
		})
	}
}
