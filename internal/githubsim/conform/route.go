package conform

// A router of its own: GitHub's paths conflict by the rules of OpenAPI, so the library's routers refuse the document.
// A literal segment wins over a parameter, segment by segment from the left, and parameters marked x-multi-segment
// (a ref, a path) take one segment or more.

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

type route struct {
	template string
	item     *openapi3.PathItem
	pattern  *regexp.Regexp
	names    []string
	rank     string
}

var parameterPattern = regexp.MustCompile(`\{([^}]+)\}`)

func newRoute(template string, item *openapi3.PathItem) route {
	multi := map[string]bool{}
	for _, op := range item.Operations() {
		for _, p := range op.Parameters {
			if p.Value.In != openapi3.ParameterInPath {
				continue
			}
			if yes, ok := p.Value.Extensions["x-multi-segment"].(bool); ok && yes {
				multi[p.Value.Name] = true
			}
		}
	}
	r := route{template: template, item: item}
	var pattern, rank strings.Builder
	pattern.WriteString("^")
	for segment := range strings.SplitSeq(strings.TrimPrefix(template, "/"), "/") {
		if segment == "{path}" && multi["path"] { // the root of the contents has no path
			r.names = append(r.names, "path")
			pattern.WriteString("(?:/(.*))?")
			rank.WriteByte('2')
			continue
		}
		pattern.WriteString("/")
		rest := segment
		kind := byte('0') // a literal
		for rest != "" {
			at := parameterPattern.FindStringSubmatchIndex(rest)
			if at == nil {
				pattern.WriteString(regexp.QuoteMeta(rest))
				break
			}
			pattern.WriteString(regexp.QuoteMeta(rest[:at[0]]))
			name := rest[at[2]:at[3]]
			r.names = append(r.names, name)
			if multi[name] {
				kind = max(kind, '2')
				pattern.WriteString("(.+)")
			} else {
				kind = max(kind, '1')
				pattern.WriteString("([^/]+)")
			}
			rest = rest[at[1]:]
		}
		rank.WriteByte(kind)
	}
	pattern.WriteString("$")
	r.pattern = regexp.MustCompile(pattern.String())
	// Past its end a path ranks as a parameter, so that "…/commits/{ref}/status" is tried before "…/commits/{ref}".
	r.rank = rank.String() + "3"
	return r
}

func sortRoutes(routes []route) {
	slices.SortFunc(routes, func(a, b route) int {
		if c := strings.Compare(a.rank, b.rank); c != 0 {
			return c
		}
		return strings.Compare(a.template, b.template)
	})
}

// byID is the form of a repository's paths that GitHub redirects to after a repository was renamed.
var byID = regexp.MustCompile(`^/repositories/[0-9]+(/.*)?$`)

// match finds the operation of a method and an escaped path (below the API's root), with the path's parameters unescaped.
// The template is empty when no path fits; the operation is nil when the path has no such method.
func (d *Description) match(method, path string) (template string, op *openapi3.Operation, params map[string]string) {
	if tail := byID.FindStringSubmatch(path); tail != nil {
		path = "/repos/-/-" + tail[1]
	}
	for i := range d.routes {
		r := &d.routes[i]
		found := r.pattern.FindStringSubmatch(path)
		if found == nil {
			continue
		}
		candidate := r.item.GetOperation(method)
		if candidate == nil {
			if template == "" {
				template = r.template
			}
			continue
		}
		params = map[string]string{}
		for j, name := range r.names {
			value, err := url.PathUnescape(found[j+1])
			if err != nil {
				value = found[j+1]
			}
			params[name] = value
		}
		return r.template, candidate, params
	}
	return template, nil, nil
}
