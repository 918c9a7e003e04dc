package edit

// JSON with byte offsets. YAML's parser would read most JSON, but not all of
// it (surrogate pairs in escapes), so JSON files have their own reader.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const maxDepth = 5000

type jsonReader struct {
	data []byte
	dec  *json.Decoder
	prev int
	// lines counts the lines up to counted, so that each byte is looked at once.
	lines, counted int
}

func parseJSON(data []byte) (*node, error) {
	r := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	n, err := r.value(0)
	if err == nil {
		if _, more := r.dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("text follows the JSON value")
		}
	}
	if err != nil {
		at := int(r.dec.InputOffset())
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = int(syntax.Offset)
		}
		return nil, &SyntaxError{Line: lineAt(data, at), Message: err.Error()}
	}
	return n, nil
}

func (r *jsonReader) line(at int) int {
	r.lines += bytes.Count(r.data[r.counted:at], []byte("\n"))
	r.counted = at
	return r.lines + 1
}

// token returns the next token with the offsets it begins and ends at.
func (r *jsonReader) token() (json.Token, int, int, error) {
	t, err := r.dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, 0, 0, err
	}
	end := int(r.dec.InputOffset())
	start := r.prev
	for start < end && bytes.IndexByte([]byte(" \t\r\n,:"), r.data[start]) >= 0 {
		start++
	}
	r.prev = end
	return t, start, end, nil
}

func (r *jsonReader) value(depth int) (*node, error) {
	t, start, end, err := r.token()
	if err != nil {
		return nil, err
	}
	return r.from(t, start, end, depth)
}

func (r *jsonReader) from(t json.Token, start, end, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	n := &node{start: start, end: end, known: true, line: r.line(start), flow: true}
	switch v := t.(type) {
	case json.Delim:
		n.kind = mappingNode
		if v == '[' {
			n.kind = sequenceNode
		}
		for r.dec.More() {
			var e entry
			if n.kind == mappingNode {
				key, at, _, err := r.token()
				if err != nil {
					return nil, err
				}
				text, ok := key.(string)
				if !ok {
					return nil, errors.New("a key is not a string")
				}
				e = entry{key: text, plainKey: true, keyStart: at}
			}
			var err error
			if e.value, err = r.value(depth + 1); err != nil {
				return nil, err
			}
			n.entries = append(n.entries, e)
		}
		var err error
		if _, _, n.end, err = r.token(); err != nil {
			return nil, err
		}
	case string:
		n.kind, n.typ, n.text, n.style = scalarNode, String, v, doubleQuoted
	case json.Number:
		n.kind, n.typ, n.text = scalarNode, Int, v.String()
		if bytes.ContainsAny([]byte(v), ".eE") {
			n.typ = Float
		}
	case bool:
		n.kind, n.typ, n.text = scalarNode, Bool, fmt.Sprint(v)
	case nil:
		n.kind, n.typ, n.text = scalarNode, Null, "null"
	}
	return n, nil
}
