package githubsim

// What GraphQL can be asked about: repositories, pull requests, queues and
// their surroundings. Node ids are those of REST.

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/promobot/promobot/internal/githubsim/graphql"
)

// graphImplements are the interfaces and unions of what can be asked about.
var graphImplements = map[string][]string{
	"User":            {"Node", "Actor", "RepositoryOwner", "UniformResourceLocatable"},
	"Organization":    {"Node", "Actor", "RepositoryOwner", "UniformResourceLocatable"},
	"Bot":             {"Node", "Actor", "UniformResourceLocatable"},
	"Repository":      {"Node", "UniformResourceLocatable"},
	"PullRequest":     {"Node", "UniformResourceLocatable", "Closable", "Labelable", "IssueOrPullRequest"},
	"Commit":          {"Node", "GitObject", "UniformResourceLocatable"},
	"Ref":             {"Node"},
	"Label":           {"Node"},
	"MergeQueue":      {"Node"},
	"MergeQueueEntry": {"Node"},
}

// commitAt is a commit of a repository.
type commitAt struct {
	r  *repository
	id string
}

// refAt is a ref of a repository.
type refAt struct {
	r    *repository
	name string
}

// queueAt is the merge queue of a branch, whether anything is in it or not.
type queueAt struct {
	r      *repository
	branch string
}

// plain is a resolver that only reads.
func plain[T any](f func(T) any) graphql.Resolve {
	return func(of any, _ graphql.Args) (any, error) { return f(of.(T)), nil }
}

func noNode(id string) error {
	return graphError("NOT_FOUND", "Could not resolve to a node with the global id of '"+id+"'")
}

// types are all resolvers, for one call.
func (g *graph) types() graphql.Types {
	t := graphql.Types{"Query": g.queries(), "Mutation": g.mutations(), "Repository": g.repositoryFields(), "PullRequest": g.pullFields()}
	g.addPayloads(t)
	g.addQueues(t)
	g.addSmall(t)
	t.AddConnection("PullRequestConnection", "PullRequestEdge")
	t.AddConnection("LabelConnection", "LabelEdge")
	t.AddConnection("MergeQueueEntryConnection", "MergeQueueEntryEdge")
	return t
}

func (g *graph) queries() map[string]graphql.Resolve {
	node := func(id string) (any, error) {
		o := g.byID(id)
		if o.Of == nil {
			return nil, noNode(id)
		}
		return o, nil
	}
	return map[string]graphql.Resolve{
		"viewer": func(any, graphql.Args) (any, error) {
			if g.c.who.installation() != nil || g.c.actor == nil {
				return nil, graphError("FORBIDDEN", "Resource not accessible by integration")
			}
			return g.account(g.c.actor), nil
		},
		"node": func(_ any, a graphql.Args) (any, error) { return node(a.Text("id")) },
		"nodes": func(_ any, a graphql.Args) (any, error) {
			out := []graphql.Object{}
			for _, id := range a.Texts("ids") {
				one, err := node(id)
				if err != nil {
					return nil, err
				}
				out = append(out, one.(graphql.Object))
			}
			return out, nil
		},
		"repository": func(_ any, a graphql.Args) (any, error) {
			r := g.s.repository(a.Text("owner"), a.Text("name"))
			if r == nil || !g.sees(r) {
				return nil, graphError("NOT_FOUND", "Could not resolve to a Repository with the name '"+a.Text("owner")+"/"+a.Text("name")+"'.")
			}
			return graphql.Object{Type: "Repository", Of: r}, nil
		},
		"rateLimit": func(any, graphql.Args) (any, error) { return graphql.Object{Type: "RateLimit"}, nil },
	}
}

// byID finds what a node id names, if the caller may see it.
func (g *graph) byID(id string) graphql.Object {
	raw, err := base64.StdEncoding.DecodeString(id)
	if err != nil || len(raw) < 4 || raw[3] != ':' {
		return graphql.Object{}
	}
	n, err := strconv.Atoi(string(raw[:3]))
	rest := string(raw[4:])
	if err != nil || n > len(rest) {
		return graphql.Object{}
	}
	kind, key := rest[:n], rest[n:]
	for _, r := range g.s.sortedRepositories() {
		if !g.sees(r) {
			continue
		}
		if kind == "Repository" && strconv.FormatInt(r.id, 10) == key {
			return graphql.Object{Type: kind, Of: r}
		}
		if kind == "PullRequest" && g.sees(r, "pull_requests:read", "contents:read") {
			for _, i := range r.issues {
				if i.pull != nil && strconv.FormatInt(i.pull.pullID, 10) == key {
					return graphql.Object{Type: kind, Of: i.pull}
				}
			}
		}
		for _, q := range r.queues {
			for _, e := range q.entries {
				if kind == "MergeQueueEntry" && strconv.FormatInt(e.id, 10) == key {
					return graphql.Object{Type: kind, Of: e}
				}
			}
		}
	}
	for _, u := range g.s.users {
		if u.kind == kind && strconv.FormatInt(u.id, 10) == key {
			return g.account(u).(graphql.Object)
		}
	}
	return graphql.Object{}
}

