package reconcile_test

// The invariants, by name, asserted where the model changes.

import (
	"fmt"
	"path"
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
	for _, h := range e.State.Heard {
		if _, known := w.effects[h.Comment]; !known {
			w.effects[h.Comment] = effect{at: w.now}
		}
	}
	if e.Kind == state.KindClaim {
		w.claims[e.State.Promotion.ID] = ref
		w.checkClaim(ref, e, c)
	}
	if e.Kind == state.KindLanded && e.State.Promotion.PullRequest == 0 {
		w.claims[e.State.Promotion.ID] = ref
		w.checkLanded(ref, e)
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
		if e.Kind == state.KindClaim && heldAnew(e.State) {
			w.checkHeldOnce(ref, e.State)
		}
		w.checkVerdicts(ref, before, e.State, e.Kind)
		w.checkBounded(ref, e.State.Failure)
	}
}

// checkHeldOnce: a pull request gets one new head for one hold.
func (w *world) checkHeldOnce(ref string, now state.Environment) {
	for _, old := range w.entries(ref) {
		st := old.State
		if old.Kind == state.KindClaim && st.Sequence < now.Sequence && heldAnew(st) && st.Promotion.PullRequest == now.Promotion.PullRequest && st.Hold.Since.Equal(now.Hold.Since) {
			w.breaks("Honest hold", "%s: #%d has a second new head for the hold of comment %d", ref, now.Promotion.PullRequest, now.Hold.Comment)
		}
	}
}

// heldAnew says whether the newest promotion was given a new head since it is held.
func heldAnew(st state.Environment) bool {
	return st.Hold != nil && st.Promotion != nil && len(st.Promotion.Attempts) > 0 &&
		strings.HasPrefix(st.Promotion.Attempts[len(st.Promotion.Attempts)-1].Why, "it is held")
}

// checkForward is invariant 4.
func (w *world) checkForward(ref string, before, after state.Environment) {
	for up, p := range after.Position {
		q, there := before.Position[up]
		if !there || p.Commit == q.Commit {
			continue
		}
		if l := after.Landing; l != nil && l.Reverts != "" && (before.Landing == nil || before.Landing.Reverts != l.Reverts) {
			continue // a rollback takes positions back
		}
		if !w.newer(p, q, after) {
			w.breaks("Forward only", "%s: position in %s went from %.7s to %.7s", ref, up, q.Commit, p.Commit)
		}
	}
}

func (w *world) newer(a, b state.Position, st state.Environment) bool {
	if w.layout.source != "" && w.commits[a.Commit] == nil {
		// Versions, whose names rise with their number.
		return b.Revision == "" || versionNumber(a.Revision) > versionNumber(b.Revision)
	}
	return a.Commit != b.Commit && w.contains(b.Commit, a.Commit)
}

// versionNumber orders the model's versions: 4.7.0.
func versionNumber(name string) int {
	var major, minor int
	if _, err := fmt.Sscanf(name, "%d.%d.0", &major, &minor); err != nil {
		return -1
	}
	return major*1_000_000 + minor
}

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
		if q.Revision == p.Revision && q.Landing == p.Landing && q.Attempt == p.Attempt && q.ID != p.ID && q.Reverts == nil && p.Reverts == nil {
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
	if strings.Contains(w.settings[environment], "verified") && !w.commits[p.Commit].signed {
		w.breaks("Exact head", "%s: the commit is not signed", ref)
	}
	if p.Reverts != nil {
		w.checkRevert(ref, e)
		return
	}
	w.checkRejected(ref, *p)
	w.checkOnward(ref, *p, e.State.Sequence)
	w.checkContent(environment, ref, e.State, p.Commit)
}

