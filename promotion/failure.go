package promotion

// The failure policy: what is tried, one after the other, when a landing has
// failed. Each step taken is a ledger entry, so that a restart goes on where it
// was and counts right. Steps that give the landing another chance come before
// its verdict; the verdict comes with the hold, and a rollback follows it.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// TrailerRollback in a commit's message says, with the value "unsafe", that what
// it brings cannot be taken back by itself (a migration, say).
const TrailerRollback = "Promotion-Rollback"

// failureOf is the failure of a revision as the ledger knows it, or a new one.
func failureOf(s *Snapshot, o *Observed, l Landing, kind config.FailureKind, reason string) state.Failure {
	f := state.Failure{Since: s.Now}
	if known := o.Ledger.State.Clone().Failure; known != nil && known.Revision == l.Revision {
		f = *known
	}
	f.Promotion, f.Landing, f.Revision = l.Promotion, l.Commit, l.Revision
	f.Kind, f.Reason, f.Scope, f.By, f.Over = string(kind), clipped(reason, 1000), "", "", false
	return f
}

// chosen is the next step of a failure policy.
type chosen struct {
	config.Step
	at   int       // its place in the policy; -1: there was none left
	from time.Time // not before
	why  []string  // steps that do not apply, for people
}

// choose is the next step for a failure: the first that applies and is not used
// up, or the one that a failing check asks for.
func choose(s *Snapshot, o *Observed, l Landing, f state.Failure, hint config.StepKind) chosen {
	c := chosen{Step: config.Step{Do: config.Halt}, at: -1}
	var fits []int
	for i, step := range o.Config.OnFailure {
		taken := 0
		for _, t := range f.Steps {
			switch {
			case t.Step == i && t.Do == string(step.Do):
				taken++
			case step.Do == config.Rollback && t.Do == string(config.Repromote):
				taken = 0 // what landed since is another landing, with a rollback of its own
			}
		}
		if taken >= step.Limit || !slices.Contains(step.When, config.FailureKind(f.Kind)) {
			continue
		}
		if why := unfit(s, o, l, step.Do, f.Kind); why != "" {
			c.why = append(c.why, why)
			continue
		}
		fits = append(fits, i)
	}
	if len(fits) == 0 {
		return c
	}
	c.at = fits[0]
	for _, i := range fits {
		if o.Config.OnFailure[i].Do == hint {
			c.at = i
			break
		}
	}
	c.Step = o.Config.OnFailure[c.at]
	since := f.Since
	if n := len(f.Steps); n > 0 {
		since = f.Steps[n-1].Time
	}
	c.from = since.Add(c.Backoff)
	return c
}

// unfit says why a step does nothing for a landing; "" when it does.
func unfit(s *Snapshot, o *Observed, l Landing, do config.StepKind, kind string) string {
	rec := o.Ledger.State.Landing
	if kind == string(config.PushFailed) || kind == string(config.MergeFailed) {
		if do == config.Rollback || do == config.Run {
			return "nothing has landed"
		}
		return ""
	}
	switch do {
	case config.Rollback:
		switch {
		case rec == nil || rec.Commit != l.Commit:
			return "a person landed it, so taking it back is theirs"
		case rec.Reverts != "":
			return "a rollback is not rolled back"
		case rec.Was == nil:
			return "what stood before it is not known"
		}
		return unsafe(s, o, rec)
	case config.Repromote:
		switch {
		case rec == nil || rec.Commit != l.Commit:
			return "a person landed it, so there is no promotion to make again"
		case rec.Reverts == "":
			return "what would be promoted again stands already"
		}
	case config.Restart, config.Run, config.Halt:
	}
	return ""
}

// unsafe says that a commit on the way says of itself that it cannot be taken back.
func unsafe(s *Snapshot, o *Observed, rec *state.Landing) string {
	for name, before := range rec.Was.Position {
		chain := s.takenFrom(o, name)
		now, on := chain.Index(o.Ledger.State.Position[name].Commit)
		then, onThen := chain.Index(before.Commit)
		if !on || !onThen {
			continue
		}
		for _, c := range chain.Commits[now:max(now, then)] {
			if strings.EqualFold(state.ParseTrailers(c.Message)[TrailerRollback], "unsafe") {
				return fmt.Sprintf("%.10s (%s) says %s: unsafe", c.ID, clipped(subject(c.Message), 80), TrailerRollback)
			}
		}
	}
	return ""
}

