package reconcile_test

// The invariants, by name, asserted where the model changes.

import (
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// history is what the ledgers said, in order, as the model saw it pushed.
func (w *world) entries(ref string) []state.Entry {
	var es []state.Entry
	tip := w.refs[ref]
	if was := w.tampered[ref]; was != "" {
		tip = was
	}
	for id := tip; id != ""; {
		c := w.commits[id]
		e, err := state.Peek(c.Message)
		if err != nil {
			break
		}
		es = append([]state.Entry{e}, es...)
		if len(c.Parents) == 0 {
			break
		}
		id = c.Parents[0]
	}
	return es
}

// checkLedger runs when a ledger moves.
func (w *world) checkLedger(ref, old, id, who string) {
	if who != bot {
		return
	}
	if id == "" {
		w.breaks("Once", "the bot deleted ledger %s", ref)
		return
	}
	c := w.commits[id]
	if old != "" && (len(c.Parents) == 0 || c.Parents[0] != old) {
		w.breaks("Once", "ledger %s moved from %.7s to an entry that does not follow it", ref, old)
	}
	e, err := state.Peek(c.Message)
	if err != nil {
		w.breaks("Once", "ledger %s holds what is no entry: %v", ref, err)
		return
	}
	w.note("ledger: %s", e.Sentence)
	if e.Kind == state.KindClaim {
		w.checkClaim(ref, e, c)
	}
	if e.Kind == state.KindVeto {
		if p := e.State.Promotion; p.By == bot {
			w.breaks("A person's word stands", "%s takes promobot's own closing of #%d for a veto", ref, p.PullRequest)
		}
	}
	if e.State.Sequence > 1 {
		var before state.Environment
		if prev, err := state.Peek(w.commits[c.Parents[0]].Message); err == nil {
			before = prev.State
		}
		if e.State.Sequence != before.Sequence+1 {
			w.breaks("Once", "%s: entry %d follows entry %d", ref, e.State.Sequence, before.Sequence)
		}
		w.checkForward(ref, before, e.State)
	}
}

// checkForward is invariant 4.
func (w *world) checkForward(ref string, before, after state.Environment) {
	for up, p := range after.Position {
		q, there := before.Position[up]
		if !there || p.Commit == q.Commit {
			continue
		}
		if !w.newer(p.Commit, q.Commit) {
			w.breaks("Forward only", "%s: position in %s went from %.7s to %.7s", ref, up, q.Commit, p.Commit)
		}
	}
}

func (w *world) newer(a, b string) bool { return a != b && w.contains(b, a) }

// checkClaim is invariants 1, 2, 3, 5 and 6 at the moment of a claim.
func (w *world) checkClaim(ref string, e state.Entry, c *commit) {
	p := e.State.Promotion
	_, environment, err := state.ParseRef(ref)
	if err != nil {
		w.breaks("Once", "%v", err)
		return
	}
	for _, old := range w.entries(ref) {
		q := old.State.Promotion
		if old.Kind != state.KindClaim || old.State.Sequence >= e.State.Sequence {
			continue
		}
		if q.ID == p.ID && q.Rebuild == p.Rebuild {
			w.breaks("Once", "%s: identity %.7s is claimed twice", ref, p.ID)
		}
		if q.Revision == p.Revision && q.Landing == p.Landing && q.Attempt == p.Attempt && q.ID != p.ID {
			w.breaks("Once", "%s: one attempt has two identities", ref)
		}
	}
	if v := w.vetoed(ref, e.State.Sequence); v[p.Revision+p.Landing] && p.Attempt == 1 {
		w.breaks("A person's word stands", "%s: %.7s is claimed again after a veto", ref, p.Revision)
	}
	if len(c.Parents) < 2 || c.Parents[len(c.Parents)-1] != p.Commit {
		w.breaks("Doubt waits", "%s: the claim does not keep its commit", ref)
		return
	}
	made, base := w.commits[p.Commit], w.commits[p.Base]
	changed := differing(base.files, made.files)
	if len(changed) == 0 {
		w.breaks("Nothing to do is nothing done", "%s: an empty promotion", ref)
	}
	w.checkContent(environment, ref, e.State, changed)
}

func (w *world) vetoed(ref string, before int) map[string]bool {
	v := map[string]bool{}
	for _, e := range w.entries(ref) {
		if e.Kind == state.KindVeto && e.State.Sequence < before {
			v[e.State.Promotion.Revision+e.State.Promotion.Landing] = true
		}
		if e.Kind == state.KindOpened && strings.Contains(e.Sentence, "reopened") {
			delete(v, e.State.Promotion.Revision+e.State.Promotion.Landing)
		}
	}
	return v
}

// checkContent states definition 8 a second time, for whole files: what did not
// change upstream stays; what did becomes the upstream's, unless a person
// changed it in the target too.
func (w *world) checkContent(environment, ref string, st state.Environment, changed []string) {
	p := st.Promotion
	made, base := w.commits[p.Commit], w.commits[p.Base]
	for _, f := range changed {
		if !strings.HasPrefix(f, "envs/"+environment+"/") {
			w.breaks("Only the target", "%s: the promotion changes %s", ref, f)
		}
	}
	for _, name := range []string{"version.yml", "settings.yml"} {
		src, dst := "envs/"+p.From+"/"+name, "envs/"+environment+"/"+name
		now, then := w.commits[p.Landing].files[src], w.commits[st.Position[p.From].Commit].files[src]
		stands, got := base.files[dst], made.files[dst]
		switch {
		case now == then && got != stands:
			w.breaks("Doubt waits", "%s: %s changes though it did not change upstream", ref, dst)
		case now != then && stands == then && got != now:
			w.breaks("Doubt waits", "%s: %s should be as in %s", ref, dst, p.From)
		}
	}
	if made.files["envs/"+environment+"/replicas.yml"] != base.files["envs/"+environment+"/replicas.yml"] {
		w.breaks("Only the target", "%s: replicas.yml is not promoted", ref)
	}
}

// checkOpened runs when promobot opens a pull request: invariants 1 and 10.
func (w *world) checkOpened(p *pull) {
	pipeline, environment, ok := state.ParseBranch(p.Branch)
	if !ok {
		w.breaks("Once", "#%d has no promotion's branch", p.Number)
		return
	}
	id := state.ParseTrailers(p.Body)[state.TrailerID]
	for _, q := range w.pulls {
		if q == p {
			continue
		}
		qp, qe, _ := state.ParseBranch(q.Branch)
		if qp != pipeline || qe != environment {
			continue
		}
		// A worker that was stopped for long between its last look and this
		// request may still make an extra one, which is then closed. Nobody else may.
		if w.paused {
			continue
		}
		if q.Open && !q.reopened {
			w.breaks("One open", "#%d is opened while #%d is open in %s", p.Number, q.Number, environment)
		}
		if state.ParseTrailers(q.Body)[state.TrailerID] == id {
			w.breaks("Once", "#%d is opened for the identity of #%d", p.Number, q.Number)
		}
	}
}

// checkBotCloses: promobot closes nothing that counts without having said so.
func (w *world) checkBotCloses(p *pull) {
	pipeline, environment, _ := state.ParseBranch(p.Branch)
	es := w.entries(state.Ref(pipeline, environment))
	if len(es) == 0 {
		return
	}
	last := es[len(es)-1].State.Promotion
	if last != nil && last.PullRequest == p.Number && !last.Status.Ended() && last.Status != state.Closing {
		w.breaks("A person's word stands", "promobot closes #%d, which counts, without announcing it", p.Number)
	}
}

// checkMerge runs before a merge takes effect: invariants 1, 6, 7 and 8.
func (w *world) checkMerge(p *pull, base, merged, who string) {
	for _, q := range w.pulls {
		// A worker stopped for long may open an extra pull request, and a person may
		// merge it in the moment before it is closed; promobot itself never does.
		if w.paused && who == person {
			break
		}
		if q != p && q.Merged && q.identity != "" && q.identity == p.identity {
			w.breaks("Once", "#%d and #%d landed the same promotion", q.Number, p.Number)
		}
	}
	if who != bot {
		return
	}
	pipeline, environment, _ := state.ParseBranch(p.Branch)
	es := w.entries(state.Ref(pipeline, environment))
	if len(es) == 0 {
		w.breaks("Exact head", "#%d is merged without a ledger", p.Number)
		return
	}
	claimed := false
	for _, e := range es {
		if q := e.State.Promotion; q != nil && q.Commit == p.Head && q.ID == p.identity {
			claimed = true
		}
	}
	if !claimed {
		w.breaks("Exact head", "#%d is merged at %.7s, which no claim names", p.Number, p.Head)
	}
	if last := es[len(es)-1].State; last.Hold != nil {
		w.breaks("A person's word stands", "#%d is merged while %s is held", p.Number, environment)
	}
	before, after := w.commits[base].files, w.commits[merged].files
	for _, f := range differing(before, after) {
		for _, k := range w.linesDiffering(before[f].Blob, after[f].Blob) {
			if w.setters[f+"#"+k] == person && !w.upstreamHad(environment, f, k, w.lines(before[f].Blob)[k]) {
				w.breaks("A person's word stands", "promobot merges over %s of %s, which a person set", k, f)
			}
		}
	}
	w.checkVerified(environment, es, p)
}

// upstreamHad says whether an upstream once had the very line: then a person
// only did by hand what a promotion would have done.
func (w *world) upstreamHad(environment, file, key, value string) bool {
	name := strings.TrimPrefix(file, "envs/"+environment+"/")
	for c := w.commits[w.refs[main]]; c != nil; {
		for _, up := range upstreams[environment] {
			if w.lines(c.files["envs/"+up+"/"+name].Blob)[key] == value {
				return true
			}
		}
		if len(c.Parents) == 0 {
			return false
		}
		c = w.commits[c.Parents[0]]
	}
	return false
}

// checkVerified is invariant 8 for `verify: none`: what is promoted landed
// upstream before.
func (w *world) checkVerified(environment string, es []state.Entry, p *pull) {
	for _, e := range slices.Backward(es) {
		q := e.State.Promotion
		if q == nil || q.Commit != p.Head {
			continue
		}
		if !w.contains(q.Landing, w.refs[main]) {
			w.breaks("Verified onward", "#%d carries %.7s, which is not in the history", p.Number, q.Landing)
		}
		return
	}
	w.breaks("Exact head", "#%d in %s shows no claimed commit", p.Number, environment)
}

// checkEnd runs when everything has come to rest: invariant 12, and that
// nothing is left over.
func (w *world) checkEnd(ds []promotion.Decision, snapshot *promotion.Snapshot) {
	open := map[string]int{}
	for _, p := range w.pulls {
		if !p.Open {
			continue
		}
		_, environment, _ := state.ParseBranch(p.Branch)
		open[environment]++
	}
	for environment, n := range open {
		if n > 1 {
			w.breaks("One open", "%d pull requests are open in %s at rest", n, environment)
		}
	}
	for i, d := range ds {
		o := &snapshot.Environments[i]
		if w.tampered[o.Ledger.Ref] != "" {
			continue
		}
		switch d.Standing {
		case promotion.UpToDate, promotion.Source, promotion.Rejected, promotion.Proposed, promotion.Stopped, promotion.WouldPromote, promotion.Absent:
		case promotion.Waiting, promotion.Merging:
			if len(o.Config.After) > 0 || len(d.Gates) > 0 {
				continue
			}
			w.breaks("Convergence", "%s is %s at rest: %s", d.Key, d.Standing, d.Reason)
		}
		if p := o.Ledger.State.UnderWay(); p != nil && p.PullRequest == 0 {
			w.breaks("Convergence", "%s: a claim without a pull request at rest", d.Key)
		}
		if p := o.Ledger.State.UnderWay(); d.Standing == promotion.UpToDate && p != nil {
			w.breaks("Convergence", "%s is up to date and has %s under way", d.Key, p.Status)
		}
	}
}
