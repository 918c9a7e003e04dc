package github

// What is told of each request, for metrics: few distinct routes, no names, no
// ids, nothing of a person.

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Observation is one request that left the process.
type Observation struct {
	// Method and Route say what it was: "GET", "/repos/{owner}/{repo}/pulls".
	Method, Route string
	// Status is that of the answer; 0 when there was none.
	Status int
	// NotModified says that the answer was 304, which costs no quota.
	NotModified bool
	// Duration is from sending to the answer's headers.
	Duration time.Duration
	// Remaining is what is left of the hour's quota of REST; -1 when not told.
	Remaining int
	// Limit is how many the hour has, and Reset when it ends; zero where Remaining
	// is not told.
	Limit int
	Reset time.Time
}

type observer struct {
	next http.RoundTripper
	base string // path of the API's base URL, with its last slash
	// graphQL is the path of the GraphQL API.
	graphQL string
	now     func() time.Time
	tell    func(Observation)
}

func (o *observer) RoundTrip(req *http.Request) (*http.Response, error) {
	start := o.now()
	resp, err := o.next.RoundTrip(req)
	route := "/graphql"
	if req.URL.Path != o.graphQL {
		route = routeOf(strings.TrimPrefix(req.URL.Path, strings.TrimSuffix(o.base, "/")))
	}
	seen := Observation{
		Method: req.Method, Route: route,
		Duration: o.now().Sub(start), Remaining: -1,
	}
	if err == nil {
		seen.Status = resp.StatusCode
		seen.NotModified = resp.StatusCode == http.StatusNotModified
		// GraphQL and some endpoints have quotas of their own.
		own := resp.Header.Get("X-RateLimit-Resource")
		if n, bad := strconv.Atoi(resp.Header.Get("X-RateLimit-Remaining")); bad == nil && (own == "" || own == "core") {
			seen.Remaining = n
			if limit, bad := strconv.Atoi(resp.Header.Get("X-RateLimit-Limit")); bad == nil {
				seen.Limit = limit
			}
			if at, bad := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); bad == nil {
				seen.Reset = time.Unix(at, 0)
			}
		}
	}
	o.tell(seen)
	return resp, err
}

var (
	number = regexp.MustCompile(`^[0-9]+$`)
	commit = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
)

// named is what follows a segment and has a name of its own.
var named = map[string]string{
	"orgs": "{org}", "teams": "{team}", "memberships": "{username}", "collaborators": "{username}", "workflows": "{workflow}",
}

// routeOf is the path's template.
func routeOf(path string) string {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if segments[0] == "repos" && len(segments) > 2 {
		segments[1], segments[2] = "{owner}", "{repo}"
	}
	for i, s := range segments {
		switch {
		case s == "contents" && i == 3:
			return "/" + strings.Join(append(segments[:i+1:i+1], "{path}"), "/")
		case i == 4 && segments[3] == "branches", i == 5 && segments[3] == "rules", i == 5 && segments[4] == "matching-refs":
			return "/" + strings.Join(append(segments[:i:i], "{ref}"), "/") // a name may have several segments
		case commit.MatchString(s):
			segments[i] = "{commit}"
		case number.MatchString(s):
			segments[i] = "{number}"
		case i > 0 && named[segments[i-1]] != "":
			segments[i] = named[segments[i-1]]
		}
	}
	return "/" + strings.Join(segments, "/")
}
