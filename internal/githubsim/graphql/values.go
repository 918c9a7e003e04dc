package graphql

// Arguments as resolvers read them, answers with their keys in the order of
// the document, and connections.

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Args are a field's arguments: literals and variables alike.
type Args map[string]any

// Text is an argument of type String, ID or an enum; "" when absent or null.
func (a Args) Text(name string) string {
	text, _ := a[name].(string)
	return text
}

// Number is an argument of type Int; ok is false when it is absent or null.
func (a Args) Number(name string) (n int, ok bool) {
	switch v := a[name].(type) {
	case int64:
		return int(v), true
	case float64:
		return int(v), true
	case int:
		return v, true
	}
	return 0, false
}

// Texts is an argument that is a list of texts, or one in place of a list.
func (a Args) Texts(name string) []string {
	switch v := a[name].(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			if text, is := one.(string); is {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// Input decodes an argument that is an input object.
func (a Args) Input(name string, into any) error {
	data, err := json.Marshal(a[name])
	if err != nil {
		return fmt.Errorf("reading the argument %s: %w", name, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading the argument %s: %w", name, err)
	}
	return nil
}

// ordered is a JSON object that keeps the order of its keys.
type ordered struct {
	keys   []string
	values map[string]any
}

func (o *ordered) get(key string) any { return o.values[key] }

func (o *ordered) set(key string, value any) {
	if _, known := o.values[key]; !known {
		o.keys = append(o.keys, key)
	}
	if o.values == nil {
		o.values = map[string]any{}
	}
	o.values[key] = value
}

// MarshalJSON writes the object.
func (o *ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, key := range o.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, fmt.Errorf("writing a key: %w", err)
		}
		value, err := json.Marshal(o.values[key])
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", key, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Connection is one page of a list, for the fields of a connection type.
type Connection struct {
	Nodes  []Object
	Total  int
	offset int
}

// maxPage is how many nodes GitHub gives at once.
const maxPage = 100

// Page cuts the page that first, after, last and before ask for out of a list
// (GitHub: Using pagination in the GraphQL API).
func Page(all []Object, a Args) (Connection, error) {
	from, to := 0, len(all)
	if n, ok := cursor(a.Text("after")); ok {
		from = min(n+1, to)
	}
	if n, ok := cursor(a.Text("before")); ok {
		to = max(from, min(n, to))
	}
	first, hasFirst := a.Number("first")
	last, hasLast := a.Number("last")
	switch {
	case !hasFirst && !hasLast:
		return Connection{}, &Error{
			Type: "MISSING_PAGINATION_BOUNDARIES", Message: "You must provide a `first` or `last` value to properly paginate the connection.",
		}
	case first > maxPage || last > maxPage:
		return Connection{}, &Error{
			Type: "EXCESSIVE_PAGINATION", Message: fmt.Sprintf("Requesting %d records on the connection exceeds the limit of %d records.", max(first, last), maxPage),
		}
	case hasFirst:
		to = min(to, from+max(0, first))
	default:
		from = max(from, to-max(0, last))
	}
	return Connection{Nodes: all[from:to], Total: len(all), offset: from}, nil
}

func cursor(text string) (int, bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return 0, false
	}
	rest, found := strings.CutPrefix(string(raw), "cursor:v2:")
	n, err := strconv.Atoi(rest)
	return n, found && err == nil && n >= 0
}

func (c Connection) cursorAt(i int) any {
	if i < 0 || i >= len(c.Nodes) {
		return nil
	}
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "cursor:v2:%d", c.offset+i))
}

// edge is one node with its cursor.
type edge struct {
	node   Object
	cursor any
}

// AddConnection adds the resolvers of a connection type and its edge type.
func (t Types) AddConnection(connection, edgeType string) {
	t[connection] = map[string]Resolve{
		"totalCount": func(of any, _ Args) (any, error) { return of.(Connection).Total, nil },
		"nodes":      func(of any, _ Args) (any, error) { return of.(Connection).Nodes, nil },
		"pageInfo":   func(of any, _ Args) (any, error) { return Object{"PageInfo", of}, nil },
		"edges": func(of any, _ Args) (any, error) {
			c := of.(Connection)
			out := make([]Object, len(c.Nodes))
			for i, n := range c.Nodes {
				out[i] = Object{edgeType, edge{n, c.cursorAt(i)}}
			}
			return out, nil
		},
	}
	t[edgeType] = map[string]Resolve{
		"node":   func(of any, _ Args) (any, error) { return of.(edge).node, nil },
		"cursor": func(of any, _ Args) (any, error) { return of.(edge).cursor, nil },
	}
	t["PageInfo"] = map[string]Resolve{
		"startCursor": func(of any, _ Args) (any, error) { return of.(Connection).cursorAt(0), nil },
		"endCursor": func(of any, _ Args) (any, error) {
			c := of.(Connection)
			return c.cursorAt(len(c.Nodes) - 1), nil
		},
		"hasNextPage": func(of any, _ Args) (any, error) {
			c := of.(Connection)
			return c.offset+len(c.Nodes) < c.Total, nil
		},
		"hasPreviousPage": func(of any, _ Args) (any, error) { return of.(Connection).offset > 0, nil },
	}
}
