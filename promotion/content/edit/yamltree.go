package edit

// YAML with byte offsets. go.yaml.in/yaml/v3 gives every node's line and column
// but not its end, and counts columns in characters and lines by YAML's line
// breaks (LF, CR, CR LF, and in YAML 1.1 also NEL, LS and PS); the byte order
// mark at the start counts for nothing. Ends are found here by reading the
// scalar again, and what is read must give the parser's value: a node for
// which it does not is left without a place, and so cannot be edited.

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

type yamlReader struct {
	data  []byte
	lines []int // offset of each line's first byte
	// The last place asked for: nodes come in order, and a file of one long
	// line must not be counted from its start for each of them.
	line, column, offset int
}

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

func (f *File) parseYAML() (err error) {
	if bytes.HasPrefix(f.data, []byte("\xfe\xff")) || bytes.HasPrefix(f.data, []byte("\xff\xfe")) {
		return &SyntaxError{Message: "the file is UTF-16; save it as UTF-8"}
	}
	// The parser is asked to read hostile files; a panic in it is a file that
	// cannot be read, not the end of the program.
	defer func() {
		if p := recover(); p != nil {
			err = &SyntaxError{Message: fmt.Sprintf("the YAML parser gave up: %v", p)}
		}
	}()
	r := &yamlReader{data: f.data, lines: lineStarts(f.data)}
	dec := yaml.NewDecoder(bytes.NewReader(f.data))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			e := &SyntaxError{Message: err.Error()}
			if m := yamlErrorLine.FindStringSubmatch(err.Error()); m != nil {
				e.Message = m[2]
				e.Line, _ = strconv.Atoi(m[1])
			}
			return e
		}
		var doc *node
		if len(n.Content) == 1 {
			doc = r.convert(n.Content[0], -1, false)
		}
		f.docs = append(f.docs, doc)
	}
}

// breakLen is the length of the YAML line break that begins data, 0 for none.
func breakLen(data []byte) int {
	switch {
	case len(data) == 0:
		return 0
	case data[0] == '\r' && len(data) > 1 && data[1] == '\n':
		return 2
	case data[0] == '\r' || data[0] == '\n':
		return 1
	case data[0] == 0xC2 && len(data) > 1 && data[1] == 0x85:
		return 2
	case data[0] == 0xE2 && len(data) > 2 && data[1] == 0x80 && (data[2] == 0xA8 || data[2] == 0xA9):
		return 3
	}
	return 0
}

func lineStarts(data []byte) []int {
	first := 0
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		first = 3
	}
	starts := []int{first}
	for i := first; i < len(data); {
		if n := breakLen(data[i:]); n > 0 {
			i += n
			starts = append(starts, i)
		} else {
			i++
		}
	}
	return starts
}

// at turns a line and a column, both from 1, into an offset.
func (r *yamlReader) at(line, column int) (int, bool) {
	if line < 1 || line > len(r.lines) {
		return 0, false
	}
	if line != r.line || column < r.column {
		r.line, r.column, r.offset = line, 1, r.lines[line-1]
	}
	for r.column < column {
		if r.offset >= len(r.data) {
			return 0, false
		}
		_, n := utf8.DecodeRune(r.data[r.offset:])
		r.offset += n
		r.column++
	}
	return r.offset, true
}