// refusedStep takes the failure policy's next step when a push or a merge of the
// promotion under way was refused. Without one it is shown, and tried again now
// and then, since most of what is refused has to be mended by people.
func refusedStep(s *Snapshot, o *Observed) (Decision, bool) {
	x, p := o.Refusal, o.Ledger.State.UnderWay()
	if x == nil || p == nil || p.Reverts != nil || p.Batch != nil || p.Status != state.Opened || o.Pull == nil || !o.Pull.Open || o.Content == nil || o.Head != p.Head() {
		return Decision{}, false
	}
	l := Landing{Revision: p.Revision, Promotion: p.ID}
	f := failureOf(s, o, l, x.Kind, x.Text)
	if known := o.Ledger.State.Failure; known == nil || known.Revision != l.Revision {
		f.Since = x.At
	}
	c := choose(s, o, l, f, "")
	if c.Do != config.Restart && c.Do != config.Repromote {
		return Decision{}, false
	}
	if s.Now.Before(c.from) {
		return Decision{Standing: Stopped, Reason: fmt.Sprintf("%s; %s follows at %s", x.Text, c.Do, clock(c.from)), Until: c.from, Retries: true}, true
	}
	f.Steps = append(f.Steps, state.Taken{Do: string(c.Do), Step: c.at, Time: s.Now, Result: "done"})
	why := fmt.Sprintf("%s (on_failure: %s)", x.Text, c.Do)
	var d Decision
	if c.Do == config.Restart {
		np := *p
		np.Rebuild++
		np.Expected = o.Content.Expected
		d = move(s, o, *p, np, nil, why)
		claim, _ := d.Action.(Claim)
		claim.Previous.Failure = &f
		d.Action = claim
	} else {
		d = announceClose(o, *p, why)
		entry, _ := d.Action.(Append)
		entry.State.Failure = &f
		d.Action = entry
	}
	d.Retries = true
	return d, true
}

// fails decides what the failure of the newest landing comes to.
func fails(s *Snapshot, o *Observed, l Landing, j judgement, w state.Watch, kind config.FailureKind, reason string) (Decision, bool) {
	f := failureOf(s, o, l, kind, reason)
	if known := o.Ledger.State.Failure; known == nil || known.Landing != l.Commit {
		if f.Since = w.Failing; kind == config.TimedOut {
			f.Since = w.Since.Add(o.Config.Verify.Timeout)
		}
	}
	c := choose(s, o, l, f, j.hint)
	what := fmt.Sprintf("%s failed its verification: %s", short(l.Revision), f.Reason)
	if s.Now.Before(c.from) {
		d := Decision{Standing: Verifying, Reason: fmt.Sprintf("%s; %s follows at %s", what, c.Do, clock(c.from)), Until: c.from}
		if was := o.Ledger.State.Watch; was == nil || *was != w {
			st := o.Ledger.State.Clone() // since when it fails is what the backoff counts from
			st.Watch = &w
			st.Sequence++
			d.Action = Append{Kind: state.KindWatched, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, d.Reason)}
		}
		return d, true
	}
	taken := state.Taken{Do: string(c.Do), Step: c.at, Time: s.Now}
	switch c.Do {
	case config.Restart:
		st := o.Ledger.State.Clone()
		taken.Result = "done"
		f.Steps = append(f.Steps, taken)
		st.Failure, st.Watch = &f, &state.Watch{Landing: l.Commit, Since: s.Now, Round: w.Round + 1}
		st.Sequence++
		text := what + "; its verification begins anew (on_failure: restart)"
		return Decision{Standing: Verifying, Reason: text, Action: Append{Kind: state.KindFailed, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)}}, true
	case config.Run:
		st := o.Ledger.State.Clone()
		taken.Nonce = state.Hash("run", o.Ledger.Ref, l.Commit, fmt.Sprint(len(f.Steps)))[:20]
		f.Steps = append(f.Steps, taken)
		st.Failure, st.Watch = &f, &state.Watch{Landing: l.Commit, Since: w.Since, Round: w.Round}
		st.Sequence++
		text := fmt.Sprintf("%s; %s is being run (on_failure: run)", what, recoveryName(c.Step))
		return Decision{Standing: Verifying, Reason: text, Action: Append{Kind: state.KindRun, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)}}, true
	case config.Rollback, config.Repromote, config.Halt:
	}
	// No chance is left: the verdict, and with it the hold.
	st := judged(s, o, l, j, state.Failed, w.Failing, reason)
	f.Steps = append(f.Steps, taken)
	then := "a person has to look"
	if len(c.why) > 0 {
		then += "; " + strings.Join(c.why, "; ")
	}
	if c.Do == config.Rollback {
		f.Scope = string(c.Scope)
		then = "it is being rolled back"
	} else {
		f.Over = true
	}
	st.Failure = &f
	st.Hold = heldFor(s, l, what)
	reject(&st, l, f.Reason, s.Now)
	text := fmt.Sprintf("%s; held, and %s", what, then)
	return Decision{
		Standing: Stopped, Reason: text,
		Action: Append{Kind: state.KindVerdict, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)},
	}, true
}

