package reconcile_test

// What the model's clusters, workflows and commenting people do, and what must
// hold of verdicts and rollbacks.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// argo names the check that reports on an environment of a pipeline.
func argo(pipeline, environment string) string {
	return "argocd/" + strings.TrimPrefix(pipeline, "services/") + "-" + environment
}

// verifies draws what has to hold in an environment, and what happens when it
// does not; "" for verify: none.
func (w *world) verifies(environment string) string {
	if w.rng.IntN(2) == 0 {
		return "verify: none"
	}
	name := "argocd/app-" + environment
	if w.layout.name == "services" {
		name = "argocd/$name-$env"
	}
	soak := []string{"0s", "2m", "10m"}[w.rng.IntN(3)]
	policy := []string{
		"halt", "rollback", "rollback", "[{rollback: {scope: all}}]", "[{rollback: {scope: downstream}}]",
		"[{restart: {limit: 1, when: [verification, timeout]}}, rollback]",
		"[rollback, {repromote: {limit: 1, when: [verification]}}]",
		"[{run: {workflow: recover.yml, timeout: 10m}}, rollback]",
		"[{run: {workflow: recover.yml, idempotent: true, timeout: 10m}}, halt]",
	}[w.rng.IntN(9)]
	w.verified[environment] = true
	return fmt.Sprintf("verify: {checks: %q, soak: %s, timeout: 30m, red_for: 1m, on_timeout: %s, while_soaking: %s}, on_failure: %s, rollback: %s",
		name, soak, []string{"fail", "pass", "hold"}[w.rng.IntN(3)], []string{"hold", "continue"}[w.rng.IntN(2)], policy, []string{"auto", "auto", "propose"}[w.rng.IntN(3)])
}

// cluster has the deployer of one environment report on the commit it has synced.
func (w *world) cluster() {
	l := w.layout
	e := l.environments[w.rng.IntN(len(l.environments))]
	if !w.verified[e] {
		return
	}
	c := w.commits[w.refs[l.ref(e)]]
	for range w.rng.IntN(3) { // it lags behind
		if len(c.Parents) > 0 {
			c = w.commits[c.Parents[0]]
		}
	}
	conclusion := []string{"success", "success", "success", "success", "failure", "failure", ""}[w.rng.IntN(7)]
	w.report(c.ID, argo(w.pipeline(), e), conclusion)
}

// report sets the newest result of a name on a commit.
func (w *world) report(commit, name, conclusion string) {
	status := "completed"
	if conclusion == "" {
		status = "in_progress"
	}
	w.note("%s says %q of %.7s", name, conclusion, commit)
	rs := slices.DeleteFunc(slices.Clone(w.results[commit]), func(r promotion.CheckResult) bool { return r.Name == name })
	w.results[commit] = append(rs, promotion.CheckResult{Name: name, App: 9, Slug: "argocd", Status: status, Conclusion: conclusion, Summary: "synced", Time: w.now})
	w.said[[3]string{commit, name, conclusion}] = true
}

// rest is what every deployer says in the end.
func (w *world) rest() {
	for _, e := range w.layout.environments {
		if !w.verified[e] {
			continue
		}
		tip := w.refs[w.layout.ref(e)]
		for _, p := range w.layout.pipelines {
			name := argo(p, e)
			if slices.ContainsFunc(w.results[tip], func(r promotion.CheckResult) bool { return r.Name == name && r.Status == "completed" }) {
				continue
			}
			w.report(tip, name, []string{"success", "success", "failure"}[w.rng.IntN(3)])
		}
	}
	for i := range w.runs {
		if r := &w.runs[i]; r.Status != "completed" {
			r.Status, r.Conclusion = "completed", []string{"success", "failure"}[w.rng.IntN(2)]
		}
	}
}