// convert turns a parsed node into one with its place. parentIndent is the
// column, from 0, of the block collection around it.
func (r *yamlReader) convert(y *yaml.Node, parentIndent int, inFlow bool) *node {
	n := &node{line: y.Line, anchor: y.Anchor, flow: inFlow}
	start, ok := r.at(y.Line, y.Column)
	n.typ = Type(strings.TrimPrefix(y.ShortTag(), "!!"))
	// The document's own tag or anchor comes before the value it belongs to.
	if ok && (y.Anchor != "" || y.Style&yaml.TaggedStyle != 0) {
		start = skipProperties(r.data, start)
	}
	n.start, n.end = start, start
	switch y.Kind {
	case yaml.ScalarNode:
		n.kind, n.text = scalarNode, y.Value
		n.style = map[yaml.Style]nodeStyle{
			yaml.SingleQuotedStyle: singleQuoted, yaml.DoubleQuotedStyle: doubleQuoted,
			yaml.LiteralStyle: block, yaml.FoldedStyle: block,
		}[y.Style&^yaml.TaggedStyle&^yaml.FlowStyle]
		if ok {
			n.end, n.known = scalarEnd(r.data, start, n, parentIndent)
		}
	case yaml.AliasNode:
		n.kind, n.text, n.typ = aliasNode, y.Value, ""
		n.end = start + 1 + len(y.Value)
		n.known = ok && bytes.HasPrefix(r.data[start:], []byte("*"+y.Value))
	case yaml.MappingNode, yaml.SequenceNode:
		n.kind = sequenceNode
		step := 1
		if y.Kind == yaml.MappingNode {
			n.kind, step = mappingNode, 2
		}
		flow := y.Style&yaml.FlowStyle != 0
		n.flow = flow
		n.indent = y.Column - 1
		if len(y.Content) > 0 && n.kind == mappingNode {
			n.indent = y.Content[0].Column - 1 // the collection's own column may be its anchor's
		}
		for i := 0; i+step <= len(y.Content); i += step {
			var e entry
			if n.kind == mappingNode {
				k := y.Content[i]
				e.keyStart, _ = r.at(k.Line, k.Column)
				e.plainKey = k.Kind == yaml.ScalarNode
				e.key = k.Value
			}
			e.value = r.convert(y.Content[i+step-1], n.indent, flow || inFlow)
			n.entries = append(n.entries, e)
		}
		n.known = ok && r.place(n, flow)
	}
	return n
}

// place finds where a collection begins and ends.
func (r *yamlReader) place(n *node, flow bool) bool {
	end := n.start
	for _, e := range n.entries {
		if !e.value.known {
			return false
		}
		end = max(end, e.value.end)
	}
	switch {
	case flow:
		if n.start >= len(r.data) || !strings.ContainsRune("{[", rune(r.data[n.start])) {
			return false
		}
		end = skipTo(r.data, max(end, n.start+1), "}]")
		if end >= len(r.data) {
			return false
		}
		n.end = end + 1
	case n.kind == mappingNode:
		if len(n.entries) == 0 {
			return false
		}
		n.start, n.end = n.entries[0].keyStart, end
	default:
		if n.start >= len(r.data) || r.data[n.start] != '-' {
			return false
		}
		n.end = end
	}
	return n.end <= len(r.data)
}

// skipTo goes over white space, line breaks, comments, commas and a key's colon
// to one of the bytes of want, or to the end of data.
func skipTo(data []byte, at int, want string) int {
	for at < len(data) {
		switch c := data[at]; {
		case strings.IndexByte(want, c) >= 0:
			return at
		case c == '#':
			for at < len(data) && breakLen(data[at:]) == 0 {
				at++
			}
		case c == ' ', c == '\t', c == '\r', c == '\n', c == ',', c == ':':
			at++
		default:
			return len(data)
		}
	}
	return at
}

// skipProperties goes over anchors and tags to the value they belong to; when
// the value is empty, to the end of the last of them.
func skipProperties(data []byte, at int) int {
	for at < len(data) && (data[at] == '&' || data[at] == '!') {
		for at < len(data) && !strings.ContainsRune(" \t\r\n,]}", rune(data[at])) {
			at++
		}
		next := at
		for next < len(data) && strings.ContainsRune(" \t\r\n", rune(data[next])) {
			next++
		}
		if next < len(data) && data[next] == '#' {
			next = skipTo(data, next, "&!|>'\"-?[{")
		}
		if next >= len(data) || strings.ContainsRune(",]}", rune(data[next])) {
			return at
		}
		at = next
	}
	return at
}

