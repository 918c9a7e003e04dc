package promotion

// Merging: every gate, open or shut, and then by whom. promobot merges only
// what the branch's rules let anyone merge: they are read and evaluated, since
// a token that bypasses them would never be refused.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// gate decides whether the pull request may be merged, and says what it waits
// for. Every gate is listed, open or shut.
func gate(s *Snapshot, o *Observed, p state.Promotion) Decision {
	gates, shut := ownGates(s, o, Landing{Commit: p.Landing, Revision: p.Revision, Origin: p.Origin}, p.From, &p)
	d := Decision{Standing: Proposed, Gates: gates}
	switch {
	case o.Config.Mode < config.Auto:
		d.Reason = fmt.Sprintf("#%d waits for a person to merge it", p.PullRequest)
	case shut != nil:
		d.Reason = fmt.Sprintf("#%d: %s", p.PullRequest, shut.Text)
		if shut.Waits {
			d.Standing = Waiting
		}
	default:
		return merging(s, o, p, gates)
	}
	if back := takeBack(o, p); back != nil {
		d.Action = back
	}
	return d
}

// takeBack is how a merge that was left to GitHub is taken back; nil when none was.
func takeBack(o *Observed, p state.Promotion) Action {
	switch {
	case o.View != nil && o.View.Queued:
		return TakeBack{Promotion: p, Queue: true}
	case o.Pull != nil && o.Pull.AutoMerge && o.Config.Merge == config.MergeByGitHub:
		return TakeBack{Promotion: p}
	}
	return nil
}

// merging decides who merges a pull request whose own gates are all open.
func merging(s *Snapshot, o *Observed, p state.Promotion, gates []Gate) Decision {
	waits := func(g Gate) Decision { return Decision{Standing: Waiting, Reason: g.Text, Gates: append(gates, g)} }
	method, g := method(s, o)
	if !g.Passed {
		return waits(g)
	}
	switch o.Config.Merge {
	case config.MergeByGitHub:
		if o.Pull.AutoMerge {
			return waits(Gate{Name: "auto-merge", Text: "GitHub merges it by itself as soon as the rules of " + s.Base(o) + " are met"})
		}
		d := waits(Gate{Name: "auto-merge", Text: "it is being left to GitHub's auto-merge"})
		d.Action = HandOver{Promotion: p, Method: method}
		return d
	case config.MergeByQueue:
		switch {
		case o.View == nil:
			return waits(Gate{Name: "queue", Text: "whether it stands in the merge queue is being read", Needs: []Need{NeedView}})
		case o.View.Queued:
			return waits(Gate{Name: "queue", Text: "it stands in the merge queue of " + s.Base(o)})
		}
	case config.MergeByPromobot:
	}
	for _, judge := range []func(*Snapshot, *Observed, string) (Gate, bool){rulesGate, checksGate, reviewGate} {
		if g, asked := judge(s, o, method); asked {
			if gates = append(gates, g); !g.Passed {
				return Decision{Standing: Waiting, Reason: g.Text, Gates: gates}
			}
		}
	}
	if s.Rules[s.Base(o)].Strict && p.Base != s.ChainOf(o).Tip() && o.Config.Merge != config.MergeByQueue {
		np := p
		np.Rebuild++
		np.Expected = o.Content.Expected
		return move(s, o, p, np, nil, "the rules of "+s.Base(o)+" ask for a branch that is up to date")
	}
	if o.Config.Merge == config.MergeByQueue {
		d := waits(Gate{Name: "queue", Text: "it is being put into the merge queue of " + s.Base(o)})
		d.Action = HandOver{Promotion: p, Method: method, Queue: true}
		return d
	}
	g, again := githubGate(o)
	gates = append(gates, g)
	if g.Passed {
		return Decision{Standing: Merging, Reason: "all gates are open", Gates: gates, Action: Merge{p, method}}
	}
	d := Decision{Standing: Waiting, Reason: g.Text, Gates: gates}
	if again {
		// GitHub mostly knows within seconds; if it does not, ask less and less often.
		d.Until = s.Now.Add(min(max(retryMergeable, s.Now.Sub(p.Claimed)/4), 2*time.Minute))
	}
	return d
}