// checkLanded is a claim's, for a promotion that was pushed to its base at once.
func (w *world) checkLanded(ref string, e state.Entry) {
	p, l := e.State.Promotion, e.State.Landing
	for _, old := range w.entries(ref) {
		if q := old.State.Landing; old.State.Sequence < e.State.Sequence && q != nil && q.ID == p.ID {
			w.breaks("Once", "%s: %.7s is delivered twice", ref, p.ID)
		}
	}
	c := w.commits[l.Commit]
	if c == nil || len(c.Parents) != 1 || c.Parents[0] != l.Before || state.ParseTrailers(c.Message)[state.TrailerID] != p.ID {
		w.breaks("Exact head", "%s: what is recorded as landed is not the promotion's commit", ref)
		return
	}
	if e.State.Hold != nil {
		w.breaks("A person's word stands", "%s is pushed while held", ref)
	}
	before := e.State
	if prev, err := state.Peek(w.commits[w.commits[w.refs[ref]].Parents[0]].Message); err == nil {
		before = prev.State
	}
	st := before.Clone()
	st.Promotion = p
	w.checkContent(environmentOf(ref), ref, st, l.Commit)
}

// checkDelivered runs when promobot moves a base by a push: each commit is a
// promotion that its ledger has landed, and nobody's commit is lost.
func (w *world) checkDelivered(ref, old, id string) {
	if !w.contains(old, id) {
		w.breaks("Only the target", "%s is pushed over %.7s", ref, old)
	}
	for c := w.commits[id]; c.ID != old; c = w.commits[c.Parents[0]] {
		w.delivered++
		ledger := w.claims[state.ParseTrailers(c.Message)[state.TrailerID]]
		if ledger == "" || len(c.Parents) != 1 {
			w.breaks("Once", "%.7s stands on %s without a ledger's word", c.ID, ref)
			return
		}
		es := w.entries(ledger)
		if l := es[len(es)-1].State.Landing; l == nil || l.Commit != c.ID {
			w.breaks("Once", "%.7s stands on %s, and %s does not say so", c.ID, ref, ledger)
		}
		w.checkPerson(environmentOf(ledger), ledger, ref, c.Parents[0], c.ID)
	}
}

