package edit

// How a value is written: in the style the place has, where the text permits.

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// render writes s in the place of n and returns the type it will have there.
func (f *File) render(s Scalar, n *node) (string, Type, error) {
	if !utf8.ValidString(s.Text) {
		return "", "", errors.New("the new value is not UTF-8")
	}
	quoted := n.style != plain && s.Type != Null
	if f.json {
		if quoted {
			s.Type = String
		}
		text := jsonText(s)
		if !json.Valid([]byte(text)) {
			return "", "", fmt.Errorf("%q is not a value in JSON", s.Text)
		}
		return text, s.Type, nil
	}
	switch {
	case n.style == block && quoted:
		text, err := f.blockScalar(s.Text, n)
		return text, String, err
	case n.style == singleQuoted && quoted && singleSafe(s.Text):
		return "'" + strings.ReplaceAll(s.Text, "'", "''") + "'", String, nil
	case quoted:
		return doubleText(s.Text), String, nil
	}
	text := scalarText(s, n.flow)
	return text, s.Type, nil
}

// scalarText writes a scalar without quotes where it keeps its type so.
func scalarText(s Scalar, flow bool) string {
	switch {
	case s.Type == Null:
		return "null"
	case plainSafe(s.Text, flow) && resolves(s.Text, s.Type):
		return s.Text
	}
	return doubleText(s.Text)
}

// plainSafe reports whether text can stand without quotes.
func plainSafe(text string, flow bool) bool {
	if text == "" || strings.TrimSpace(text) != text || strings.HasSuffix(text, ":") ||
		strings.Contains(text, ": ") || strings.Contains(text, " #") ||
		strings.HasPrefix(text, "---") || strings.HasPrefix(text, "...") {
		return false
	}
	if strings.ContainsRune("-?:,[]{}#&*!|>'\"%@`=", rune(text[0])) {
		return false
	}
	if flow && strings.ContainsAny(text, ",[]{}") {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == '\uFEFF' }) < 0
}

// resolves reports whether text without quotes is of the type. The words that
// YAML 1.1 takes for booleans are never strings without quotes, since tools
// that render manifests still read them so.
func resolves(text string, typ Type) bool {
	if typ == String {
		switch strings.ToLower(text) {
		case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~":
			return false
		}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
		return false
	}
	n := doc.Content[0]
	return n.Kind == yaml.ScalarNode && n.Value == text && n.Style == 0 && n.ShortTag() == "!!"+string(typ)
}

func singleSafe(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == '\uFEFF' }) < 0
}

// doubleText writes text in double quotes with YAML's escapes.
func doubleText(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case unicode.IsPrint(r) && r != '\uFEFF':
			b.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func jsonText(s Scalar) string {
	switch s.Type {
	case Int, Float, Bool, Null:
		return s.Text
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s.Text); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// blockScalar writes text as a literal in the place of a literal or folded
// scalar: same indentation, same line ends, the header's comment kept.
func (f *File) blockScalar(text string, n *node) (string, error) {
	old := string(f.data[n.start:n.end])
	header, body, _ := strings.Cut(old, "\n")
	newline := "\n"
	if before, ok := strings.CutSuffix(header, "\r"); ok {
		header, newline = before, "\r\n"
	}
	first := strings.TrimLeft(body, "\r\n")
	indent := first[:len(first)-len(strings.TrimLeft(first, " "))]
	content := strings.TrimRight(text, "\n")
	if indent == "" || content == "" || strings.HasPrefix(content, " ") || strings.HasPrefix(content, "\n") || strings.ContainsAny(header[1:min(3, len(header))], "123456789") ||
		strings.IndexFunc(content, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }) >= 0 {
		return "", errors.New("it is a block scalar that the new value does not fit in; change it by hand")
	}
	chomp := ""
	switch len(text) - len(content) {
	case 0:
		chomp = "-"
	case 1:
	default:
		return "", errors.New("it is a block scalar, and the new value ends in blank lines; change it by hand")
	}
	comment := strings.TrimLeft(header, "|>+-")
	lines := strings.Split(content, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = indent + l
		}
	}
	return "|" + chomp + comment + newline + strings.Join(lines, newline), nil
}
