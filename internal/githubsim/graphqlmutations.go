package githubsim

// What GraphQL can change: auto-merge and the merge queue, which REST cannot.

import (
	"strings"

	"github.com/promobot/promobot/internal/githubsim/graphql"
)

// mutationInput are the inputs of all mutations.
type mutationInput struct {
	ClientMutationID *string `json:"clientMutationId"`
	PullRequestID    string  `json:"pullRequestId"`
	ID               string  `json:"id"`
	ExpectedHead     string  `json:"expectedHeadOid"`
	Method           string  `json:"mergeMethod"`
	Headline         *string `json:"commitHeadline"`
	Body             *string `json:"commitBody"`
	Jump             bool    `json:"jump"`
}

// payload is what a mutation answers.
type payload struct {
	pull     *pull
	entry    *queueEntry
	clientID *string
}

// mutation makes a resolver: it finds the pull request, looks whether the
// caller may, and answers with the payload type.
func (g *graph) mutation(payloadType string, do func(*pull, mutationInput) (payload, error)) graphql.Resolve {
	return func(_ any, args graphql.Args) (any, error) {
		var in mutationInput
		if err := args.Input("input", &in); err != nil {
			return nil, graphError("", err.Error())
		}
		id := in.PullRequestID
		if id == "" {
			id = in.ID
		}
		p := g.pullByID(id)
		if p == nil || !g.sees(p.repo, "pull_requests:read", "contents:read") {
			return nil, noNode(id)
		}
		if err := g.may(p.repo, "pull_requests:write", "contents:write"); err != nil {
			return nil, err
		}
		g.c.repo = p.repo
		if in.ExpectedHead != "" && in.ExpectedHead != p.headSHA {
			return nil, graphError("UNPROCESSABLE", "Expected head oid "+in.ExpectedHead+" does not match the head ref oid of the pull request")
		}
		out, err := do(p, in)
		if err != nil {
			return nil, refused(err)
		}
		out.pull, out.clientID = p, in.ClientMutationID
		return graphql.Object{Type: payloadType, Of: out}, nil
	}
}

// pullByID finds a pull request by its node id or that of its queue entry.
func (g *graph) pullByID(id string) *pull {
	switch of := g.byID(id).Of.(type) {
	case *pull:
		return of
	case *queueEntry:
		return of.p
	}
	return nil
}

func (g *graph) mutations() map[string]graphql.Resolve {
	return map[string]graphql.Resolve{
		"enablePullRequestAutoMerge": g.mutation("EnablePullRequestAutoMergePayload", func(p *pull, in mutationInput) (payload, error) {
			method := strings.ToLower(in.Method)
			if method == "" {
				method = "merge"
			}
			return payload{}, g.s.enableAuto(g.c, p, &autoMerge{
				method: method, title: in.Headline, body: in.Body, by: g.c.actor, who: g.c.who, at: g.s.now(),
			})
		}),
		"disablePullRequestAutoMerge": g.mutation("DisablePullRequestAutoMergePayload", func(p *pull, _ mutationInput) (payload, error) {
			if p.auto == nil {
				return payload{}, unprocessable("Can't disable auto-merge for this pull request")
			}
			g.s.disableAuto(p, g.c.actor, "Auto-merge was disabled by "+g.c.actor.login)
			return payload{}, nil
		}),
		"enqueuePullRequest": g.mutation("EnqueuePullRequestPayload", func(p *pull, in mutationInput) (payload, error) {
			err := g.s.joinQueue(g.c, p, in.Jump)
			return payload{entry: g.s.entryOf(p)}, err
		}),
		"dequeuePullRequest": g.mutation("DequeuePullRequestPayload", func(p *pull, _ mutationInput) (payload, error) {
			e := g.s.entryOf(p)
			if e == nil {
				return payload{}, unprocessable("Pull request is not in the merge queue")
			}
			g.s.leaveQueue(p, "MANUAL", g.c.actor)
			return payload{entry: e}, nil
		}),
	}
}

// addPayloads adds what mutations answer.
func (g *graph) addPayloads(t graphql.Types) {
	clientID := func(of any, _ graphql.Args) (any, error) { return of.(payload).clientID, nil }
	pullOf := func(of any, _ graphql.Args) (any, error) {
		return graphql.Object{Type: "PullRequest", Of: of.(payload).pull}, nil
	}
	actor := func(any, graphql.Args) (any, error) { return g.account(g.c.actor), nil }
	entry := func(of any, _ graphql.Args) (any, error) {
		if e := of.(payload).entry; e != nil {
			return graphql.Object{Type: "MergeQueueEntry", Of: e}, nil
		}
		return nil, nil
	}
	for _, name := range []string{"EnablePullRequestAutoMergePayload", "DisablePullRequestAutoMergePayload"} {
		t[name] = map[string]graphql.Resolve{"clientMutationId": clientID, "pullRequest": pullOf, "actor": actor}
	}
	for _, name := range []string{"EnqueuePullRequestPayload", "DequeuePullRequestPayload"} {
		t[name] = map[string]graphql.Resolve{"clientMutationId": clientID, "mergeQueueEntry": entry}
	}
}
