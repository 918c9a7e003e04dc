package conform

// Schemas against values: what the library checks, told legibly, and what it does not check: names that are not declared.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// problem is a departure within one value.
type problem struct {
	where      string
	text       string
	undeclared bool
}

// mostProblems bounds what is reported of one value: a wrong shape repeats itself in every element of a list.
const mostProblems = 8

func decode(body []byte) (any, error) {
	var value any
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if dec.More() {
		return nil, errors.New("not JSON: more than one value")
	}
	return value, nil
}

// check returns what is wrong with value under schema, at most mostProblems. Undeclared names are looked for in strict mode only.
func check(schema *openapi3.Schema, value any, strict bool, mode openapi3.SchemaValidationOption) []problem {
	var found []problem
	// The settings of the library are not concurrent-safe to share, hence a fresh list each time.
	options := []openapi3.SchemaValidationOption{
		openapi3.MultiErrors(), openapi3.EnableFormatValidation(), openapi3.DisableReadOnlyValidation(), openapi3.DisableWriteOnlyValidation(),
	}
	if mode != nil {
		options = append(options, mode)
	}
	if err := schema.VisitJSON(value, options...); err != nil {
		found = flatten(err, "", options)
	}
	if strict {
		undeclared([]*openapi3.Schema{schema}, value, "", &found)
	}
	if len(found) > mostProblems {
		more := len(found) - mostProblems
		found = append(found[:mostProblems:mostProblems], problem{text: fmt.Sprintf("and %d more", more)})
	}
	return found
}

// flatten turns the library's error into problems. Where no alternative fits, it tells the one that came nearest.
func flatten(err error, base string, options []openapi3.SchemaValidationOption) []problem {
	if multi, ok := errors.AsType[openapi3.MultiError](err); ok {
		var all []problem
		for _, one := range multi {
			all = append(all, flatten(one, base, options)...)
		}
		return all
	}
	se, ok := errors.AsType[*openapi3.SchemaError](err)
	if !ok {
		return []problem{{where: base, text: err.Error()}}
	}
	where := base + pointer(se.JSONPointer())
	if se.SchemaField == "anyOf" && se.Schema != nil {
		var nearest []problem
		for _, alternative := range se.Schema.AnyOf {
			altErr := alternative.Value.VisitJSON(se.Value, options...)
			if altErr == nil {
				continue
			}
			candidate := flatten(altErr, where, options)
			if nearest == nil || distance(candidate, where) < distance(nearest, where) {
				nearest = candidate
			}
		}
		if nearest != nil {
			return nearest
		}
	}
	if se.Origin != nil && se.Reason == "" {
		return flatten(se.Origin, base, options)
	}
	return []problem{{where: where, text: se.Reason}}
}

// distance ranks an alternative: one of another type altogether is farther than any with the right type and wrong fields.
func distance(found []problem, where string) int {
	n := len(found)
	for _, p := range found {
		if p.where == where {
			n += 1000
		}
	}
	return n
}

func pointer(segments []string) string {
	if len(segments) == 0 {
		return ""
	}
	return "/" + strings.Join(segments, "/")
}

// undeclared collects the names of value that none of the alternatives declares.
func undeclared(schemas []*openapi3.Schema, value any, where string, found *[]problem) {
	flat, open := spread(schemas)
	switch v := value.(type) {
	case map[string]any:
		declared := map[string][]*openapi3.Schema{}
		var others []*openapi3.Schema
		for _, s := range flat {
			for name, ref := range s.Properties {
				declared[name] = append(declared[name], ref.Value)
			}
			if s.AdditionalProperties.Schema != nil {
				others = append(others, s.AdditionalProperties.Schema.Value)
			}
			if s.AdditionalProperties.Has != nil && *s.AdditionalProperties.Has {
				open = true
			}
		}
		if len(declared) == 0 && len(others) == 0 {
			return // a free-form object
		}
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			child := where + "/" + name
			switch {
			case declared[name] != nil:
				undeclared(declared[name], v[name], child, found)
			case len(others) > 0:
				undeclared(others, v[name], child, found)
			case !open:
				*found = append(*found, problem{where: child, text: fmt.Sprintf("%q is not in GitHub's description", name), undeclared: true})
			}
		}
	case []any:
		var items []*openapi3.Schema
		for _, s := range flat {
			if s.Items != nil {
				items = append(items, s.Items.Value)
			}
		}
		if len(items) == 0 {
			return
		}
		for i, element := range v {
			undeclared(items, element, fmt.Sprintf("%s/%d", where, i), found)
		}
	}
}

// spread lists schemas with all their alternatives and parts; open says that one of them accepts anything.
func spread(schemas []*openapi3.Schema) (flat []*openapi3.Schema, open bool) {
	for _, s := range schemas {
		if s == nil {
			continue
		}
		var parts []*openapi3.Schema
		for _, refs := range []openapi3.SchemaRefs{s.AnyOf, s.AllOf, s.OneOf} {
			for _, ref := range refs {
				parts = append(parts, ref.Value)
			}
		}
		if len(parts) == 0 && len(s.Properties) == 0 && s.AdditionalProperties.Schema == nil && s.AdditionalProperties.Has == nil &&
			(s.Type == nil || s.Type.Is("object")) {
			open = true
		}
		inner, innerOpen := spread(parts)
		flat = append(append(flat, s), inner...)
		open = open || innerOpen
	}
	return flat, open
}