// checkVerdicts holds verdicts to be final, and failed ones to come with a hold.
func (w *world) checkVerdicts(ref string, before, after state.Environment, kind state.Kind) {
	for _, v := range before.Verdicts {
		now := after.VerdictOf(v.Landing)
		if now == nil && len(after.Verdicts) == state.VerdictsKept {
			continue
		}
		if now == nil || now.Outcome != v.Outcome || !now.Time.Equal(v.Time) {
			w.breaks("Verified onward", "%s: the verdict on %.7s was %s and has changed", ref, v.Landing, v.Outcome)
		}
	}
	if l := after.Landing; kind == state.KindLanded && l != nil && l.Reverts != "" {
		w.checkRestored(ref, after)
	}
	if kind != state.KindVerdict {
		return
	}
	v := after.Verdicts[0]
	if before.VerdictOf(v.Landing) != nil {
		w.breaks("Verified onward", "%s: a second verdict on %.7s", ref, v.Landing)
	}
	pipeline, environment, _ := state.ParseRef(ref)
	if v.Outcome == state.Failed && (after.Hold == nil || after.Hold.Failed != v.Landing) {
		w.breaks("One rollback", "%s: a failed verdict without its hold", ref)
	}
	if v.Outcome == state.Verified && !strings.Contains(v.Reason, "on_timeout") && !w.everSaid(pipeline, environment, v.Landing, "success") {
		w.breaks("Verified onward", "%s: %.7s is verified, and nobody ever said so", ref, v.Landing)
	}
}

// checkRestored: after a rollback the positions are what they were before the
// landing that it took back, so that what comes next is laid over what stands.
func (w *world) checkRestored(ref string, after state.Environment) {
	es := w.entries(ref)
	for i, e := range es {
		if l := e.State.Landing; i == 0 || l == nil || l.ID != after.Landing.Reverts || l.Reverts != "" || e.Kind != state.KindLanded {
			continue
		}
		if !maps.Equal(es[i-1].State.Position, after.Position) {
			w.breaks("One rollback", "%s: after the rollback the positions are %v, and before the landing they were %v", ref, after.Position, es[i-1].State.Position)
		}
		return
	}
}

// everSaid says whether a deployer ever reported a conclusion on a landing, or on
// a later commit that leaves the environment as it was.
func (w *world) everSaid(pipeline, environment, landing, conclusion string) bool {
	dir := w.layout.dir(pipeline, environment) + "/"
	for id := range w.commits {
		if !w.said[[3]string{id, argo(pipeline, environment), conclusion}] || !w.contains(landing, id) {
			continue
		}
		same := true
		for _, f := range differing(w.commits[landing].files, w.commits[id].files) {
			same = same && !strings.HasPrefix(f, dir)
		}
		if same {
			return true
		}
	}
	return false
}

// checkRevert holds a rollback's commit to exactly what it takes back.
func (w *world) checkRevert(ref string, e state.Entry) {
	p := e.State.Promotion
	r := p.Reverts
	st := e.State
	if st.Landing == nil || st.Landing.Commit != r.Landing || st.Landing.Reverts != "" {
		w.breaks("One rollback", "%s: a rollback of %.7s, which is not its newest promotion's landing", ref, r.Landing)
		return
	}
	made, base := w.commits[p.Commit], w.commits[w.commits[p.Commit].Parents[0]]
	pipeline, environment, _ := state.ParseRef(ref)
	for c := base; c != nil && c.ID != r.Landing && len(c.Parents) > 0; c = w.commits[c.Parents[0]] {
		for _, name := range w.layout.files {
			f := w.layout.dir(pipeline, environment) + "/" + name
			if w.commits[c.Parents[0]].files[f] != c.files[f] {
				w.breaks("One rollback", "%s: %.7s is rolled back though %.7s landed after it", ref, r.Landing, c.ID)
			}
		}
	}
	before, after := w.commits[r.Before], w.commits[r.Landing]
	for _, f := range differing(base.files, made.files) {
		if before.files[f] == after.files[f] {
			w.breaks("One rollback", "%s: the rollback changes %s, which the landing had not", ref, f)
		}
		if base.files[f] == after.files[f] && made.files[f] != before.files[f] {
			w.breaks("One rollback", "%s: the rollback does not leave %s as it was", ref, f)
		}
	}
	for _, old := range w.entries(ref) {
		if l := old.State.Landing; l != nil && l.Reverts == r.Promotion && old.State.Sequence < e.State.Sequence {
			w.breaks("One rollback", "%s: %.7s is rolled back twice", ref, r.Landing)
		}
	}
}

