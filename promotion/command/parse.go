package command

// Reading: only lines of plain paragraphs and list items count, as GitHub itself
// reads the Markdown: never code, quotes or HTML, so that whoever talks about a
// command does not give it.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// word is how a command begins.
const word = "/promobot"

// mostBody is GitHub's bound of a comment ("Create an issue comment": 65,536).
const mostBody = 65536 * 4

// Parse reads a comment's commands. Aliases are words of the repository's own that
// stand for a command with arguments.
func Parse(body string, aliases map[string]string) []Command {
	if !strings.Contains(strings.ToLower(body), word) || len(body) > mostBody {
		return nil
	}
	source := []byte(body)
	var out []Command
	for _, at := range plainLines(source) {
		line := strings.TrimSpace(at.text)
		first, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		if !strings.EqualFold(first, word) || len(out) == MostCommands {
			continue
		}
		c := parse(strings.TrimSpace(rest), aliases)
		c.Index, c.Line = len(out), at.number
		c.Text = cut(line)
		out = append(out, c)
	}
	return out
}

type plainLine struct {
	number int
	text   string
}

// plainLines are the source lines of paragraphs, in order.
func plainLines(source []byte) []plainLine {
	var out []plainLine
	doc := goldmark.DefaultParser().Parse(text.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n.Kind() {
		case ast.KindBlockquote, ast.KindCodeBlock, ast.KindFencedCodeBlock, ast.KindHTMLBlock, ast.KindHeading:
			return ast.WalkSkipChildren, nil
		case ast.KindParagraph, ast.KindTextBlock:
			if hasCode(n) {
				// A code span can reach over lines: what is in it does not count.
				source = blank(n, source)
			}
			lines := n.Lines()
			for i := range lines.Len() {
				s := lines.At(i)
				out = append(out, plainLine{1 + strings.Count(string(source[:s.Start]), "\n"), string(source[s.Start:s.Stop])})
			}
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return out
}

func hasCode(n ast.Node) bool {
	found := false
	_ = ast.Walk(n, func(c ast.Node, _ bool) (ast.WalkStatus, error) {
		if c.Kind() == ast.KindCodeSpan || c.Kind() == ast.KindRawHTML {
			found = true
			return ast.WalkStop, nil
		}
		return ast.WalkContinue, nil
	})
	return found
}

// blank is the source with the contents of a paragraph's code spans and HTML made
// blanks.
func blank(n ast.Node, source []byte) []byte {
	out := slices.Clone(source)
	erase := func(s text.Segment) {
		for i := s.Start; i < s.Stop; i++ {
			if out[i] != '\n' {
				out[i] = '.'
			}
		}
	}
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch c := c.(type) {
		case *ast.CodeSpan:
			for t := c.FirstChild(); t != nil; t = t.NextSibling() {
				if s, ok := t.(*ast.Text); ok {
					erase(s.Segment)
				}
			}
			return ast.WalkSkipChildren, nil
		case *ast.RawHTML:
			for i := range c.Segments.Len() {
				erase(c.Segments.At(i))
			}
		}
		return ast.WalkContinue, nil
	})
	return out
}

var (
	environmentName    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	environmentPattern = regexp.MustCompile(`^[a-z0-9*][a-z0-9*-]{0,39}$`)
	revisionName       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}$`)
)

// flags take a value, or none.
var flags = map[string]bool{"--pipeline": true, "--to": true, "--until": true, "--past": true, "--confirm": false}

// parse reads what follows the first word.
func parse(rest string, aliases map[string]string) Command {
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		fields = []string{"help"}
	}
	if alias, is := aliases[strings.ToLower(fields[0])]; is {
		fields = append(strings.Fields(alias), fields[1:]...)
	}
	if len(rest) > mostText {
		return Command{Problem: fmt.Sprintf("the command is longer than %d characters", mostText)}
	}
	spec, known := Find(strings.ToLower(fields[0]))
	if !known {
		return Command{Problem: unknown(fields[0], aliases)}
	}
	c := Command{Spec: spec}
	var words []string
	for i := 1; i < len(fields); i++ {
		f := fields[i]
		if !strings.HasPrefix(f, "--") {
			words = append(words, f)
			continue
		}
		name, value, has := strings.Cut(f, "=")
		takes, is := flags[name]
		switch {
		case !is:
			c.Problem = fmt.Sprintf("there is no option %s; write %s %s", cut(name), word, spec.Usage)
			return c
		case takes && !has:
			if i+1 >= len(fields) {
				c.Problem = fmt.Sprintf("%s needs a value; write %s %s", name, word, spec.Usage)
				return c
			}
			i++
			value = fields[i]
		}
		switch name {
		case "--pipeline":
			c.Pipeline = value
		case "--to":
			c.Revision = value
		case "--until":
			c.Until = value
		case "--past":
			c.Gate = strings.ToLower(value)
		case "--confirm":
			c.Confirmed = true
		}
	}
	c.arguments(words)
	return c
}

// arguments reads what stands in its place.
func (c *Command) arguments(words []string) {
	usage := fmt.Sprintf("write %s %s", word, c.Usage)
	take := func() string {
		if len(words) == 0 {
			return ""
		}
		w := words[0]
		words = words[1:]
		return w
	}
	switch c.Name {
	case "help":
		c.Reason = take()
	case "status", "plan":
		c.Pipeline = take()
	default:
		c.Environment = strings.ToLower(take())
	}
	many := c.Name == "hold" || c.Name == "resume"
	if c.All = many && c.Environment == "all"; c.All {
		c.Environment = "*"
	}
	switch {
	case c.Environment == "":
		if c.Name == "merge" && c.Gate == "" {
			c.Problem = "which gate is it to pass? " + usage
		}
	case many && !environmentPattern.MatchString(c.Environment), !many && !environmentName.MatchString(c.Environment):
		c.Problem = fmt.Sprintf("%s is no environment; %s", cut(c.Environment), usage)
		return
	}
	if c.Name == "promote" && len(words) > 0 {
		c.Revision = take()
	}
	if c.Name == "hold" || c.Name == "rollback" {
		c.Reason, words = strings.Join(words, " "), nil
	}
	switch {
	case c.Problem != "":
	case c.Revision != "" && !revisionName.MatchString(c.Revision):
		c.Problem = fmt.Sprintf("%s is no revision; %s", cut(c.Revision), usage)
	case len(words) > 0:
		c.Problem = fmt.Sprintf("%s is one word too many; %s", cut(words[0]), usage)
	}
}

// unknown says that there is no such command, and which was probably meant.
func unknown(name string, aliases map[string]string) string {
	known := make([]string, 0, len(All)+len(aliases))
	for _, s := range All {
		known = append(known, s.Name)
	}
	for a := range aliases {
		known = append(known, a)
	}
	slices.Sort(known)
	text := fmt.Sprintf("there is no command %s", cut(name))
	if near := nearest(strings.ToLower(name), known); near != "" {
		return text + "; did you mean " + near + "?"
	}
	return text + "; " + word + " help lists them all"
}

// nearest is the word that is the fewest edits away, if that is few; "" else.
func nearest(name string, known []string) string {
	best, most := "", max(1, len(name)/3)
	for _, k := range known {
		if d := distance(name, k); d <= most && (best == "" || d < most) {
			best, most = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		last := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			last, row[j] = row[j], min(row[j]+1, row[j-1]+1, last+cost)
		}
	}
	return row[len(b)]
}

// cut bounds a text that is repeated to its author.
func cut(s string) string {
	r := []rune(s)
	if len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return s
}