// account is a user, bot or organization; nil for none.
func (g *graph) account(u *user) any {
	if u == nil {
		return nil
	}
	return graphql.Object{Type: u.kind, Of: u}
}

func (g *graph) repositoryFields() map[string]graphql.Resolve {
	ref := func(r *repository, name string) any {
		for _, full := range []string{name, "refs/heads/" + name, "refs/tags/" + name} {
			if strings.HasPrefix(full, "refs/") && r.refs[full] != "" {
				return graphql.Object{Type: "Ref", Of: refAt{r, full}}
			}
		}
		return nil
	}
	return map[string]graphql.Resolve{
		"id":                  plain(func(r *repository) any { return nodeID("Repository", r.id) }),
		"databaseId":          plain(func(r *repository) any { return r.id }),
		"name":                plain(func(r *repository) any { return r.name }),
		"nameWithOwner":       plain(func(r *repository) any { return r.fullName() }),
		"owner":               plain(func(r *repository) any { return g.account(r.owner) }),
		"description":         plain(func(r *repository) any { return orNull(r.description) }),
		"url":                 plain(func(r *repository) any { return r.html(g.s, "") }),
		"isPrivate":           plain(func(r *repository) any { return r.private }),
		"isArchived":          plain(func(r *repository) any { return r.archived }),
		"isFork":              plain(func(*repository) any { return false }),
		"autoMergeAllowed":    plain(func(r *repository) any { return r.allowAutoMerge }),
		"mergeCommitAllowed":  plain(func(r *repository) any { return r.allowMerge }),
		"squashMergeAllowed":  plain(func(r *repository) any { return r.allowSquash }),
		"rebaseMergeAllowed":  plain(func(r *repository) any { return r.allowRebase }),
		"deleteBranchOnMerge": plain(func(r *repository) any { return r.deleteBranchOnMerge }),
		"createdAt":           plain(func(r *repository) any { return stamp(r.createdAt) }),
		"updatedAt":           plain(func(r *repository) any { return stamp(r.updatedAt) }),
		"pushedAt":            plain(func(r *repository) any { return stamp(r.pushedAt) }),
		"defaultBranchRef":    plain(func(r *repository) any { return ref(r, "refs/heads/"+r.defaultBranch) }),
		"ref":                 func(of any, a graphql.Args) (any, error) { return ref(of.(*repository), a.Text("qualifiedName")), nil },
		"pullRequest": func(of any, a graphql.Args) (any, error) {
			r := of.(*repository)
			n, _ := a.Number("number")
			i := r.issues[n]
			if i == nil || i.pull == nil {
				return nil, graphError("NOT_FOUND", "Could not resolve to a PullRequest with the number of "+strconv.Itoa(n)+".")
			}
			if !g.sees(r, "pull_requests:read", "contents:read") {
				return nil, graphError("FORBIDDEN", "Resource not accessible by integration")
			}
			return graphql.Object{Type: "PullRequest", Of: i.pull}, nil
		},
		"pullRequests": g.listPulls,
		"mergeQueue": func(of any, a graphql.Args) (any, error) {
			r, branch := of.(*repository), a.Text("branch")
			if branch == "" {
				branch = r.defaultBranch
			}
			return g.queue(r, branch), nil
		},
	}
}

// listPulls lists pull requests as REST's list does: with its lag.
func (g *graph) listPulls(of any, a graphql.Args) (any, error) {
	r := of.(*repository)
	if !g.sees(r, "pull_requests:read") {
		return nil, graphError("FORBIDDEN", "Resource not accessible by integration")
	}
	states, labels := a.Texts("states"), a.Texts("labels")
	var order struct{ Field, Direction string }
	if err := a.Input("orderBy", &order); err != nil {
		return nil, graphError("", err.Error())
	}
	var list []*pull
	for _, n := range slices.Sorted(maps.Keys(r.issues)) {
		now := r.issues[n].pull
		if now == nil {
			continue
		}
		p := g.s.asListed(now)
		if p == nil || len(states) > 0 && !slices.Contains(states, p.graphState()) {
			continue
		}
		if head := a.Text("headRefName"); head != "" && head != p.headRef {
			continue
		}
		if base := a.Text("baseRefName"); base != "" && base != p.baseRef {
			continue
		}
		labelled := slices.ContainsFunc(p.labels, func(l *label) bool { return slices.Contains(labels, l.name) })
		if len(labels) > 0 && !labelled {
			continue
		}
		list = append(list, p)
	}
	by := map[string]string{"UPDATED_AT": "updated", "COMMENTS": "popularity"}[order.Field]
	direction := strings.ToLower(order.Direction)
	if direction == "" {
		direction = "asc"
	}
	sortPulls(list, by, direction)
	nodes := make([]graphql.Object, len(list))
	for i, p := range list {
		nodes[i] = graphql.Object{Type: "PullRequest", Of: p}
	}
	page, err := graphql.Page(nodes, a)
	if err != nil {
		return nil, err
	}
	return graphql.Object{Type: "PullRequestConnection", Of: page}, nil
}

