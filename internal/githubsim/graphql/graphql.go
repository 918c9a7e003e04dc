// Package graphql carries out GraphQL documents over resolvers, as a server of
// a schema that it need not have.
//
// Rules:
//   - A resolver exists per field of an object type; what has none is answered
//     with an error that says so, never with null.
//   - Fields, aliases, arguments, variables with their defaults, fragments,
//     @skip and @include are carried out; introspection is not.
//   - An error makes its field null and stands in the list with its path
//     (GraphQL specification, Handling Execution Errors). A field whose type
//     does not allow null has no resolver that fails.
//   - Nothing here validates: whoever has the schema does that.
package graphql

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// Resolve answers one field of an object: with a scalar (anything that
// encoding/json writes), an Object, a []Object, or nil.
type Resolve func(of any, args Args) (any, error)

// Types are the resolvers by object type and field.
type Types map[string]map[string]Resolve

// Schema is what can be asked.
type Schema struct {
	Types Types
	// Implements are the interfaces and unions that an object type belongs to.
	Implements map[string][]string
}

// Object is a value of an object type, whose fields may be asked for.
type Object struct {
	Type string
	Of   any
}

// Request is what a client sends.
type Request struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

// Error is one error of an answer.
type Error struct {
	Type       string         `json:"type,omitempty"` // NOT_FOUND, FORBIDDEN, UNPROCESSABLE, …
	Path       []any          `json:"path,omitempty"`
	Extensions map[string]any `json:"extensions,omitempty"`
	Locations  []Location     `json:"locations,omitempty"`
	Message    string         `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Location is a place in a document.
type Location struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Answer is what a client gets. Data is absent when nothing was carried out.
type Answer struct {
	Data   json.Marshaler `json:"data,omitempty"`
	Errors []*Error       `json:"errors,omitempty"`
}

// Operation is one operation of a document.
type Operation struct {
	*ast.OperationDefinition
	doc       *ast.QueryDocument
	variables map[string]any
}

// Parse reads a request's document and picks the operation it names. The
// refusal, if any, is as GitHub answers it.
func Parse(r Request) (*Operation, *Error) {
	doc, err := parser.ParseQuery(&ast.Source{Input: r.Query})
	if err != nil {
		out := &Error{Message: err.Error(), Extensions: map[string]any{"code": "parseError"}}
		if parsed, ok := errors.AsType[*gqlerror.Error](err); ok {
			out.Message = "Parse error on " + parsed.Message
			for _, at := range parsed.Locations {
				out.Locations = append(out.Locations, Location{at.Line, at.Column})
			}
		}
		return nil, out
	}
	op := doc.Operations.ForName(r.OperationName)
	switch {
	case len(doc.Operations) == 0:
		return nil, &Error{Message: "A query attribute must be specified and must be a string."}
	case op == nil && r.OperationName == "":
		return nil, &Error{Message: "An operation name is required"}
	case op == nil:
		return nil, &Error{Message: fmt.Sprintf("No operation named %q", r.OperationName)}
	}
	variables := map[string]any{}
	for _, v := range op.VariableDefinitions {
		given, has := r.Variables[v.Variable]
		switch {
		case has && (given != nil || !v.Type.NonNull):
			variables[v.Variable] = given
		case !has && v.DefaultValue != nil:
			value, err := v.DefaultValue.Value(nil)
			if err != nil {
				return nil, &Error{Message: err.Error()}
			}
			variables[v.Variable] = value
		case v.Type.NonNull:
			return nil, &Error{
				Message:    fmt.Sprintf("Variable $%s of type %s was provided invalid value", v.Variable, v.Type),
				Extensions: map[string]any{"value": nil, "problems": []any{map[string]any{"path": []any{}, "explanation": "Expected value to not be null"}}},
			}
		}
	}
	return &Operation{OperationDefinition: op, doc: doc, variables: variables}, nil
}

// Title is the operation in one word or two, as "mutation Enqueue".
func (o *Operation) Title() string {
	if o.Name == "" {
		return string(o.Operation)
	}
	return string(o.Operation) + " " + o.Name
}

// IsMutation tells whether the operation writes.
func (o *Operation) IsMutation() bool { return o.Operation == ast.Mutation }

// Do carries an operation out. Fields are resolved in order, one at a time.
func (s Schema) Do(o *Operation) Answer {
	x := &execution{schema: s, op: o}
	root := Object{Type: "Query"}
	switch o.Operation {
	case ast.Mutation:
		root.Type = "Mutation"
	case ast.Subscription:
		return Answer{Errors: []*Error{{Message: "Schema is not configured for subscriptions"}}}
	case ast.Query:
	}
	data := x.object(root, o.SelectionSet, nil)
	return Answer{Data: data, Errors: x.errors}
}

// execution is one operation being carried out.
type execution struct {
	schema Schema
	op     *Operation
	errors []*Error
}

// object resolves a selection on an object.
func (x *execution) object(of Object, set ast.SelectionSet, path []any) *ordered {
	out := &ordered{}
	x.collect(of, set, path, out)
	return out
}

func (x *execution) collect(of Object, set ast.SelectionSet, path []any, out *ordered) {
	for _, selection := range set {
		switch one := selection.(type) {
		case *ast.Field:
			if x.wanted(one.Directives) {
				x.field(of, one, append(slices.Clip(path), one.Alias), out)
			}
		case *ast.InlineFragment:
			if x.wanted(one.Directives) && x.is(of, one.TypeCondition) {
				x.collect(of, one.SelectionSet, path, out)
			}
		case *ast.FragmentSpread:
			f := x.op.doc.Fragments.ForName(one.Name)
			if f == nil {
				x.fail(path, &Error{Message: "Fragment " + one.Name + " was used, but not defined"})
				continue
			}
			if x.wanted(one.Directives) && x.is(of, f.TypeCondition) {
				x.collect(of, f.SelectionSet, path, out)
			}
		}
	}
}

// is tells whether an object is of a type, interface or union.
func (x *execution) is(of Object, name string) bool {
	return name == "" || name == of.Type || slices.Contains(x.schema.Implements[of.Type], name)
}

// wanted carries out @skip and @include.
func (x *execution) wanted(list ast.DirectiveList) bool {
	for _, d := range list {
		arg := d.Arguments.ForName("if")
		if arg == nil {
			continue
		}
		value, err := arg.Value.Value(x.op.variables)
		on, _ := value.(bool)
		if err == nil && (d.Name == "skip" && on || d.Name == "include" && !on) {
			return false
		}
	}
	return true
}

func (x *execution) field(of Object, f *ast.Field, path []any, out *ordered) {
	if f.Name == "__typename" {
		out.set(f.Alias, of.Type)
		return
	}
	resolve := x.schema.Types[of.Type][f.Name]
	if resolve == nil {
		x.fail(path, &Error{
			Message:    fmt.Sprintf("Field '%s' of type '%s' is not known to this server", f.Name, of.Type),
			Extensions: map[string]any{"code": "undefinedField", "typeName": of.Type, "fieldName": f.Name},
			Locations:  locate(f.Position),
		})
		out.set(f.Alias, nil)
		return
	}
	args := Args{}
	for _, a := range f.Arguments {
		value, err := a.Value.Value(x.op.variables)
		if err != nil {
			x.fail(path, &Error{Message: err.Error()})
			out.set(f.Alias, nil)
			return
		}
		args[a.Name] = value
	}
	value, err := resolve(of.Of, args)
	if err != nil {
		failed, ok := errors.AsType[*Error](err)
		if !ok {
			failed = &Error{Message: err.Error()}
		}
		shown := *failed
		shown.Locations = locate(f.Position)
		x.fail(path, &shown)
		out.set(f.Alias, nil)
		return
	}
	switch v := value.(type) {
	case Object:
		// The same key asked for twice gets both selections.
		if known, ok := out.get(f.Alias).(*ordered); ok {
			x.collect(v, f.SelectionSet, path, known)
			return
		}
		out.set(f.Alias, x.object(v, f.SelectionSet, path))
	case []Object:
		list := make([]any, len(v))
		for i, one := range v {
			list[i] = x.object(one, f.SelectionSet, append(slices.Clip(path), i))
		}
		out.set(f.Alias, list)
	default:
		out.set(f.Alias, v)
	}
}

func (x *execution) fail(path []any, e *Error) {
	e.Path = path
	x.errors = append(x.errors, e)
}

func locate(at *ast.Position) []Location {
	if at == nil {
		return nil
	}
	return []Location{{at.Line, at.Column}}
}
