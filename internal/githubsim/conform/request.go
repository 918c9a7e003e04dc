package conform

// Requests: the path and method must be described, every query parameter and body property declared, and every value of its type.

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// checkRequest validates a request whose body has been read. The operation is nil if the request is not described.
func (d *Description) checkRequest(r *http.Request, path string, body []byte) (template string, op *openapi3.Operation, found []problem) {
	template, op, params := d.match(r.Method, path)
	if op == nil {
		text := "GitHub describes no such path"
		if template != "" {
			text = "GitHub describes no " + r.Method + " of this path"
		}
		return template, nil, []problem{{text: text}}
	}
	found = checkParameters(op, params, r.URL.Query())
	found = append(found, checkBody(op, r.Header.Get("Content-Type"), body)...)
	return template, op, found
}

func checkParameters(op *openapi3.Operation, path map[string]string, query url.Values) []problem {
	var found []problem
	declared := map[string]bool{}
	for _, ref := range op.Parameters {
		p := ref.Value
		switch p.In {
		case openapi3.ParameterInPath:
			if value, ok := path[p.Name]; ok && p.Schema != nil {
				found = append(found, checkText("path parameter "+p.Name, p.Schema.Value, value)...)
			}
		case openapi3.ParameterInQuery:
			declared[p.Name] = true
			values := query[p.Name]
			switch {
			case len(values) == 0 && p.Required:
				found = append(found, problem{where: "query parameter " + p.Name, text: "is required"})
			case len(values) > 1:
				found = append(found, problem{where: "query parameter " + p.Name, text: "is given more than once"})
			case len(values) == 1 && p.Schema != nil && p.Name == "created":
				for _, one := range searchedTimes(values[0]) {
					found = append(found, checkText("query parameter "+p.Name, p.Schema.Value, one)...)
				}
			case len(values) == 1 && p.Schema != nil:
				found = append(found, checkText("query parameter "+p.Name, p.Schema.Value, values[0])...)
			}
		}
	}
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !declared[name] {
			found = append(found, problem{where: "query parameter " + name, text: fmt.Sprintf("%q is not in GitHub's description", name), undeclared: true})
		}
	}
	return found
}

// searchedTimes are the times in a value of the parameter created. GitHub's schema
// calls it a date-time, and its words a range in the search syntax, with
// comparisons, A..B, * and dates ("List workflow runs for a repository").
func searchedTimes(text string) []string {
	var out []string
	for one := range strings.SplitSeq(strings.TrimLeft(text, "<>="), "..") {
		if _, err := time.Parse(time.DateOnly, one); one != "*" && err != nil {
			out = append(out, one)
		}
	}
	return out
}

// checkText validates a parameter: its text is read as any of the types that its schema allows.
func checkText(where string, schema *openapi3.Schema, text string) []problem {
	readings := []any{text}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		readings = append(readings, n)
	}
	if b, err := strconv.ParseBool(text); err == nil && len(text) > 1 {
		readings = append(readings, b)
	}
	var first []problem
	for _, reading := range readings {
		found := check(schema, reading, false, openapi3.VisitAsRequest())
		if len(found) == 0 {
			return nil
		}
		if first == nil {
			first = found
		}
	}
	return []problem{{where: where, text: fmt.Sprintf("%q: %s", text, first[0].text)}}
}

// checkBody validates a request's body. A body of null counts as empty: ghinstallation sends it.
func checkBody(op *openapi3.Operation, contentType string, body []byte) []problem {
	body = bytes.TrimSpace(body)
	if bytes.Equal(body, []byte("null")) {
		body = nil
	}
	if op.RequestBody == nil || op.RequestBody.Value == nil {
		// Some clients send an empty object where nothing is taken; that is harmless, anything in it is not.
		if len(body) == 0 || bytes.Equal(body, []byte("{}")) {
			return nil
		}
		return []problem{{where: "body", text: "GitHub describes no body for this request", undeclared: true}}
	}
	described := op.RequestBody.Value
	if len(body) == 0 {
		if described.Required {
			return []problem{{where: "body", text: "is required"}}
		}
		return nil
	}
	media := described.Content["application/json"]
	if media == nil || media.Schema == nil {
		return nil
	}
	if contentType != "" && !strings.HasPrefix(contentType, "application/json") {
		return []problem{{where: "Content-Type", text: fmt.Sprintf("is %q, GitHub describes application/json", contentType)}}
	}
	value, err := decode(body)
	if err != nil {
		return []problem{{where: "body", text: err.Error()}}
	}
	found := check(media.Schema.Value, value, true, openapi3.VisitAsRequest())
	if op.OperationID == "checks/create" || op.OperationID == "checks/update" {
		found = append(found, completedNeedsConclusion(value)...)
	}
	return found
}

// completedNeedsConclusion is a rule that GitHub states in prose only (docs: REST API endpoints for check runs).
func completedNeedsConclusion(value any) []problem {
	run, ok := value.(map[string]any)
	if !ok || run["status"] != "completed" {
		return nil
	}
	if conclusion, _ := run["conclusion"].(string); conclusion == "" {
		return []problem{{where: "/conclusion", text: "a check run with status completed needs a conclusion"}}
	}
	return nil
}
