package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
)

var sample = config.TemplateData{
	Pipeline: "services/checkout", Name: "checkout", Environment: "prod-eu", Source: "prod-canary",
	Revision: "9f3c1d2e5a7b9f3c1d2e5a7b9f3c1d2e5a7b9f3c", Short: "9f3c1d2", From: "1.40.0", To: "1.42.0", Attempt: 2,
	Kinds: []string{"create", "drift"}, Authors: []string{"ana", "bo"}, Text: "**promobot's own**",
}

func TestRenderTemplate(t *testing.T) {
	hostile := sample
	hostile.Name, hostile.Text = "a\x00b\n\u001b[31mc `x` @all", "one\ntwo"
	for name, c := range map[string]struct {
		tmpl string
		data config.TemplateData
		want string
	}{
		"fields":               {"{{.Environment}}: {{.Name}} {{.From}} → {{.To}} #{{.Attempt}}", sample, "prod-eu: checkout 1.40.0 → 1.42.0 #2"},
		"functions":            {`{{upper .Name}} {{lower "ABC"}} {{.Revision | trunc 7}} {{join "+" .Authors}} {{replace "/" "-" .Pipeline}} {{trim " x "}}`, sample, "CHECKOUT abc 9f3c1d2 ana+bo services-checkout x"},
		"a default":            {"{{.To | default .Short}}", config.TemplateData{Short: "9f3c1d2"}, "9f3c1d2"},
		"conditions":           {`{{if and (has "drift" .Kinds) (contains "eu" .Environment)}}a{{else}}b{{end}}{{if not (eq .Attempt 1)}}c{{end}}{{with .To}}{{.}}{{end}}{{len .Authors}}`, sample, "ac1.42.02"},
		"variables":            {`{{$x := .Name}}{{$x}}`, sample, "checkout"},
		"one line":             {"{{.Name}} {{.Text}}", hostile, "a b [31mc `x` @all one two"},
		"cut at 256":           {"{{.Name}}", config.TemplateData{Name: strings.Repeat("ü", 300)}, strings.Repeat("ü", 256)},
		"characters, no bytes": {"{{trunc 2 .Name}}", config.TemplateData{Name: "üöä"}, "üö"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.RenderTemplate(c.tmpl, c.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRenderMarkdownEscapes(t *testing.T) {
	data := sample
	data.Name = "<img src=x> [a](http://x) @acme/all #1 `c` **b** a|b\n---\n# h \\ &amp;"
	data.Authors = []string{"@\x00\u200bana", "<b> GH-7 www.x.y"}
	got, err := config.RenderMarkdown("{{.Text}}\n{{.Name}} {{join \", \" .Authors}}\n", data)
	if err != nil {
		t.Fatal(err)
	}
	want := "**promobot's own**\n" +
		"&#60;img src=x&#62; \\[a\\]\\(http:&#8203;//x\\) @&#8203;acme/all \\#&#8203;1 \\`c\\` \\*\\*b\\*\\* a&#124;b --- \\# h \\\\ &#38;amp; @&#8203;ana, &#60;b&#62; GH-&#8203;7 www&#8203;.x.y\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTemplatesAreBounded are templates made to take long or grow large.
func TestTemplatesAreBounded(t *testing.T) {
	big := config.TemplateData{Name: strings.Repeat("x", 60_000), Authors: []string{"a", "b", "c"}}
	double := strings.Repeat(`{{$x = join $x .Authors}}`, 400)
	for name, tmpl := range map[string]string{
		"output":             strings.Repeat("{{.Name}}", 2),
		"doubled variables":  `{{$x := .Name}}` + double + `{{len $x}}`,
		"replace":            `{{replace "x" .Name .Name}}`,
		"replace of nothing": `{{replace "" .Name .Name}}`,
		"upper":              `{{$x := join .Name .Authors}}{{upper $x}}`,
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			out, err := config.RenderMarkdown(tmpl, big)
			if err == nil {
				t.Errorf("gives %d bytes", len(out))
			} else if !strings.Contains(err.Error(), "longer than 65536 bytes") {
				t.Error(err)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestTemplateFunctionsOutOfReach(t *testing.T) {
	for _, call := range []string{"html .Name", "js .Name", "urlquery .Name", "print .Name", "printf \"%s\" .Name", "println", "index .Kinds 0", "slice .Name 1", "call .Name", "lt 1 2", "exec \"ls\"", "env \"HOME\""} {
		for _, tmpl := range []string{"{{" + call + "}}", "{{if (" + call + ")}}x{{end}}", "{{with .Name}}{{else}}{{" + call + "}}{{end}}", "{{.Name | default (" + call + ")}}", "{{$x := " + call + "}}", "{{(" + call + ").Foo}}"} {
			if out, err := config.RenderTemplate(tmpl, sample); err == nil {
				t.Errorf("%s gives %q", tmpl, out)
			}
		}
	}
}
