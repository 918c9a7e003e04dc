// Package convert makes a pipeline file of another tool's configuration.
//
// It is pure: bytes in, a file and notes out.
//
// Its rules:
//
//   - What cannot be carried over, or means something else here, is a note with
//     the line it stands on; nothing is left out silently.
//   - What is carried over does nothing yet: mode is observe, since the other tool
//     may still be at work.
//   - What is plainly a mistake in the other configuration is mended, and said.
package convert

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/promotion/config"
)

// Sort is what a note is about.
type Sort string

// The sorts of notes, from what a person has to look at first.
const (
	Repaired Sort = "repaired"         // a mistake that was mended
	Left     Sort = "not carried over" // there is nothing like it here, or it stands elsewhere
	Differs  Sort = "differs"          // carried over, and not quite the same
)

// Note is one thing to know about a line of the configuration.
type Note struct {
	Line int // 1-based
	Sort Sort
	Text string
}

// Result is a pipeline file with its notes, in the order of the lines.
type Result struct {
	File  []byte
	Notes []Note
}

// Error is a configuration that cannot be converted, at a line.
type Error struct {
	File string
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// What a configuration may be at most.
const (
	maxBytes = 1 << 20
	maxNodes = 50_000
	maxDepth = 30
)

var atLine = regexp.MustCompile(`line (\d+): (.*)`)

// documents parses the YAML documents of a file. Anchors and aliases are refused:
// neither tool's examples have them, and what they expand to is unbounded.
func documents(name string, src []byte) (out []*yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil { // the parser's own, on input of unknown making
			out, err = nil, &Error{name, 1, "this is no YAML that can be read"}
		}
	}()
	if len(src) > maxBytes {
		return nil, &Error{name, 1, fmt.Sprintf("the file has %d bytes; at most %d are read", len(src), maxBytes)}
	}
	in := yaml.NewDecoder(bytes.NewReader(src))
	nodes := 0
	for {
		var doc yaml.Node
		if err := in.Decode(&doc); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			line, text := 1, strings.TrimPrefix(err.Error(), "yaml: ")
			if m := atLine.FindStringSubmatch(text); m != nil {
				text = m[2]
				if n, err := strconv.Atoi(m[1]); err == nil {
					line = n
				}
			}
			return nil, &Error{name, line, "this is no YAML that can be read: " + clean(text)}
		}
		if len(doc.Content) == 0 {
			continue
		}
		if e := measure(name, doc.Content[0], 0, &nodes); e != nil {
			return nil, e
		}
		out = append(out, doc.Content[0])
	}
}

func measure(name string, n *yaml.Node, depth int, nodes *int) error {
	if *nodes++; *nodes > maxNodes || depth > maxDepth {
		return &Error{name, n.Line, "the file is too large or too deep"}
	}
	if n.Kind == yaml.AliasNode {
		return &Error{name, n.Line, "aliases are not read; write out what the alias stands for"}
	}
	for _, c := range n.Content {
		if err := measure(name, c, depth+1, nodes); err != nil {
			return err
		}
	}
	return nil
}

// notes collects notes.
type notes struct {
	name string
	all  []Note
}

func (n *notes) note(at *yaml.Node, sort Sort, format string, args ...any) {
	one := Note{at.Line, sort, clean(fmt.Sprintf(format, args...))}
	if !slices.Contains(n.all, one) {
		n.all = append(n.all, one)
	}
}

func (n *notes) fail(at *yaml.Node, format string, args ...any) error {
	return &Error{n.name, max(at.Line, 1), clean(fmt.Sprintf(format, args...))}
}

// sorted are the notes by line.
func (n *notes) sorted() []Note {
	slices.SortStableFunc(n.all, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
	return n.all
}

// field is a key of a mapping with its value.
type field struct {
	key   string
	at    *yaml.Node
	value *yaml.Node
}

// fields are a mapping's; an error names what it should have been.
func (n *notes) fields(of *yaml.Node, what string) ([]field, error) {
	if of.Kind != yaml.MappingNode {
		return nil, n.fail(of, "%s is %s; a mapping is wanted", what, kindOf(of))
	}
	var out []field
	for i := 0; i+1 < len(of.Content); i += 2 {
		k := of.Content[i]
		if slices.ContainsFunc(out, func(f field) bool { return f.key == k.Value }) {
			return nil, n.fail(k, "%s has %s twice", what, quoted(k.Value))
		}
		out = append(out, field{k.Value, k, of.Content[i+1]})
	}
	return out, nil
}

func (n *notes) list(of *yaml.Node, what string) ([]*yaml.Node, error) {
	if of.Kind != yaml.SequenceNode {
		return nil, n.fail(of, "%s is %s; a list is wanted", what, kindOf(of))
	}
	return of.Content, nil
}

func (n *notes) text(of *yaml.Node, what string) (string, error) {
	if of.Kind != yaml.ScalarNode || of.Tag == "!!null" {
		return "", n.fail(of, "%s is %s; a text is wanted", what, kindOf(of))
	}
	return of.Value, nil
}

func (n *notes) texts(of *yaml.Node, what string) ([]string, error) {
	list, err := n.list(of, what)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range list {
		t, err := n.text(c, "an item of "+what)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func (n *notes) truth(of *yaml.Node, what string) (bool, error) {
	if of.Kind == yaml.ScalarNode {
		switch strings.ToLower(of.Value) {
		case "true", "yes", "on":
			return true, nil
		case "false", "no", "off", "", "null", "~":
			return false, nil
		}
	}
	return false, n.fail(of, "%s is %s; true or false is wanted", what, kindOf(of))
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!null" {
		return "empty"
	}
	return quoted(n.Value)
}

// quoted is a text of unknown making in a message.
func quoted(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "…"
	}
	return strconv.Quote(s)
}

// clean makes a text fit for one line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

var (
	invalid   = regexp.MustCompile(`[^a-z0-9]+`)
	validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
)

// names gives each thing a name that the pipeline file allows, each its own.
type names map[string]bool

func (n names) of(text string) string {
	s := strings.Trim(invalid.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if len(s) > 36 {
		s = strings.Trim(s[len(s)-36:], "-")
	}
	if !validName.MatchString(s) {
		s = "environment"
	}
	one := s
	for i := 2; n[one]; i++ {
		one = fmt.Sprintf("%s-%d", s, i)
	}
	n[one] = true
	return one
}

// check holds what was made against the pipeline file's own rules.
func check(name string, text []byte) error {
	if _, problems := config.Parse(config.Path, text); len(problems) > 0 {
		return &Error{name, 1, clean(fmt.Sprintf("what it says cannot be said in a pipeline file: %s; %s", problems[0].Message, problems[0].Remedy))}
	}
	return nil
}

// head is the beginning of a converted file.
func head(b *strings.Builder, tool, name string) {
	fmt.Fprintf(b, "# Converted by promobot from %s's %s. With mode: observe promobot only says what it\n", tool, clean(name))
	b.WriteString("# would do. When the other tool is off, raise it to propose, then auto.\nversion: 1\nmode: observe\n")
}

// tail writes the notes as comments.
func tail(b *strings.Builder, name string, all []Note) {
	if len(all) == 0 {
		return
	}
	b.WriteString("\n# From " + clean(name) + ":\n")
	for _, n := range all {
		fmt.Fprintf(b, "# - line %d, %s: %s\n", n.Line, n.Sort, n.Text)
	}
}
