package config

// The bytes of a pipeline file become YAML nodes here, and nothing else does.
//
// Rules: the file is one YAML document of at most maxSize bytes; anchors and
// aliases work, but what they expand to is bounded before anything walks it; a
// scalar means what YAML 1.2's core schema says, so on, no and yes are text and
// 010 is ten; the parser below reads YAML 1.1, hence its own idea of tags is not used.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// What a pipeline file may be at most; a hostile one is refused in one pass.
const (
	maxSize  = 1 << 20 // bytes
	maxDepth = 20      // mappings and lists inside each other; the language needs 7
	maxNodes = 100_000 // after aliases are expanded
)

// load reads the one document of src; nil with problems when there is none to read.
func load(d *decoder, src []byte) *yaml.Node {
	if len(src) > maxSize {
		d.add(1, 1, fmt.Sprintf("the file has %d bytes; at most %d are read", len(src), maxSize),
			"for_each describes many services with one pipeline")
		return nil
	}
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if line, column, wrong := invalidText(src); wrong != nil {
		d.add(line, column, wrong.message, wrong.remedy)
		return nil
	}
	root, err := parseYAML(src)
	switch {
	case err != nil:
		d.syntax(src, err)
		return nil
	case root == nil || len(root.Content) == 0 || isNull(root.Content[0]):
		d.add(1, 1, "the file is empty", "a smallest file is:\n"+strings.TrimSpace(Example))
		return nil
	}
	size := measure{d: d}
	if !size.walk(root.Content[0], 1) {
		return nil
	}
	return root.Content[0]
}

// errSecondDocument says where a second document begins.
type errSecondDocument struct{ line int }

func (e errSecondDocument) Error() string { return "a second YAML document begins here" }

// parseYAML parses exactly one document. The parser's own panics are its bugs on
// input that anyone may push; they become errors so that one repository's file
// cannot stop the others.
func parseYAML(src []byte) (root *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("cannot be parsed: %v", r)
		}
	}()
	in := yaml.NewDecoder(bytes.NewReader(src))
	first := new(yaml.Node)
	if err := in.Decode(first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	second := new(yaml.Node)
	if err := in.Decode(second); errors.Is(err, io.EOF) {
		return first, nil
	} else if err != nil {
		return nil, err
	}
	return nil, errSecondDocument{line: second.Line}
}

// invalidText finds the first byte that is not UTF-8, a control character that
// YAML does not allow (UTF-16 shows itself by its zero bytes), or a character
// that YAML 1.1 takes for the end of a line and 1.2 and GitHub do not: behind it
// all line numbers would be wrong.
func invalidText(src []byte) (line, column int, wrong *refusal) {
	line, column = 1, 1
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			return line, column, refuse("save it as UTF-8", "the file is not UTF-8 text")
		case r == '\u0085', r == '\u2028', r == '\u2029', r == '\r' && !bytes.HasPrefix(src[i+1:], []byte("\n")):
			return line, column, refuse("save it with LF or CRLF line ends", "the character %U ends a line for some and not for others", r)
		case r == '\n':
			line, column = line+1, 0
		}
		column++
		i += size
	}
	return 0, 0, nil
}

var errorLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// syntax reports what the parser refused. It names a line only, so the column
// is that of the line's first character.
func (d *decoder) syntax(src []byte, err error) {
	if second, ok := errors.AsType[errSecondDocument](err); ok {
		d.add(second.line, 1, "a second YAML document begins here", "keep one document: remove the --- line and what follows")
		return
	}
	line, message := 1, err.Error()
	if m := errorLine.FindStringSubmatch(message); m != nil {
		message = m[2]
		if n, e := strconv.Atoi(m[1]); e == nil {
			line = n
		}
	}
	lines := strings.Split(string(src), "\n")
	if line > 1 || strings.Contains(err.Error(), "line 1") {
		// What the parser (unlike its scanner) refuses it counts from zero.
		for _, m := range []string{"expected key", "'-' indicator", "node content", "',' or", "<document start>"} {
			if strings.Contains(message, m) {
				line++
			}
		}
	}
	line = min(line, len(lines))
	text := lines[line-1]
	if column := tabIndent(text); column > 0 {
		d.add(line, column, "a tab indents this line; YAML allows only spaces", "replace the tab by spaces")
		return
	}
	column := len(text) - len(strings.TrimLeft(text, " ")) + 1
	remedy := "check quotes, brackets and indentation here and on the line above"
	switch {
	case strings.Contains(message, "mapping values are not allowed"):
		remedy = "quote a text that contains \": \", and indent the keys of one mapping alike"
	case strings.Contains(message, "cannot start any token"):
		remedy = "quote a text that begins with @, ` or %"
	case strings.Contains(message, "incompatible YAML document"):
		remedy = "remove the %YAML line; the file is read by YAML 1.2's core schema without it"
	case strings.Contains(message, "unknown anchor"):
		remedy = "quote a text that begins with *, as \"*.yaml\""
	case strings.Contains(message, "',' or ']'"), strings.Contains(message, "',' or '}'"):
		remedy = "close the bracket, and quote texts that contain brackets"
	case strings.Contains(message, "alphabetic or numeric"):
		remedy = "quote a text that begins with * or &"
	}
	if strings.Contains(message, "unknown anchor") {
		line, column = findAlias(lines, message)
	} else if before, after, ok := strings.Cut(text, ": "); ok && strings.HasPrefix(remedy, "quote a text that begins") && strings.ContainsAny(after[:min(1, len(after))], "@`%*&") {
		column = utf8.RuneCountInString(before) + 3
	}
	d.add(line, column, "not valid YAML: "+message, remedy)
}

