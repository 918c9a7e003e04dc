package githubsim

import (
	"maps"
	"slices"
	"strings"
)

// Operations are the REST operations that the simulator answers, as method
// and path template, sorted.
func (s *Server) Operations() []string {
	found := map[string]bool{}
	var walk func(*routeNode)
	walk = func(n *routeNode) {
		for method, rt := range n.byVerb {
			found[method+" "+templateOf(rt)] = true
		}
		for _, next := range n.literal {
			walk(next)
		}
		for _, next := range []*routeNode{n.param, n.span} {
			if next != nil {
				walk(next)
			}
		}
	}
	walk(&s.routes.root)
	return slices.Sorted(maps.Keys(found))
}

// templateOf is a route's path as GitHub's description writes it.
func templateOf(rt *route) string { return strings.ReplaceAll(rt.pattern, "...}", "}") }
