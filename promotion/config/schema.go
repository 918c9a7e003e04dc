package config

// The JSON Schema of the pipeline file, for editors, made from the tables in
// keys.go. What a schema cannot say (cycles, dangling names, overlaps) is left
// to Parse.

import (
	"bytes"
	"encoding/json"
	"maps"
)

// schema is one JSON Schema object (draft 2020-12).
type schema map[string]any

// schemas collects the named objects that a schema refers to.
type schemas struct{ defs map[string]any }

// Schema is the JSON Schema of the pipeline file, indented, with a final newline.
func Schema() []byte {
	g := &schemas{defs: map[string]any{}}
	root := objectSchema(g, documentFields())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://github.com/promobot/promobot/schema/promobot.schema.json"
	root["title"] = "promobot's pipeline file, " + Path
	root["$defs"] = g.defs
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		panic("the schema holds what JSON cannot say: " + err.Error()) // only maps, lists and texts are in it
	}
	return out.Bytes()
}

// defineObject puts an object's schema among the definitions once and refers to it.
func defineObject[T any](g *schemas, name, rule string, mayBeEmpty bool, fields []field[T]) schema {
	if _, done := g.defs[name]; !done {
		g.defs[name] = nil // holds the name while the fields are described
		s := objectSchema(g, fields)
		if rule != "" {
			s["description"] = rule
		}
		if mayBeEmpty {
			s["type"] = []any{"object", "null"}
		}
		g.defs[name] = s
	}
	return schema{"$ref": "#/$defs/" + name}
}

func objectSchema[T any](g *schemas, fields []field[T]) schema {
	properties := map[string]any{}
	var must []any
	for _, f := range fields {
		if f.later {
			continue
		}
		// Keywords beside $ref hold too in this draft, so the rule can stand there.
		property := schema{}
		maps.Copy(property, f.schema(g))
		property["description"] = f.rule + "."
		if f.fallback != "" && f.required == "" {
			property["description"] = f.rule + ". Default: " + f.fallback + "."
		}
		properties[f.name] = property
		if f.required != "" {
			must = append(must, f.name)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if must != nil {
		s["required"] = must
	}
	return s
}