// method is the merge method that pipeline file, repository and rules leave:
// the file's, else the first that keeps most of the promotion's commit and its
// trailers in history.
func method(s *Snapshot, o *Observed) (string, Gate) {
	r, rules := s.Repository, s.Rules[s.Base(o)]
	allowed := func(m string) bool {
		return (m == "merge" && r.Merge && !rules.Linear || m == "squash" && r.Squash || m == "rebase" && r.Rebase) &&
			(rules.Methods == nil || slices.Contains(rules.Methods, m))
	}
	if m := o.Config.Method; m != "" {
		if !allowed(m) {
			return "", Gate{Name: "method", Text: fmt.Sprintf("method: %s is not allowed by the repository or the rules of %s", m, s.Base(o)), Line: o.Config.Line}
		}
		return m, Gate{Passed: true}
	}
	for _, m := range []string{"merge", "squash", "rebase"} {
		if allowed(m) {
			return m, Gate{Passed: true}
		}
	}
	return "", Gate{Name: "method", Text: fmt.Sprintf("the repository and the rules of %s allow no merge method", s.Base(o))}
}

// rulesGate judges the rules of the base branch that depend on nothing else.
func rulesGate(s *Snapshot, o *Observed, method string) (Gate, bool) {
	base := s.Base(o)
	rules, read := s.Rules[base]
	shut := func(text string) (Gate, bool) { return Gate{Name: "rules", Text: text}, true }
	switch {
	case !read:
		return Gate{Name: "rules", Text: "the rules of " + base + " are being read", Needs: []Need{NeedRules, NeedPull}}, true
	case rules.Locked:
		return shut(base + " is locked: nobody may merge; unlock it in the repository's rules")
	case rules.Restricted:
		return shut("only those who bypass a rule may update " + base + ", and promobot bypasses none; merge it yourself, or allow pull requests there")
	case rules.Queue && o.Config.Merge != config.MergeByQueue:
		return shut(base + " takes changes through its merge queue only; say merge: queue in the pipeline file")
	case rules.Signatures && method != "squash" && !o.Config.VerifiedCommits:
		return shut("the rules of " + base + " ask for signed commits; say commits: verified in the pipeline file")
	}
	return Gate{}, false
}

// pushGate judges the rules that a push to the base branch itself has to obey:
// a token that bypasses them would not be refused.
func pushGate(s *Snapshot, o *Observed) Gate {
	base := s.Base(o)
	rules, read := s.Rules[base]
	asks := ""
	switch {
	case !read:
		return Gate{Name: "rules", Text: "the rules of " + base + " are being read", Needs: []Need{NeedRules}}
	case rules.Locked, rules.Restricted:
		asks = "let nobody push there who does not bypass them"
	case rules.Queue:
		asks = "ask for its merge queue"
	case rules.PullRequests || rules.Approvals > 0 || rules.CodeOwners:
		asks = "ask for a pull request"
	case len(rules.Checks) > 0:
		asks = "ask for checks before a push (" + rules.Checks[0].Name + ")"
	case rules.Signatures && !o.Config.VerifiedCommits:
		return Gate{Name: "rules", Text: "the rules of " + base + " ask for signed commits; say commits: verified in the pipeline file"}
	default:
		return Gate{Name: "rules", Passed: true, Text: "the rules of " + base + " let it be pushed"}
	}
	return Gate{Name: "rules", Text: fmt.Sprintf("the rules of %s %s, and promobot bypasses none; say deliver: pull_request in the pipeline file, or change the rules", base, asks)}
}

