package conform

// GraphQL: documents must be valid by GitHub's schema, variables of their types, and answers hold what was asked for, in
// its type. The schema lies beside the description; where it is absent, GraphQL passes unvalidated, and Description.GraphQL
// says so.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
)

// graphQLPaths are where the GraphQL API is: on github.com, and on GitHub Enterprise Server.
var graphQLPaths = []string{"/graphql", "/api/graphql"}

// readSchema loads the schema; nil when there is none.
func readSchema(path string) (*ast.Schema, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // absence is no error here: Description.GraphQL tells
	}
	if err != nil {
		return nil, fmt.Errorf("read GitHub's GraphQL schema: %w", err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: path, Input: string(text)})
	if err != nil {
		return nil, fmt.Errorf("read GitHub's GraphQL schema: %w", err)
	}
	return schema, nil
}

// GraphQL tells whether the schema was there, so that GraphQL is validated too.
func (d *Description) GraphQL() bool { return d.schema != nil }

// graphQLRequest is a request of GraphQL's over HTTP.
type graphQLRequest struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

// checkGraphQLRequest validates a document with its variables. The operation is nil if there is no valid one.
func (d *Description) checkGraphQLRequest(r *http.Request, body []byte) (string, *ast.OperationDefinition, []problem) {
	if r.Method != http.MethodPost {
		return "graphql", nil, []problem{{text: "GraphQL is asked by POST, not by " + r.Method}}
	}
	var in graphQLRequest
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return "graphql", nil, []problem{{where: "body", text: err.Error()}}
	}
	doc, list := gqlparser.LoadQueryWithRules(d.schema, in.Query, nil)
	if len(list) > 0 {
		return "graphql", nil, graphQLProblems("query", list)
	}
	op := doc.Operations.ForName(in.OperationName)
	if op == nil {
		return "graphql", nil, []problem{{where: "operationName", text: "names no operation of the document"}}
	}
	name := "graphql " + string(op.Operation) + " " + op.Name
	var found []problem
	for variable := range in.Variables {
		if op.VariableDefinitions.ForName(variable) == nil {
			found = append(found, problem{where: "/variables/" + variable, text: "is not a variable of the operation", undeclared: true})
		}
	}
	if _, err := validator.VariableValues(d.schema, op, in.Variables); err != nil {
		found = append(found, graphQLProblems("variables", gqlerror.List{gqlerror.Wrap(err)})...)
	}
	return name, op, found
}

func graphQLProblems(where string, list gqlerror.List) []problem {
	var out []problem
	for _, e := range list {
		at := []string{where}
		for _, l := range e.Locations {
			at = append(at, fmt.Sprintf("%d:%d", l.Line, l.Column))
		}
		out = append(out, problem{where: strings.Join(at, " "), text: e.Message})
	}
	return out
}

// checkGraphQLAnswer validates an answer of success to a valid operation.
func (d *Description) checkGraphQLAnswer(op *ast.OperationDefinition, status int, body []byte) []problem {
	if status != http.StatusOK || op == nil {
		return nil
	}
	var answer struct {
		Data   map[string]any    `json:"data"`
		Errors []json.RawMessage `json:"errors"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return []problem{{where: "body", text: err.Error()}}
	}
	if answer.Data == nil {
		if len(answer.Errors) == 0 {
			return []problem{{where: "body", text: "has neither data nor errors"}}
		}
		return nil
	}
	root := d.schema.Query
	if op.Operation == ast.Mutation {
		root = d.schema.Mutation
	}
	c := graphQLCheck{schema: d.schema}
	c.object("/data", root, op.SelectionSet, answer.Data)
	return c.found
}

// graphQLCheck walks an answer beside the document.
type graphQLCheck struct {
	schema *ast.Schema
	found  []problem
}

func (c *graphQLCheck) add(where, format string, args ...any) {
	c.found = append(c.found, problem{where: where, text: fmt.Sprintf(format, args...)})
}

// selected are the fields that a selection asks of a type, by key; optional is set for those that may be left out.
type selected struct {
	fields   []*ast.Field
	optional bool
}

func (c *graphQLCheck) collect(of *ast.Definition, set ast.SelectionSet, optional bool, into map[string]*selected) {
	skippable := func(list ast.DirectiveList) bool {
		return optional || list.ForName("skip") != nil || list.ForName("include") != nil
	}
	sure := func(condition string) bool { return condition == "" || of != nil && condition == of.Name }
	for _, one := range set {
		switch s := one.(type) {
		case *ast.Field:
			known := into[s.Alias]
			if known == nil {
				known = &selected{optional: true}
				into[s.Alias] = known
			}
			known.fields, known.optional = append(known.fields, s), known.optional && skippable(s.Directives)
		case *ast.InlineFragment:
			c.collect(of, s.SelectionSet, skippable(s.Directives) || !sure(s.TypeCondition), into)
		case *ast.FragmentSpread:
			c.collect(of, s.Definition.SelectionSet, skippable(s.Directives) || !sure(s.Definition.TypeCondition), into)
		}
	}
}

func (c *graphQLCheck) object(where string, of *ast.Definition, set ast.SelectionSet, data map[string]any) {
	asked := map[string]*selected{}
	c.collect(of, set, false, asked)
	for _, key := range slices.Sorted(maps.Keys(asked)) {
		s, at := asked[key], where+"/"+key
		value, has := data[key]
		if !has {
			if !s.optional {
				c.add(at, "was asked for, and is not there")
			}
			continue
		}
		var inner ast.SelectionSet
		for _, f := range s.fields {
			inner = append(inner, f.SelectionSet...)
		}
		if def := s.fields[0].Definition; def != nil {
			c.value(at, def.Type, inner, value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if asked[key] == nil {
			c.add(where+"/"+key, "was not asked for")
		}
	}
}

func (c *graphQLCheck) value(where string, t *ast.Type, inner ast.SelectionSet, value any) {
	if value == nil {
		if t.NonNull {
			c.add(where, "is null, its type is %s", t)
		}
		return
	}
	if t.Elem != nil {
		list, is := value.([]any)
		if !is {
			c.add(where, "is no list, its type is %s", t)
			return
		}
		for i, one := range list {
			c.value(where+"/"+strconv.Itoa(i), t.Elem, inner, one)
		}
		return
	}
	def := c.schema.Types[t.NamedType]
	switch def.Kind {
	case ast.Object, ast.Interface, ast.Union:
		data, is := value.(map[string]any)
		if !is {
			c.add(where, "is no object, its type is %s", t)
			return
		}
		c.object(where, def, inner, data)
	case ast.Enum:
		text, is := value.(string)
		if !is || def.EnumValues.ForName(text) == nil {
			c.add(where, "%v is not a value of %s", value, def.Name)
		}
	case ast.Scalar:
		if !scalarFits(def.Name, value) {
			c.add(where, "%v is not a %s", value, def.Name)
		}
	case ast.InputObject: // never in an answer
	}
}

var gitObjectID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// scalarFits tells whether a value is one of a scalar type.
func scalarFits(name string, value any) bool {
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	switch name {
	case "Int":
		_, err := strconv.ParseInt(number.String(), 10, 32)
		return isNumber && err == nil
	case "Float":
		return isNumber
	case "Boolean":
		_, is := value.(bool)
		return is
	case "BigInt":
		return isNumber || isText
	case "DateTime", "PreciseDateTime":
		_, err := time.Parse(time.RFC3339, text)
		return isText && err == nil
	case "GitObjectID":
		return isText && gitObjectID.MatchString(text)
	}
	return isText // String, ID, URI and GitHub's other scalars
}
