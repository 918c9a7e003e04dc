package config

// Templates of a pull request's title and text.
//
// Rules: text/template's syntax with the functions listed here and none of its
// own beyond comparisons; no loops, no nested templates and bounded results, so
// that no template can take long or grow large. A template is tried with sample
// data when the file is read, so that a misspelt field is told there.

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode"
	"unicode/utf8"
)

// maxRendered is the most bytes a template may give: GitHub's limit of a body.
const maxRendered = 65536

// TemplateData is what a template of a title or a text can name.
type TemplateData struct {
	Pipeline    string   // the pipeline's key, such as services/checkout
	Name        string   // the pipeline's short name, such as checkout
	Environment string   // the target
	Source      string   // the environments it comes from, joined by ", "
	Revision    string   // what is promoted: a full commit id or a version
	Short       string   // the revision as people read it: 7 characters of a commit id
	From, To    string   // the versions now and after, when one version changes; else ""
	Attempt     int      // 1 for the first
	Kinds       []string // kinds of change: create, delete, downgrade, drift, leak, large
	Authors     []string // logins or names of those whose commits it brings
	Text        string   // promobot's own title or text
}

// escaped is the data for a place that renders Markdown; Text is Markdown already.
func (d TemplateData) escaped() TemplateData {
	for _, s := range []*string{&d.Pipeline, &d.Name, &d.Environment, &d.Source, &d.Revision, &d.Short, &d.From, &d.To} {
		*s = escapeMarkdown(*s)
	}
	list := func(in []string) []string {
		out := make([]string, len(in))
		for i, s := range in {
			out[i] = escapeMarkdown(s)
		}
		return out
	}
	d.Kinds, d.Authors = list(d.Kinds), list(d.Authors)
	return d
}

// reference is what GitHub makes links, mentions or references of: @name, #12,
// GH-12 and addresses.
var reference = regexp.MustCompile(`[@#][\p{L}\p{N}_]|(?i:\bgh-)[0-9]|://|(?i:\bwww\.)`)