// covers are the ledgers of the promotions that a pull request's text names.
func (w *world) covers(p *pull) []string {
	var refs []string
	for _, id := range ids(p.Body) {
		if ref := w.claims[id]; ref != "" && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// ids are the promotions that a text's trailers name.
func ids(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if id, ok := strings.CutPrefix(line, state.TrailerID+": "); ok {
			out = append(out, strings.TrimSpace(id))
		}
	}
	return out
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
func (w *world) checkContent(environment, ref string, st state.Environment, commit string) {
	p := st.Promotion
	made := w.commits[commit]
	base := w.commits[made.Parents[0]]
	changed := differing(base.files, made.files)
	if len(changed) == 0 {
		w.breaks("Nothing to do is nothing done", "%s: an empty promotion", ref)
	}
	if w.layout.source != "" && (p.From == state.Source || w.layout.managed && p.From == w.layout.source) {
		w.checkVersion(ref, st, made, base, changed)
		return
	}
	pipeline, _, _ := state.ParseRef(ref)
	here := w.layout.dir(pipeline, environment) + "/"
	for _, f := range changed {
		if !strings.HasPrefix(f, here) {
			w.breaks("Only the target", "%s: the promotion changes %s", ref, f)
		}
	}
	there, newest, taken := w.layout.dir(pipeline, p.From)+"/", p.Landing, st.Position[p.From].Commit
	if w.layout.hydrated {
		there = here
		if p.From != state.Source {
			newest, taken = p.Read, st.Position[p.From].Read
		}
	}
	if w.commits[newest] == nil || w.commits[taken] == nil {
		w.breaks("Doubt waits", "%s: taken from %.7s after %.7s, of which one is no commit", ref, newest, taken)
		return
	}
	for _, name := range w.layout.files {
		src, dst := there+name, here+name
		now, then := w.commits[newest].files[src], w.commits[taken].files[src]
		stands, got := base.files[dst], made.files[dst]
		switch {
		case now == then && got != stands:
			w.breaks("Doubt waits", "%s: %s changes though it did not change upstream", ref, dst)
		case now != then && stands == then && got != now:
			w.breaks("Doubt waits", "%s: %s should be as in %s: then %q, now %q, got %q; changed %v", ref, dst, p.From, w.blobs[then.Blob], w.blobs[now.Blob], w.blobs[got.Blob], changed)
		}
	}
	if made.files[here+"replicas.yml"] != base.files[here+"replicas.yml"] {
		w.breaks("Only the target", "%s: replicas.yml is not promoted", ref)
	}
}

// checkOpened runs when promobot opens a pull request: invariants 1 and 10.
func (w *world) checkOpened(p *pull) {
	if _, _, ok := state.ParseBranch(p.Branch); !ok {
		w.breaks("Once", "#%d has no promotion's branch", p.Number)
		return
	}
	covers, mine := w.covers(p), ids(p.Body)
	if len(covers) == 0 {
		w.breaks("Once", "#%d names no promotion that a ledger claims", p.Number)
	}
	for _, q := range w.pulls {
		// A worker that was stopped for long between its last look and this
		// request may still make an extra one, which is then closed. Nobody else may.
		if q == p || w.paused {
			continue
		}
		if q.Open && !q.reopened {
			for _, ref := range w.covers(q) {
				if slices.Contains(covers, ref) {
					w.breaks("One open", "#%d is opened while #%d is open for %s", p.Number, q.Number, ref)
				}
			}
		}
		for _, id := range ids(q.Body) {
			if slices.Contains(mine, id) {
				w.breaks("Once", "#%d is opened for the identity of #%d", p.Number, q.Number)
			}
		}
	}
}

// checkBotCloses: promobot closes nothing that counts without having said so.
func (w *world) checkBotCloses(p *pull) {
	for _, ref := range w.covers(p) {
		es := w.entries(ref)
		if len(es) == 0 {
			continue
		}
		last := es[len(es)-1].State.Promotion
		if last != nil && last.PullRequest == p.Number && !last.Status.Ended() && last.Status != state.Closing {
			w.breaks("A person's word stands", "promobot closes #%d, which counts, without announcing it", p.Number)
		}
	}
}

// checkMerge runs before a merge takes effect: invariants 1, 6, 7 and 8.
func (w *world) checkMerge(p *pull, base, merged, who string) {
	for _, q := range w.pulls {
		// A worker stopped for long may open an extra pull request, and a person may
		// merge it in the moment before it is closed; promobot itself never does.
		if w.paused && who != bot {
			break
		}
		if q == p || !q.Merged {
			continue
		}
		for _, id := range q.identities {
			if slices.Contains(p.identities, id) {
				w.breaks("Once", "#%d and #%d landed the same promotion", q.Number, p.Number)
			}
		}
	}
	if who != bot {
		return
	}
	if len(p.identities) == 0 {
		w.breaks("Exact head", "#%d is merged without a promotion", p.Number)
	}
	for _, id := range p.identities {
		ref := w.claims[id]
		es := w.entries(ref)
		claimed := false
		for _, e := range es {
			if q := e.State.Promotion; q != nil && q.Head() == p.Head && q.ID == id {
				claimed = true
			}
		}
		if !claimed {
			w.breaks("Exact head", "#%d is merged at %.7s, which no claim of %.7s names", p.Number, p.Head, id)
			return
		}
		if last := es[len(es)-1].State; last.Hold != nil && last.Promotion.Reverts == nil && (last.Hold.Comment <= 0 || w.answered(last.Hold.Comment)) {
			w.breaks("A person's word stands", "#%d is merged while %s is held", p.Number, ref)
		}
		w.checkPerson(environmentOf(ref), ref, heads+p.Base, base, merged)
		w.checkVerified(environmentOf(ref), es, p)
	}
}

// checkPerson: no line that a person last set is changed, unless an upstream had
// it once.
func (w *world) checkPerson(environment, ledger, ref, base, merged string) {
	before, after := w.commits[base].files, w.commits[merged].files
	pipeline, _, _ := state.ParseRef(ledger)
	for _, f := range differing(before, after) {
		if !strings.HasPrefix(f, w.layout.dir(pipeline, environment)+"/") {
			continue
		}
		for _, k := range w.linesDiffering(before[f].Blob, after[f].Blob) {
			if w.setters[ref+":"+f+"#"+k] == person && !w.upstreamHad(pipeline, environment, f, k, w.lines(before[f].Blob)[k]) {
				w.breaks("A person's word stands", "promobot changes %s of %s from %q to %q, which a person set", k, f, w.blobs[before[f].Blob], w.blobs[after[f].Blob])
			}
		}
	}
}

// upstreamHad says whether an upstream once had the very line: then a person
// only did by hand what a promotion would have done.
func (w *world) upstreamHad(pipeline, environment, file, key, value string) bool {
	if slices.Contains(w.versions, value) {
		return true
	}
	name := path.Base(file)
	ups := []string{}
	for _, up := range w.layout.upstreams[environment] {
		ups = append(ups, w.layout.ref(up)+":"+w.layout.dir(pipeline, up)+"/"+name)
	}
	if w.layout.hydrated {
		ups = append(ups, w.layout.next(environment)+":"+file)
	}
	// What it had when it was first seen.
	if es := w.entries(state.Ref(pipeline, environment)); len(es) > 0 {
		if c := w.commits[es[0].State.Baseline.Commit]; c != nil && w.lines(c.files[file].Blob)[key] == value {
			return true
		}
	}
	for _, up := range ups {
		ref, f, _ := strings.Cut(up, ":")
		for c := w.commits[w.refs[ref]]; c != nil; {
			if w.lines(c.files[f].Blob)[key] == value {
				return true
			}
			if len(c.Parents) == 0 {
				break
			}
			c = w.commits[c.Parents[0]]
		}
	}
	return false
}

// checkVerified is invariant 8 for `verify: none`: what is promoted landed
// upstream before.
func (w *world) checkVerified(environment string, es []state.Entry, p *pull) {
	for _, e := range slices.Backward(es) {
		q := e.State.Promotion
		if q == nil || q.Head() != p.Head {
			continue
		}
		if q.Reverts != nil {
			return
		}
		up := q.From
		if pipeline, _, _ := state.ParseRef(w.claims[q.ID]); w.verified[up] {
			us := w.entries(state.Ref(pipeline, up))
			if v := us[len(us)-1].State.VerdictOf(q.Landing); v == nil || v.Outcome != state.Verified {
				w.breaks("Verified onward", "#%d carries %.7s, which was not verified in %s", p.Number, q.Landing, up)
			}
		}
		if up == state.Source {
			up = environment
		}
		if w.commits[q.Landing] != nil && !w.contains(q.Landing, w.refs[w.layout.ref(up)]) && !w.layout.hydrated {
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
		for _, ref := range w.covers(p) {
			open[ref]++
		}
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
		case promotion.Verifying:
			w.breaks("Convergence", "%s is still being verified at rest: %s", d.Key, d.Reason)
		case promotion.Waiting, promotion.Merging:
			if len(o.Config.After) > 0 || len(d.Gates) > 0 || strings.Contains(d.Reason, "goes with the next batch") {
				continue
			}
			w.breaks("Convergence", "%s is %s at rest: %s", d.Key, d.Standing, d.Reason)
		}
		// What somebody pushed to is theirs, and is said to have failed.
		theirs := d.Standing == promotion.Stopped && strings.Contains(d.Reason, "so closing it is theirs")
		if p := o.Ledger.State.UnderWay(); p != nil && p.Reverts == nil && !theirs {
			for j := range snapshot.Environments {
				x := &snapshot.Environments[j]
				if x.Key.Pipeline != o.Key.Pipeline || x.Ledger.State == nil || !w.leads(x.Key.Environment, o.Key.Environment) {
					continue
				}
				for _, r := range x.Ledger.State.Rejected {
					if r.Revision == p.Revision {
						w.breaks("One rollback", "%s: %.7s failed in %s and is still proposed", o.Key, p.Revision, x.Key.Environment)
					}
				}
			}
		}
		if p := o.Ledger.State.UnderWay(); p != nil && p.PullRequest == 0 {
			w.breaks("Convergence", "%s: a claim without a pull request at rest", d.Key)
		}
		if p := o.Ledger.State.UnderWay(); d.Standing == promotion.UpToDate && p != nil {
			w.breaks("Convergence", "%s is up to date and has %s under way", d.Key, p.Status)
		}
	}
}