// checkOnward: after a rollback only what is newer than all that was ever taken is
// promoted, unless the very same is asked for once more.
func (w *world) checkOnward(ref string, p state.Promotion, sequence int) {
	for _, e := range w.entries(ref) {
		if e.State.Wish != nil {
			return // a person wants something again
		}
		l := e.State.Landing
		if e.State.Sequence >= sequence || l == nil || l.From != p.From || l.At == "" || w.layout.source != "" {
			continue
		}
		if p.Landing == l.At && p.Attempt > 1 {
			continue
		}
		if w.commits[l.At] != nil && w.commits[p.Landing] != nil && !w.newer(state.Position{Commit: p.Landing}, state.Position{Commit: l.At}, e.State) {
			w.breaks("Forward only", "%s: %.7s is claimed after %.7s had landed", ref, p.Landing, l.At)
		}
	}
}

// checkRejected: what failed in an environment or before it is not claimed.
func (w *world) checkRejected(ref string, p state.Promotion) {
	pipeline, environment, _ := state.ParseRef(ref)
	for _, e := range w.layout.environments {
		if e != environment && !w.leads(e, environment) {
			continue
		}
		es := w.entries(state.Ref(pipeline, e))
		if len(es) == 0 || e != environment && w.paused {
			continue
		}
		for _, x := range es[len(es)-1].State.Rejected {
			if x.Revision == p.Revision && e == environment {
				w.breaks("One rollback", "%s: %.7s is promoted again after it failed there", ref, p.Revision)
			}
		}
	}
}

// leads says whether what lands in one environment travels on to another.
func (w *world) leads(from, to string) bool {
	for _, up := range w.layout.upstreams[to] {
		if up == from || w.leads(from, up) {
			return true
		}
	}
	return false
}

// checkBounded holds the steps of a failure policy to their limits.
func (w *world) checkBounded(ref string, f *state.Failure) {
	if f == nil {
		return
	}
	taken := map[string]int{}
	for _, t := range f.Steps {
		if t.Do == "repromote" { // what lands then may be rolled back again
			maps.DeleteFunc(taken, func(k string, _ int) bool { return strings.HasSuffix(k, "rollback") })
		}
		taken[fmt.Sprint(t.Step, t.Do)]++
		if taken[fmt.Sprint(t.Step, t.Do)] > 1 && t.Step >= 0 {
			w.breaks("Bounded", "%s: step %d (%s) is taken %d times for %.7s", ref, t.Step, t.Do, taken[fmt.Sprint(t.Step, t.Do)], f.Revision)
		}
	}
}

func (r *replica) OwnDeployments(context.Context, string) ([]promotion.Deployment, error) {
	return nil, errNotInModel
}

func (r *replica) DeploymentState(context.Context, int64) (string, error) { return "", errNotInModel }

func (r *replica) CreateDeployment(context.Context, promotion.Deployment) (int64, error) {
	return 0, errNotInModel
}

func (r *replica) SetDeployment(context.Context, int64, string, string, string) error {
	return errNotInModel
}

// errNotInModel is of what no pipeline file of the model asks for.
var errNotInModel = errors.New("the model records no deployments")

func (r *replica) Deployments(context.Context, string) ([]promotion.CheckResult, error) {
	return nil, nil
}

func (r *replica) WorkflowRuns(context.Context, string) ([]promotion.CheckResult, error) {
	return nil, nil
}

// DispatchWorkflow starts a run; its answer, with the run's id, may be lost.
func (r *replica) DispatchWorkflow(_ context.Context, workflow, _ string, inputs map[string]string) (int64, error) {
	return do(r, "dispatch "+workflow, func() (int64, error) {
		w := r.w
		w.writes++
		w.nonce++
		w.dispatched[inputs["nonce"]]++
		if w.dispatched[inputs["nonce"]] > 1 && !strings.Contains(w.settings[inputs["environment"]], "idempotent") {
			w.breaks("Bounded", "%s is begun twice for %s", workflow, inputs["nonce"])
		}
		w.runs = append(w.runs, promotion.WorkflowRun{ID: int64(w.nonce), Title: "recover " + inputs["nonce"], Status: "queued", Created: w.now})
		return int64(w.nonce), nil
	})
}