// checksGate judges the checks that the base branch requires.
func checksGate(s *Snapshot, o *Observed, _ string) (Gate, bool) {
	required := s.Rules[s.Base(o)].Checks
	if len(required) == 0 {
		return Gate{}, false
	}
	g := Gate{Name: "checks"}
	if o.Checks == nil {
		g.Text, g.Needs = "the checks on it are being read", []Need{NeedChecks, NeedPull}
		return g, true
	}
	var names []string
	for _, c := range required {
		names = append(names, c.Name)
		if g.Text = Judge(c, o.Checks); g.Text != "" {
			return g, true
		}
	}
	g.Passed, g.Text = true, strings.Join(names, ", ")+" succeeded"
	return g, true
}

// Judge says why a required check does not speak for a commit yet; "" when it
// does. GitHub takes success, neutral and skipped for passed ("About protected
// branches", GitHub Docs).
func Judge(required RequiredCheck, results []CheckResult) string {
	for _, r := range results {
		if r.Name != required.Name || required.App != 0 && r.App != required.App {
			continue
		}
		switch {
		case r.Status != "completed":
			return fmt.Sprintf("the required check %s has not finished", r.Name)
		case r.Conclusion == "success" || r.Conclusion == "neutral" || r.Conclusion == "skipped":
			return ""
		}
		return fmt.Sprintf("the required check %s ended with %s", r.Name, r.Conclusion)
	}
	return fmt.Sprintf("the required check %s has not reported yet", required.Name)
}

// reviewGate judges the reviews that the base branch requires, as GitHub counts
// them.
func reviewGate(s *Snapshot, o *Observed, _ string) (Gate, bool) {
	rules := s.Rules[s.Base(o)]
	if rules.Approvals == 0 && !rules.CodeOwners {
		return Gate{}, false
	}
	g := Gate{Name: "review"}
	switch {
	case o.View == nil:
		g.Text, g.Needs = "its reviews are being read", []Need{NeedView, NeedPull}
	case o.View.Decision == "APPROVED":
		g.Passed, g.Text = true, "it is approved"
	case o.View.Decision == "CHANGES_REQUESTED":
		g.Text = "a reviewer asks for changes"
	case rules.CodeOwners:
		g.Text = "code owners have to approve it"
	case rules.Approvals == 1:
		g.Text = "a review has to approve it"
	default:
		g.Text = fmt.Sprintf("%d reviews have to approve it", rules.Approvals)
	}
	return g, true
}

// kindsGate shuts when a change is of a kind that does not merge by itself.
func kindsGate(e *config.Environment, c *content.Result) Gate {
	var shut []string
	for _, k := range c.Kinds {
		if !allowed(e, k) {
			shut = append(shut, string(k))
		}
	}
	if len(shut) > 0 {
		return Gate{Name: "kinds", Text: fmt.Sprintf("a person must merge: it has changes of kind %s, which `allow` does not name", strings.Join(shut, ", ")), Line: e.Line}
	}
	return Gate{Name: "kinds", Passed: true, Text: "its kinds of change are allowed"}
}

func allowed(e *config.Environment, k content.Kind) bool {
	return slices.Contains(e.Allow, k)
}

// githubGate is GitHub's own word on whether a pull request can be merged
// (mergeable_state, "Get a pull request"; values in GraphQL's
// MergeStateStatus). Only clean and has_hooks say that every rule is met.
func githubGate(o *Observed) (g Gate, again bool) {
	p := o.Pull
	g = Gate{Name: "github"}
	switch p.Mergeable {
	case "clean", "has_hooks":
		g.Passed, g.Text = true, "GitHub allows the merge"
	case "", "unknown":
		g.Text, again = "GitHub is working out whether it can be merged", true
		if o.FreshFor == "" {
			g.Needs = []Need{NeedPull}
		}
	case "unstable":
		g.Text = "a check has failed or has not finished"
	case "blocked":
		g.Text = "a rule of the branch is not met yet: a review or a required check"
	case "behind":
		g.Text = "the branch's rules ask for an update with the base branch"
	case "dirty":
		g.Text, again = "it conflicts with the base branch, and is being rebuilt", true
	case "draft":
		g.Text = "it is a draft; mark it as ready for review"
	default:
		g.Text = fmt.Sprintf("GitHub says %q", p.Mergeable)
	}
	return g, again
}