// scalarEnd finds where the scalar that begins at start ends, and whether the
// bytes there give the parser's value.
func scalarEnd(data []byte, start int, n *node, parentIndent int) (int, bool) {
	if start > len(data) {
		return start, false
	}
	rest := data[start:]
	switch n.style {
	case doubleQuoted:
		if len(rest) == 0 || rest[0] != '"' {
			return start, false
		}
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return start + i + 1, true
			}
		}
		return start, false
	case singleQuoted:
		if len(rest) == 0 || rest[0] != '\'' {
			return start, false
		}
		for i := 1; i < len(rest); i++ {
			if rest[i] != '\'' {
				continue
			}
			if i+1 < len(rest) && rest[i+1] == '\'' {
				i++
				continue
			}
			return start + i + 1, true
		}
		return start, false
	case block:
		return blockEnd(data, start, n.text, parentIndent)
	}
	return plainEnd(data, start, n.text)
}

// plainEnd follows a plain scalar, over lines when it was folded.
func plainEnd(data []byte, start int, text string) (int, bool) {
	at := start
	for i := 0; i < len(text); {
		if at >= len(data) {
			return start, false
		}
		if data[at] == text[i] && data[at] != '\n' && (data[at] != ' ' || !foldsAt(data, at)) {
			at++
			i++
			continue
		}
		if !foldsAt(data, at) {
			return start, false
		}
		for at < len(data) && (data[at] == ' ' || data[at] == '\t' || data[at] == '\n' || data[at] == '\r') {
			at++
		}
		if text[i] != ' ' && text[i] != '\n' {
			return start, false
		}
		for i < len(text) && (text[i] == ' ' || text[i] == '\n') {
			i++
		}
	}
	return at, true
}

// foldsAt reports whether only white space stands between at and a line break.
func foldsAt(data []byte, at int) bool {
	for at < len(data) && (data[at] == ' ' || data[at] == '\t') {
		at++
	}
	return at < len(data) && (data[at] == '\n' || data[at] == '\r')
}

// blockEnd finds the end of a literal or folded scalar: after its last line
// that is not blank, without that line's break.
func blockEnd(data []byte, start int, text string, parentIndent int) (int, bool) {
	if start >= len(data) || (data[start] != '|' && data[start] != '>') {
		return start, false
	}
	at := start
	for at < len(data) && breakLen(data[at:]) == 0 {
		at++
	}
	header := data[start:at]
	indent := 0
	for _, c := range header[1:min(3, len(header))] {
		if c >= '1' && c <= '9' {
			indent = max(parentIndent, 0) + int(c-'0')
		}
	}
	end := at
	var body []string
	for at < len(data) {
		at += breakLen(data[at:])
		lineEnd := at
		for lineEnd < len(data) && breakLen(data[lineEnd:]) == 0 {
			lineEnd++
		}
		line := string(data[at:lineEnd])
		spaces := len(line) - len(strings.TrimLeft(line, " "))
		if spaces == len(line) {
			body = append(body, strings.Repeat(" ", max(0, spaces-indent)))
			if at = lineEnd; lineEnd >= len(data) {
				break
			}
			continue
		}
		if indent == 0 {
			if spaces <= parentIndent {
				break
			}
			indent = max(spaces, 0)
		}
		if spaces < indent || spaces <= parentIndent || (indent == 0 && (strings.HasPrefix(line, "---") || strings.HasPrefix(line, "..."))) {
			break
		}
		body = append(body, line[indent:])
		end, at = lineEnd, lineEnd
	}
	// A literal's lines must be the parser's value; a folded one's words.
	read := strings.TrimRight(strings.Join(body, "\n"), "\n ")
	want := strings.TrimRight(text, "\n ")
	if data[start] == '>' {
		return end, strings.Join(strings.Fields(read), " ") == strings.Join(strings.Fields(want), " ")
	}
	return end, read == want
}