func (r *replica) DispatchRepository(context.Context, string, map[string]any) error {
	return act(r, "dispatch", func() error { return nil })
}

func (r *replica) RunsSince(_ context.Context, workflow string, since time.Time) ([]promotion.WorkflowRun, error) {
	return do(r, "runs of "+workflow, func() ([]promotion.WorkflowRun, error) {
		return slices.DeleteFunc(slices.Clone(r.w.runs), func(x promotion.WorkflowRun) bool { return x.Created.Before(since) }), nil
	})
}

func (r *replica) Run(_ context.Context, id int64) (promotion.WorkflowRun, error) {
	return do(r, fmt.Sprint("run ", id), func() (promotion.WorkflowRun, error) {
		for _, x := range r.w.runs {
			if x.ID == id {
				return x, nil
			}
		}
		return promotion.WorkflowRun{}, promotion.ErrNotFound
	})
}

func (r *replica) Comment(_ context.Context, id int64) (promotion.Comment, error) {
	return do(r, fmt.Sprint("comment ", id), func() (promotion.Comment, error) {
		for _, c := range r.w.comments {
			if c.ID == id {
				return c, nil
			}
		}
		return promotion.Comment{}, promotion.ErrNotFound
	})
}

func (r *replica) CommentsOn(_ context.Context, issue int, since time.Time) ([]promotion.Comment, error) {
	return do(r, fmt.Sprintf("comments on #%d", issue), func() ([]promotion.Comment, error) {
		return slices.DeleteFunc(slices.Clone(r.w.comments), func(c promotion.Comment) bool { return c.Issue != issue || c.Created.Before(since) }), nil
	})
}

func (r *replica) WriteComment(_ context.Context, issue int, body string) (int64, error) {
	return do(r, fmt.Sprintf("comment on #%d", issue), func() (int64, error) {
		w := r.w
		w.writes++
		w.nonce++
		w.answeredLate(body)
		w.comments = append(w.comments, promotion.Comment{ID: int64(w.nonce), Issue: issue, Body: body, Author: bot, Bot: true, ByApp: true, Created: w.now})
		return int64(w.nonce), nil
	})
}

func (r *replica) EditComment(_ context.Context, id int64, body string) error {
	return act(r, fmt.Sprint("edit comment ", id), func() error {
		for i := range r.w.comments {
			if r.w.comments[i].ID == id {
				r.w.comments[i].Body = body
				r.w.writes++
				return nil
			}
		}
		return promotion.ErrNotFound
	})
}

func (r *replica) React(_ context.Context, comment int64, _ string) error {
	return act(r, fmt.Sprint("react to ", comment), func() error {
		for i := range r.w.comments {
			if r.w.comments[i].ID == comment {
				r.w.comments[i].Reacted = true
			}
		}
		return nil
	})
}

func (r *replica) Permission(_ context.Context, login string) (promotion.Permission, error) {
	return do(r, "permission of "+login, func() (promotion.Permission, error) {
		if login == person {
			return promotion.Permission{Role: "admin", Folded: "admin"}, nil
		}
		return promotion.Permission{Role: "read", Folded: "read"}, nil
	})
}

func (r *replica) InTeam(context.Context, string, string) (bool, error) { return false, nil }

var _ reconcile.GitHub = (*replica)(nil)