// escapeMarkdown makes a text stand for itself in GitHub's Markdown: no markup,
// no HTML, no mention, no reference, one line. A backslash before punctuation
// gives the character itself (GitHub Flavored Markdown Spec, 2.4). Mentions,
// references and addresses are looked for in the rendered text, so a zero-width
// space is put into what would become one.
func escapeMarkdown(s string) string {
	const mark = '\x00' // stands for the zero-width space while escaping
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return -1 // a mention would come together behind one
		}
		return r
	}, s)
	s = reference.ReplaceAllStringFunc(s, func(m string) string {
		_, size := utf8.DecodeLastRuneInString(m)
		if m == "://" {
			size = len("//")
		}
		return m[:len(m)-size] + string(mark) + m[len(m)-size:]
	})
	var out strings.Builder
	for _, r := range s {
		switch {
		case r == mark:
			out.WriteString("&#8203;")
		case strings.ContainsRune("&<>|$", r):
			fmt.Fprintf(&out, "&#%d;", r)
		case strings.ContainsRune("\\`*_{}[]()!~^#", r):
			out.WriteByte('\\')
			out.WriteRune(r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// RenderTemplate renders a template with the data as it is, for plain text such
// as a title: control characters and line ends become spaces, and it is cut at
// 256 characters, GitHub's limit. The error says what is wrong in the template.
func RenderTemplate(tmpl string, data TemplateData) (string, error) {
	out, err := render(tmpl, data)
	if err != nil {
		return "", err
	}
	out = strings.Join(strings.FieldsFunc(out, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	return truncate(256, out), nil
}

// RenderMarkdown renders a template of a pull request's text: the data's values
// stand for themselves in it, whatever they hold, except Text, which is Markdown.
func RenderMarkdown(tmpl string, data TemplateData) (string, error) {
	return render(tmpl, data.escaped())
}

// errTooLong ends a rendering that grows beyond what GitHub takes.
var errTooLong = errors.New("the result is longer than " + strconv.Itoa(maxRendered) + " bytes")

type bounded struct {
	strings.Builder
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxRendered {
		return 0, errTooLong
	}
	return b.Builder.Write(p)
}

func render(tmpl string, data TemplateData) (string, error) {
	t, err := compileTemplate(tmpl)
	if err != nil {
		return "", err
	}
	var out bounded
	if err := t.Execute(&out, data); err != nil {
		return "", templateError(err)
	}
	return out.String(), nil
}

// functions are all that a template can call besides comparisons.
var functions = template.FuncMap{
	"lower": func(s string) (string, error) { return within(strings.ToLower(s)) },
	"upper": func(s string) (string, error) { return within(strings.ToUpper(s)) },
	"trim":  strings.TrimSpace,
	"trunc": truncate,
	"replace": func(old, with, s string) (string, error) {
		if len(s)*(len(with)+1) > 16*maxRendered {
			return "", errTooLong
		}
		return within(strings.ReplaceAll(s, old, with))
	},
	"join": func(separator string, list []string) (string, error) {
		if len(list)*len(separator) > maxRendered {
			return "", errTooLong
		}
		return within(strings.Join(list, separator))
	},
	"default": func(fallback string, s string) string {
		if s == "" {
			return fallback
		}
		return s
	},
	"contains": func(part, s string) bool { return strings.Contains(s, part) },
	"has": func(item string, list []string) bool {
		return slices.Contains(list, item)
	},
}

// builtins are text/template's own functions that stay reachable; print, call,
// html, js, index and the others are not.
var builtins = map[string]bool{"and": true, "or": true, "not": true, "eq": true, "ne": true, "len": true}

func within(s string) (string, error) {
	if len(s) > maxRendered {
		return "", errTooLong
	}
	return s, nil
}

// truncate keeps the first n characters.
func truncate(n int, s string) string {
	if n < 0 || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

func compileTemplate(text string) (*template.Template, error) {
	t, err := template.New("template").Funcs(functions).Parse(text)
	if err != nil {
		return nil, templateError(err)
	}
	if len(t.Templates()) > 1 {
		return nil, errors.New("define and block are not known here")
	}
	if t.Tree != nil {
		if err := checkNode(t.Root); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// checkNode refuses what a template may not do, in the whole tree.
func checkNode(n parse.Node) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, c := range n.Nodes {
			if err := checkNode(c); err != nil {
				return err
			}
		}
	case *parse.RangeNode:
		return fmt.Errorf("line %d: range is not known here; use join", n.Line)
	case *parse.TemplateNode:
		return fmt.Errorf("line %d: template is not known here", n.Line)
	case *parse.BreakNode, *parse.ContinueNode:
		return errors.New("break and continue are not known here")
	case *parse.IfNode:
		return checkBranch(&n.BranchNode)
	case *parse.WithNode:
		return checkBranch(&n.BranchNode)
	case *parse.ActionNode:
		return checkNode(n.Pipe)
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		for _, c := range n.Cmds {
			for _, a := range c.Args {
				if err := checkNode(a); err != nil {
					return err
				}
			}
		}
	case *parse.ChainNode:
		return checkNode(n.Node)
	case *parse.IdentifierNode:
		if _, ours := functions[n.Ident]; !ours && !builtins[n.Ident] {
			return fmt.Errorf("function %q is not known here", n.Ident)
		}
	}
	return nil
}

func checkBranch(b *parse.BranchNode) error {
	for _, n := range []parse.Node{b.Pipe, b.List, b.ElseList} {
		if err := checkNode(n); err != nil {
			return err
		}
	}
	return nil
}

var templatePrefix = regexp.MustCompile(`^template: template:(\d+)(?::\d+)?: (?:executing "template" at )?`)

var noField = regexp.MustCompile(`<[^>]*>: can't evaluate field (\w+) in type .*`)

// templateError puts text/template's errors in our words: "line 2: …".
func templateError(err error) error {
	if errors.Is(err, errTooLong) || errors.Is(err, io.ErrShortWrite) {
		return errTooLong
	}
	text := templatePrefix.ReplaceAllString(err.Error(), "line $1: ")
	return errors.New(noField.ReplaceAllString(text, "there is no field .$1"))
}

// checkTemplate tries a template with full and with empty data.
func checkTemplate(render func(string, TemplateData) (string, error)) func(string) *refusal {
	full := TemplateData{
		Pipeline: "services/checkout", Name: "checkout", Environment: "staging", Source: "dev",
		Revision: "9f3c1d2e5a7b9f3c1d2e5a7b9f3c1d2e5a7b9f3c", Short: "9f3c1d2", From: "1.40.0", To: "1.42.0", Attempt: 1,
		Kinds: []string{"drift"}, Authors: []string{"ana"}, Text: "checkout 1.40.0 → 1.42.0",
	}
	return func(s string) *refusal {
		for _, data := range []TemplateData{full, {}} {
			out, err := render(s, data)
			switch {
			case err != nil:
				return refuse("use {{.Name}}, {{.Environment}}, {{.To}} and the other fields with lower, upper, trim, trunc, replace, join, default, contains, has, if, eq, ne, and, or, not, len",
					"the template does not work: %s", err)
			case strings.TrimSpace(out) == "" && data.Name != "":
				return refuse("begin with {{.Text}}, promobot's own", "the template gives an empty text")
			}
		}
		return nil
	}
}