// tabIndent is the column of a tab in a line's indentation, or 0.
func tabIndent(text string) int {
	for i, c := range text {
		if c == '\t' {
			return i + 1
		}
		if c != ' ' && c != '-' {
			break
		}
	}
	return 0
}

// findAlias finds the alias an error names, which the parser does not place.
func findAlias(lines []string, message string) (line, column int) {
	_, rest, _ := strings.Cut(message, "'")
	name, _, _ := strings.Cut(rest, "'")
	for i, text := range lines {
		if at := strings.Index(text, "*"+name); at >= 0 {
			return i + 1, utf8.RuneCountInString(text[:at]) + 1
		}
	}
	return 1, 1
}

// measure walks a document as it is with its aliases expanded, and stops at the bounds.
type measure struct {
	d     *decoder
	nodes int
}

func (m *measure) walk(n *yaml.Node, depth int) bool {
	m.nodes++
	if m.nodes > maxNodes {
		m.d.at(n, fmt.Sprintf("the file has more than %d values once its aliases are expanded", maxNodes), "use fewer aliases; for_each describes many services with one pipeline")
		return false
	}
	if depth > maxDepth {
		m.d.at(n, fmt.Sprintf("mappings and lists are nested more than %d deep", maxDepth), "write it flat")
		return false
	}
	if n.Kind == yaml.AliasNode {
		return m.walk(n.Alias, depth+1)
	}
	for _, c := range n.Content {
		if !m.walk(c, depth+1) {
			return false
		}
	}
	return true
}

// deref is the node that an alias stands for, or the node itself.
func deref(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// scalarType is what a scalar is by YAML 1.2's core schema.
type scalarType string

const (
	nullType  scalarType = "nothing"
	boolType  scalarType = "true or false"
	intType   scalarType = "a number"
	floatType scalarType = "a decimal number"
	textType  scalarType = "a text"
)

var (
	coreInt   = regexp.MustCompile(`^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	coreFloat = regexp.MustCompile(`^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// typeOf resolves a scalar node by the core schema (YAML 1.2.2, section 10.3.2).
func typeOf(n *yaml.Node) scalarType {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return textType
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag == "!!str" {
		return textType
	}
	switch v := n.Value; {
	case v == "" || v == "~" || v == "null" || v == "Null" || v == "NULL":
		return nullType
	case v == "true" || v == "True" || v == "TRUE" || v == "false" || v == "False" || v == "FALSE":
		return boolType
	case coreInt.MatchString(v):
		return intType
	case coreFloat.MatchString(v):
		return floatType
	default:
		return textType
	}
}

func isNull(n *yaml.Node) bool {
	n = deref(n)
	return n.Kind == yaml.ScalarNode && typeOf(n) == nullType
}

// kindOf says in words what a node is.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	t := typeOf(n)
	switch {
	case t == nullType:
		return "empty"
	case n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str":
		return "tagged " + n.Tag
	default:
		return fmt.Sprintf("%s (%s)", t, clip(n.Value))
	}
}

// clip shortens a text of the file for a message and makes it one printable line.
func clip(s string) string {
	const most = 60
	q := strconv.Quote(s)
	if r := []rune(q); len(r) > most {
		return string(r[:most]) + "…\""
	}
	return q
}