// command has a person write one of the commands that change something, on some
// issue; now and then a reader, who may not.
func (m *model) command() {
	w := m.w
	w.nonce++
	e := w.layout.environments[w.rng.IntN(len(w.layout.environments))]
	body := []string{
		"/promobot hold " + e, "/promobot hold " + e + " --until 2h", "/promobot resume " + e, "/promobot resume all", "/promobot hold all because",
		"/promobot rollback " + e + " --pipeline " + w.pipeline(), "/promobot retry " + e + " --pipeline " + w.pipeline(), "/promobot promote " + e + " --pipeline " + w.pipeline(),
		"/promobot skip", "/promobot cancel", "/promobot rebuild", "/promobot status", "/promobot nonsense",
		"/promobot hold " + e + "\n/promobot resume " + e,
	}[w.rng.IntN(14)]
	if w.rng.IntN(3) == 0 {
		body = "/promobot resume all" // mostly something is held
	}
	c := promotion.Comment{ID: int64(w.nonce), Issue: 1 + w.rng.IntN(max(1, len(w.pulls))), Body: body, Author: person, Created: w.now}
	if w.rng.IntN(6) == 0 {
		c.Author = "rita"
	}
	w.note("%s says %q as %d on #%d", c.Author, body, c.ID, c.Issue)
	w.comments = append(w.comments, c)
	m.commands = append(m.commands, c.ID)
}

// obeyed takes commands off the queue.
func (m *model) obeyed(cs []int64) {
	m.commands = slices.DeleteFunc(slices.Clone(m.commands), func(id int64) bool { return slices.Contains(cs, id) })
}

// effect is that of a comment in the ledgers.
type effect struct {
	at   time.Time // of the first
	left bool      // it was answered when anyone might, and not by its writer alone
}

// answeredLate notes that a comment is answered when its writer may not be the
// only one to do so.
func (w *world) answeredLate(body string) {
	for id, e := range w.effects {
		if strings.HasPrefix(body, texts.AnswerMark(id)) && w.now.Sub(e.at) > promotion.Bound-2*clocksDiffer {
			w.effects[id] = effect{e.at, true}
		}
	}
}

// answered says whether a comment has an answer by now.
func (w *world) answered(id int64) bool {
	return slices.ContainsFunc(w.comments, func(c promotion.Comment) bool { return c.ByApp && strings.HasPrefix(c.Body, texts.AnswerMark(id)) })
}

// checkAnswered: each command has one answer at rest, and a reader's no effect.
func (w *world) checkAnswered(left []int64) {
	answers, done := map[string]int{}, map[string]int{}
	readers := map[int64]bool{}
	for _, c := range w.comments {
		if c.ByApp {
			mark, _, _ := strings.Cut(c.Body, "\n")
			answers[mark]++
			if strings.Contains(c.Body, "✓") {
				done[mark]++
			}
		}
		readers[c.ID] = c.Author == "rita"
	}
	for _, c := range w.comments {
		if c.ByApp {
			continue
		}
		n := answers[texts.AnswerMark(c.ID)]
		if n == 0 {
			w.breaks("Answered", "comment %d has no answer (still queued: %v)", c.ID, slices.Contains(left, c.ID))
		}
		// Who answers what has no effect, or what its writer has left unanswered, is
		// told by the queue alone, which the model's replicas have not.
		if e := w.effects[c.ID]; done[texts.AnswerMark(c.ID)] > 1 && !w.paused && !e.at.IsZero() && !e.left {
			w.breaks("Answered", "comment %d has %d answers", c.ID, n)
		}
	}
	for ref := range w.refs {
		if !strings.HasPrefix(ref, state.RefPrefix) {
			continue
		}
		seen := map[[2]int64]int{}
		for _, e := range w.entries(ref) {
			if len(e.State.Heard) == 0 {
				continue
			}
			h := e.State.Heard[0]
			if readers[h.Comment] {
				w.breaks("Answered", "%s: a reader's command %d had an effect", ref, h.Comment)
			}
			if k := [2]int64{h.Comment, int64(h.Index)}; seen[k] == 0 {
				seen[k] = e.State.Sequence
			}
		}
	}
}

// heldUntil is when the last hold that ends by itself is over.
func (w *world) heldUntil() time.Time {
	var last time.Time
	for ref := range w.refs {
		if !strings.HasPrefix(ref, state.RefPrefix) || strings.HasPrefix(ref, state.MadePrefix) {
			continue
		}
		if es := w.entries(ref); len(es) > 0 {
			if h := es[len(es)-1].State.Hold; h != nil && h.Until.After(last) {
				last = h.Until
			}
		}
	}
	return last
}
