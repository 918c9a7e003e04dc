package promotion

// Verification: what has to hold after a landing before it travels on. What is
// observed is kept in the ledger, so that any replica goes on where another
// stopped; the outcome is one verdict, which never changes. A promotion that
// fails is held in the same entry.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// olderWatched is how many landings before the newest are still looked at, where
// nothing has to soak: a commit's checks may end after the next one landed.
const olderWatched = 5

// ToVerify are the landings of an environment that wait for their verdict, newest
// first. Results are read for them alone.
func ToVerify(s *Snapshot, o *Observed) []Landing {
	v, st := o.Config.Verify, o.Ledger.State
	if v == nil || st == nil || len(o.Landings) == 0 || o.Config.Managed || pending(s, o) {
		return nil
	}
	var ls []Landing
	for i, l := range o.Landings {
		if adopted(s, o, l) {
			break
		}
		if st.VerdictOf(l.Commit) != nil || isRollback(o, l) && i > 0 {
			break
		}
		if i > 0 && (v.Soak > 0 || i > olderWatched || s.Now.Sub(l.Time) > v.Timeout) {
			break
		}
		ls = append(ls, l)
	}
	if len(ls) > 0 && mixed(o, ls[0]) {
		return nil // what landed is not what was promoted: a person looks first
	}
	return ls
}

// isRollback says whether a landing took another one back.
func isRollback(o *Observed, l Landing) bool {
	st := o.Ledger.State
	if rec := st.Landing; rec != nil && rec.Commit == l.Commit {
		return rec.Reverts != ""
	}
	return slices.ContainsFunc(st.PastLandings, func(old state.PastLanding) bool { return old.Commit == l.Commit && old.Reverts != "" })
}

func mixed(o *Observed, l Landing) bool {
	rec := o.Ledger.State.Landing
	return rec != nil && rec.Commit == l.Commit && rec.Mixed()
}

// verified says whether a landing may travel on.
func verified(s *Snapshot, o *Observed, l Landing) bool {
	if o.Config.Verify == nil {
		return o.Config.Verified
	}
	if v := o.Ledger.State.VerdictOf(l.Commit); v != nil {
		return v.Outcome == state.Verified
	}
	return adopted(s, o, l)
}

// adopted says whether a landing stood already when verification began there.
// Nothing may have reported on it, so it neither fails nor is taken back.
func adopted(s *Snapshot, o *Observed, l Landing) bool {
	st := o.Ledger.State
	if !st.Proving {
		return true
	}
	newer, known := s.ChainOf(o).Newer(l.Commit, st.Proven)
	return known && !newer
}

// proves begins or ends verification where the pipeline file has come to say so.
// What stands then is taken as it is: a check that never reported on an old
// landing must not roll production back.
func proves(s *Snapshot, o *Observed) (Decision, bool) {
	st := o.Ledger.State
	if st.Proving == (o.Config.Verify != nil) || o.Config.Managed || pending(s, o) {
		return Decision{}, false
	}
	next := st.Clone()
	next.Proving, next.Proven, next.Watch = o.Config.Verify != nil, st.Baseline.Commit, nil
	if len(o.Landings) > 0 {
		next.Proven = o.Landings[0].Commit
	}
	reason := "what lands here is verified from now on; what stands is taken as it is"
	if !next.Proving {
		next.Proven, reason = "", "what lands here is no longer verified"
	}
	next.Sequence++
	return Decision{
		Standing: UpToDate, Reason: reason,
		Action: Append{Kind: state.KindBaseline, State: next, Sentence: fmt.Sprintf("%s: %s", o.Key, reason)},
	}, true
}

// verification records what has changed in what is observed of a landing, and
// its verdict. It is false when there is nothing to record.
func verification(s *Snapshot, o *Observed) (Decision, bool) {
	ls := ToVerify(s, o)
	if len(ls) == 0 {
		return Decision{}, false
	}
	for i, l := range ls {
		results, read := o.Results[l.Commit]
		if !read {
			continue
		}
		j := judge(o.Config.Verify, results)
		if i > 0 {
			if j.holds {
				return passes(s, o, l, j, state.Watch{Holding: s.Now}, strings.Join(spoke(j), ", ")), true
			}
			continue
		}
		if d, ok := judgeNewest(s, o, l, j); ok {
			return d, true
		}
	}
	return Decision{}, false
}