// addSmall adds accounts, commits, refs, labels and the rate limit.
func (g *graph) addSmall(t graphql.Types) {
	for _, kind := range []string{kindUser, kindBot, kindOrganization} {
		t[kind] = map[string]graphql.Resolve{
			"id":         plain(func(u *user) any { return nodeID(u.kind, u.id) }),
			"databaseId": plain(func(u *user) any { return u.id }),
			"login":      plain(func(u *user) any { return strings.TrimSuffix(u.login, "[bot]") }),
			"url":        plain(func(u *user) any { return g.s.userJSON(u)["html_url"] }),
			"avatarUrl":  plain(func(u *user) any { return g.s.userJSON(u)["avatar_url"] }),
			"createdAt":  plain(func(u *user) any { return stamp(u.createdAt) }),
		}
	}
	for _, kind := range []string{kindUser, kindOrganization} {
		t[kind]["name"] = plain(func(u *user) any { return orNull(u.name) })
	}
	t["Commit"] = map[string]graphql.Resolve{
		"id":      plain(func(c commitAt) any { return nodeID("Commit", c.id) }),
		"oid":     plain(func(c commitAt) any { return c.id }),
		"url":     plain(func(c commitAt) any { return c.r.html(g.s, "/commit/%s", c.id) }),
		"message": g.commitField(func(c commit) any { return strings.TrimSuffix(c.message, "\n") }),
		"messageHeadline": g.commitField(func(c commit) any {
			first, _, _ := strings.Cut(c.message, "\n")
			return first
		}),
		"committedDate": g.commitField(func(c commit) any { return stamp(c.committer.when) }),
		"authoredDate":  g.commitField(func(c commit) any { return stamp(c.author.when) }),
	}
	t["Ref"] = map[string]graphql.Resolve{
		"id": plain(func(r refAt) any { return nodeID("Ref", r.name) }),
		"name": plain(func(r refAt) any {
			return strings.TrimPrefix(strings.TrimPrefix(r.name, "refs/heads/"), "refs/tags/")
		}),
		"prefix": plain(func(r refAt) any {
			for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
				if strings.HasPrefix(r.name, prefix) {
					return prefix
				}
			}
			return "refs/"
		}),
		"target": plain(func(r refAt) any { return graphql.Object{Type: "Commit", Of: commitAt{r.r, r.r.refs[r.name]}} }),
	}
	t["Label"] = map[string]graphql.Resolve{
		"id":    plain(func(l *label) any { return nodeID("Label", l.id) }),
		"name":  plain(func(l *label) any { return l.name }),
		"color": plain(func(l *label) any { return l.color }),
	}
	quota := func(f func(limit, used int, reset time.Time) any) graphql.Resolve {
		return func(any, graphql.Args) (any, error) {
			q, limit := g.s.limits.windowOf(g.c)
			return f(limit, q.used, q.reset), nil
		}
	}
	t["RateLimit"] = map[string]graphql.Resolve{
		"cost":      quota(func(int, int, time.Time) any { return 1 }),
		"nodeCount": quota(func(int, int, time.Time) any { return 1 }),
		"limit":     quota(func(limit, _ int, _ time.Time) any { return limit }),
		"used":      quota(func(_, used int, _ time.Time) any { return used }),
		"remaining": quota(func(limit, used int, _ time.Time) any { return max(0, limit-used) }),
		"resetAt":   quota(func(_, _ int, reset time.Time) any { return stamp(reset) }),
	}
}

// commitField reads a commit's object.
func (g *graph) commitField(f func(commit) any) graphql.Resolve {
	return func(of any, _ graphql.Args) (any, error) {
		at := of.(commitAt)
		var found commit
		err := g.c.git(func() (err error) {
			found, err = at.r.store.commit(at.id)
			return err
		})
		if err != nil {
			return nil, refused(err)
		}
		return f(found), nil
	}
}