func recoveryName(step config.Step) string {
	switch {
	case step.Run == nil:
		return "the recovery"
	case step.Run.Workflow != "":
		return "workflow " + step.Run.Workflow
	}
	return "repository_dispatch " + step.Run.Event
}

// reject keeps a landing's content from being offered again.
func reject(st *state.Environment, l Landing, reason string, now time.Time) {
	st.Rejected = append([]state.Rejected{{Digest: l.Digest, Revision: l.Revision, Landing: l.Commit, Reason: clipped(reason, 300), Time: now}}, st.Rejected...)
	st.Rejected = st.Rejected[:min(len(st.Rejected), state.RejectedKept)]
}

// UnderRecovery is the user's recovery that is under way, and its step; nil when
// none is.
func UnderRecovery(o *Observed) (*state.Taken, *config.Step) {
	st := o.Ledger.State
	if st == nil || st.Failure == nil || st.Failure.Over || len(st.Failure.Steps) == 0 {
		return nil, nil
	}
	t := st.Failure.Steps[len(st.Failure.Steps)-1]
	if t.Do != string(config.Run) || t.Result != "" {
		return nil, nil
	}
	if t.Step < 0 || t.Step >= len(o.Config.OnFailure) || o.Config.OnFailure[t.Step].Run == nil {
		return &t, &config.Step{Do: config.Run, Run: &config.Recovery{}}
	}
	return &t, &o.Config.OnFailure[t.Step]
}

// recovery carries the user's recovery on: sends it, finds it, waits for its end.
func recovery(s *Snapshot, o *Observed) (Decision, bool) {
	t, step := UnderRecovery(o)
	if t == nil {
		return Decision{}, false
	}
	if len(o.Landings) > 0 && o.Landings[0].Commit != o.Ledger.State.Failure.Landing {
		return recovered(s, o, "failed", "something newer has landed since"), true
	}
	name := recoveryName(*step)
	run := o.Recovery
	limit := step.Run.Timeout
	switch {
	case run != nil && run.Status == "completed" && run.Conclusion == "success":
		return recovered(s, o, "done", fmt.Sprintf("%s succeeded", name)), true
	case run != nil && run.Status == "completed":
		return recovered(s, o, "failed", fmt.Sprintf("%s ended with %s", name, run.Conclusion)), true
	case limit > 0 && s.Now.Sub(t.Time) >= limit:
		return recovered(s, o, "failed", fmt.Sprintf("%s had not ended after %s", name, span(limit))), true
	case run != nil && t.Run == 0:
		st := o.Ledger.State.Clone()
		last := &st.Failure.Steps[len(st.Failure.Steps)-1]
		last.Run, last.URL, last.Sent = run.ID, run.URL, true
		st.Sequence++
		text := fmt.Sprintf("%s runs as %d", name, run.ID)
		return Decision{Standing: Verifying, Reason: text, Action: Append{Kind: state.KindRun, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)}}, true
	case t.Run == 0 && !t.Sent && s.Now.Sub(t.Time) >= 2*Bound && step.Run.Idempotent:
		st := o.Ledger.State.Clone()
		st.Failure.Steps[len(st.Failure.Steps)-1].Time = s.Now
		st.Sequence++
		text := name + " is begun again, since whether it was cannot be told (idempotent: true)"
		return Decision{Standing: Verifying, Reason: text, Action: Append{Kind: state.KindRun, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)}}, true
	case t.Run == 0 && !t.Sent && s.Now.Sub(t.Time) >= 2*Bound:
		return recovered(s, o, "unknown", fmt.Sprintf("whether %s was begun cannot be told", name)), true
	}
	d := Decision{Standing: Verifying, Reason: name + " is under way", Until: s.Now.Add(retryDoubt)}
	if t.Run == 0 && !t.Sent {
		d.Action = Recover{Taken: *t, Step: *step}
	}
	return d, true
}

// recovered records how the user's recovery ended. Where it says that it has
// mended the landing, its verification begins anew.
func recovered(s *Snapshot, o *Observed, result, text string) Decision {
	st := o.Ledger.State.Clone()
	f := st.Failure
	f.Steps[len(f.Steps)-1].Result = result
	if st.Watch != nil {
		st.Watch.Holding, st.Watch.Failing = time.Time{}, time.Time{}
	}
	if result == "done" && st.Watch != nil {
		st.Watch = &state.Watch{Landing: f.Landing, Since: s.Now, Round: st.Watch.Round + 1}
	}
	st.Sequence++
	return Decision{Standing: Verifying, Reason: text, Action: Append{Kind: state.KindRun, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)}}
}