// watched is what the ledger says of the newest landing, or what it would begin with.
func watched(s *Snapshot, o *Observed, l Landing) (w state.Watch, known bool) {
	if w := o.Ledger.State.Watch; w != nil && w.Landing == l.Commit {
		return *w, true
	}
	return *Watching(o.Ledger.State.Watch, l.Commit, s.Now), false
}

// Watching begins to watch a landing. A soak of the one before that it ends is
// counted.
func Watching(before *state.Watch, landing string, now time.Time) *state.Watch {
	w := &state.Watch{Landing: landing, Since: now}
	if before != nil {
		w.Restarted = before.Restarted
		if !before.Holding.IsZero() {
			w.Restarted++
		}
	}
	return w
}

// judgeNewest decides on the newest landing.
func judgeNewest(s *Snapshot, o *Observed, l Landing, j judgement) (Decision, bool) {
	v := o.Config.Verify
	w, known := watched(s, o, l)
	next := w
	switch {
	case j.holds:
		next.Failing = time.Time{}
		if next.Holding.IsZero() {
			next.Holding = s.Now
		}
	case j.failing:
		next.Holding = time.Time{}
		if next.Failing.IsZero() {
			next.Failing = s.Now
		}
	default:
		next.Holding, next.Failing = time.Time{}, time.Time{}
	}
	mending, _ := UnderRecovery(o)
	switch {
	case !next.Holding.IsZero() && s.Now.Sub(next.Holding) >= v.Soak:
		return passes(s, o, l, j, next, strings.Join(spoke(j), ", ")), true
	case mending != nil: // how it ends decides
	case !next.Failing.IsZero() && s.Now.Sub(next.Failing) >= v.RedFor:
		return fails(s, o, l, j, next, config.VerificationFailed, strings.Join(j.reasons, "; "))
	case s.Now.Sub(next.Since) >= v.Timeout:
		reason := fmt.Sprintf("after %s %s", span(v.Timeout), strings.Join(waitsFor(j, next, v), "; "))
		switch v.OnTimeout {
		case config.TimeoutPasses:
			return passes(s, o, l, j, next, reason+", and on_timeout is pass"), true
		case config.TimeoutHolds:
			return giveUp(s, o, l, j, reason), true
		case config.TimeoutFails:
		}
		return fails(s, o, l, j, next, config.TimedOut, reason)
	}
	if known && next == w {
		return Decision{}, false
	}
	st := o.Ledger.State.Clone()
	st.Watch = &next
	st.Sequence++
	text, _ := watchText(o, l, j, next)
	return Decision{
		Standing: Verifying, Reason: text, Offer: nil,
		Action: Append{Kind: state.KindWatched, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)},
	}, true
}

// spoke is what speaks for a landing, for people.
func spoke(j judgement) []string {
	var out []string
	for _, e := range j.evidence {
		if e.Outcome == "success" || e.Outcome == "neutral" {
			out = append(out, e.Name+" ✓")
		}
	}
	return out
}

func waitsFor(j judgement, w state.Watch, v *config.Verify) []string {
	if !w.Holding.IsZero() {
		return []string{fmt.Sprintf("it had not held for %s", span(v.Soak))}
	}
	if len(j.reasons) > 0 {
		return j.reasons
	}
	return j.missing
}

// Verification is where a landing's verification stands, for people.
type Verification struct {
	Landing  Landing
	Text     string
	Until    time.Time // when to look again by itself
	Verdict  *state.Verdict
	Watch    *state.Watch
	Evidence []state.Evidence
}

// VerificationOf is where the verification of an environment's newest landing
// stands; nil where nothing is to be verified.
func VerificationOf(s *Snapshot, o *Observed) *Verification {
	st := o.Ledger.State
	if o.Config.Verify == nil || st == nil || len(o.Landings) == 0 {
		return nil
	}
	l := o.Landings[0]
	if adopted(s, o, l) && st.VerdictOf(l.Commit) == nil {
		return nil
	}
	r := &Verification{Landing: l}
	if r.Verdict = st.VerdictOf(l.Commit); r.Verdict != nil {
		r.Text, r.Evidence = fmt.Sprintf("%s: %s", r.Verdict.Outcome, r.Verdict.Reason), r.Verdict.Evidence
		return r
	}
	ls := ToVerify(s, o)
	if len(ls) == 0 {
		return nil
	}
	results, read := o.Results[l.Commit]
	if !read {
		r.Text = "what speaks for it has not been read yet"
		return r
	}
	j := judge(o.Config.Verify, results)
	w, _ := watched(s, o, l)
	if j.holds && w.Holding.IsZero() { // about to be written down
		w.Holding = s.Now
	}
	if j.failing && w.Failing.IsZero() {
		w.Failing = s.Now
	}
	r.Watch, r.Evidence = &w, j.evidence
	r.Text, r.Until = watchText(o, l, j, w)
	return r
}

