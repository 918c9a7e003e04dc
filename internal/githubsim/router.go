package githubsim

// A router by path segments. net/http's own refuses GitHub's paths, because
// parameters in the middle of a path ({ref}, {branch}) may span several
// segments. Literal segments win over parameters, short spans over long ones.

import (
	"net/url"
	"slices"
	"strings"
)

// route is one operation.
type route struct {
	method  string
	pattern string // as in GitHub's description: /repos/{owner}/{repo}/git/ref/{ref}
	need    need
	handler handler
}

// router is a tree of path segments.
type router struct {
	root routeNode
}

type routeNode struct {
	literal map[string]*routeNode
	param   *routeNode // one segment
	span    *routeNode // one or more segments
	byVerb  map[string]*route
	names   map[string][]string
}

// add puts a route into the tree. A parameter written {name...} spans one or
// more segments.
func (r *router) add(rt *route) {
	node := &r.root
	var names []string
	for seg := range strings.SplitSeq(strings.Trim(rt.pattern, "/"), "/") {
		switch {
		case strings.HasPrefix(seg, "{") && strings.HasSuffix(seg, "...}"):
			names = append(names, seg[1:len(seg)-4])
			if node.span == nil {
				node.span = &routeNode{}
			}
			node = node.span
		case strings.HasPrefix(seg, "{"):
			names = append(names, seg[1:len(seg)-1])
			if node.param == nil {
				node.param = &routeNode{}
			}
			node = node.param
		default:
			if node.literal == nil {
				node.literal = map[string]*routeNode{}
			}
			if node.literal[seg] == nil {
				node.literal[seg] = &routeNode{}
			}
			node = node.literal[seg]
		}
	}
	if node.byVerb == nil {
		node.byVerb, node.names = map[string]*route{}, map[string][]string{}
	}
	if node.byVerb[rt.method] != nil {
		panic("two routes for " + rt.method + " " + rt.pattern)
	}
	node.byVerb[rt.method], node.names[rt.method] = rt, names
}

// match finds the route for a method and an escaped path. Parameters come
// back unescaped. HEAD is answered by GET's route.
func (r *router) match(method, escapedPath string) (*route, map[string]string) {
	if method == "HEAD" {
		method = "GET"
	}
	var segments []string
	for seg := range strings.SplitSeq(strings.Trim(escapedPath, "/"), "/") {
		plain, err := url.PathUnescape(seg)
		if err != nil {
			return nil, nil
		}
		segments = append(segments, plain)
	}
	rt, names, values := r.root.find(method, segments, nil)
	if rt == nil {
		return nil, nil
	}
	params := make(map[string]string, len(names))
	for i, name := range names {
		params[name] = values[i]
	}
	return rt, params
}

func (n *routeNode) find(method string, rest, values []string) (*route, []string, []string) {
	if len(rest) == 0 {
		if rt := n.byVerb[method]; rt != nil {
			return rt, n.names[method], values
		}
		return nil, nil, nil
	}
	if next := n.literal[rest[0]]; next != nil {
		if rt, names, vals := next.find(method, rest[1:], values); rt != nil {
			return rt, names, vals
		}
	}
	values = slices.Clip(values)
	if n.param != nil && rest[0] != "" {
		if rt, names, vals := n.param.find(method, rest[1:], append(values, rest[0])); rt != nil {
			return rt, names, vals
		}
	}
	if n.span != nil {
		for i := 1; i <= len(rest); i++ {
			span := strings.Join(rest[:i], "/")
			if rt, names, vals := n.span.find(method, rest[i:], append(values, span)); rt != nil {
				return rt, names, vals
			}
		}
	}
	return nil, nil, nil
}