// watchText says what is waited for, and until when.
func watchText(o *Observed, l Landing, j judgement, w state.Watch) (string, time.Time) {
	v := o.Config.Verify
	name := short(l.Revision)
	until := w.Since.Add(v.Timeout)
	switch {
	case j.holds && !w.Holding.IsZero():
		ends := w.Holding.Add(v.Soak)
		text := fmt.Sprintf("%s soaks until %s: %s", name, clock(ends), strings.Join(spoke(j), ", "))
		if w.Restarted > 2 {
			text += fmt.Sprintf("; newer landings have ended its soak %d times before", w.Restarted)
		}
		return text, sooner(ends, until)
	case j.failing && !w.Failing.IsZero():
		return fmt.Sprintf("%s is failing: %s; it counts when it lasts until %s", name, strings.Join(j.reasons, "; "), clock(w.Failing.Add(v.RedFor))),
			sooner(w.Failing.Add(v.RedFor), until)
	}
	text := fmt.Sprintf("%s is being verified until %s: %s", name, clock(until), strings.Join(slices.Concat(j.reasons, j.missing), "; "))
	return text, until
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func clock(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }

// span is a duration for people: 90s, 30m, 4h, 3d.
func span(d time.Duration) string {
	switch {
	case d >= 24*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.Round(time.Second).String()
}

// judged begins a verdict's entry.
func judged(s *Snapshot, o *Observed, l Landing, j judgement, outcome state.Outcome, since time.Time, reason string) state.Environment {
	st := o.Ledger.State.Clone()
	evidence := j.evidence[:min(len(j.evidence), state.EvidenceKept)]
	st.Verdicts = append([]state.Verdict{{
		Landing: l.Commit, Revision: l.Revision, Outcome: outcome, Reason: clipped(reason, 1000), Time: s.Now, Since: since, Evidence: evidence,
	}}, st.Verdicts...)
	st.Verdicts = st.Verdicts[:min(len(st.Verdicts), state.VerdictsKept)]
	if st.Watch != nil && st.Watch.Landing == l.Commit {
		st.Watch = nil
	}
	st.Sequence++
	return st
}

func passes(s *Snapshot, o *Observed, l Landing, j judgement, w state.Watch, reason string) Decision {
	st := judged(s, o, l, j, state.Verified, w.Holding, reason)
	if f := st.Failure; f != nil && f.Landing == l.Commit {
		st.Failure = nil // a step of the policy has mended it
	}
	if soak := o.Config.Verify.Soak; soak > 0 {
		reason = fmt.Sprintf("%s, for %s", reason, span(soak))
	}
	text := fmt.Sprintf("%s is verified: %s", short(l.Revision), reason)
	return Decision{
		Standing: UpToDate, Reason: text,
		Action: Append{Kind: state.KindVerdict, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)},
	}
}

// giveUp leaves a landing that has neither held nor failed to a person.
func giveUp(s *Snapshot, o *Observed, l Landing, j judgement, reason string) Decision {
	st := judged(s, o, l, j, state.GivenUp, time.Time{}, reason)
	st.Hold = heldFor(s, l, "its verification came to nothing: "+reason)
	text := fmt.Sprintf("%s is neither verified nor failed: %s; held until a person resumes", short(l.Revision), reason)
	return Decision{
		Standing: Stopped, Reason: text,
		Action: Append{Kind: state.KindVerdict, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)},
	}
}

// heldFor is the hold that comes with a verdict: only a person lifts it.
func heldFor(s *Snapshot, l Landing, reason string) *state.Hold {
	return &state.Hold{Reason: clipped(reason, 500), By: "promobot", Since: s.Now, Failed: l.Commit}
}
