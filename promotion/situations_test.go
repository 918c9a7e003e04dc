package promotion_test

// Situations: snapshots with a name, of which each shows one reason that
// deciding can give. The tables stand in the test files beside this one, by
// subject; together they are held against testdata/reasons.txt, which so lists
// what promobot says of everything (go test ./promotion -update writes it).

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

var update = flag.Bool("update", false, "write testdata/reasons.txt and docs/failure.md anew")

// situation is a snapshot in which one environment is looked at, mostly staging.
type situation struct {
	name        string
	environment string // "" for staging
	of          func() *promotion.Snapshot
	order       *promotion.Order // what a person asks for there
}

func (x situation) where() string {
	if x.environment == "" {
		return "staging"
	}
	return x.environment
}

// with is a snapshot after changes to staging.
func with(of func() *promotion.Snapshot, changes ...func(s *promotion.Snapshot, o *promotion.Observed)) func() *promotion.Snapshot {
	return func() *promotion.Snapshot {
		s := of()
		for _, change := range changes {
			change(s, at(s, "staging"))
		}
		return s
	}
}

// decisionOn is the decision on one environment.
func decisionOn(s *promotion.Snapshot, environment string) promotion.Decision {
	for _, d := range promotion.Decide(s) {
		if d.Key.Environment == environment {
			return d
		}
	}
	panic("no " + environment)
}

// result is a finished check on staging's landing.
func result(name, conclusion string) promotion.CheckResult {
	return promotion.CheckResult{Name: name, Status: "completed", Conclusion: conclusion, Commit: "e", Time: now.Add(-4 * time.Minute)}
}

// landed has version 1.4.0 in qa as commit d, and promoted to staging as commit
// e five minutes ago, which the check deploy has to speak for within the hour.
func landed(results ...promotion.CheckResult) *promotion.Snapshot {
	s := quiet()
	s.Chain.Commits[2].Changed = []string{"envs/qa/v"}
	qa := landing("d", 2, "qa")
	qa.Revision, qa.Digest = "1.4.0", "of 1.4.0 in qa"
	at(s, "qa").Landings = []promotion.Landing{qa}
	o := at(s, "staging")
	o.Config.Verified, o.Config.Rollback = false, config.Auto
	o.Config.Verify = &config.Verify{
		Checks: &config.Evidence{Names: []string{"deploy"}}, Timeout: time.Hour, RedFor: time.Minute, OnTimeout: config.TimeoutFails, Line: 9,
	}
	since := now.Add(-5 * time.Minute)
	st := o.Ledger.State
	st.Proving, st.Proven = true, st.Baseline.Commit
	st.Promotion = &state.Promotion{
		ID: "id", Status: state.Landed, Revision: "1.4.0", Origin: "qa", Attempt: 1, From: "qa", Landing: "d", Base: "d", Commit: "p1",
		Branch: "promobot/app/staging/1.4.0-id", Expected: "of 1.4.0", Claimed: since.Add(-time.Minute), PullRequest: 7, Ended: since,
	}
	st.Landing = &state.Landing{
		ID: "id", Commit: "e", Before: "d", Revision: "1.4.0", Origin: "qa", From: "qa", At: "d", Method: "merge", By: "promobot[bot]",
		PullRequest: 7, Expected: "of 1.4.0", Actual: "of 1.4.0", Time: since, Promoted: "p1",
		Was: &state.Was{Revision: "1.3.2", Digest: "of 1.3.2", Position: map[string]state.Position{"qa": {Commit: "b"}}},
	}
	st.Position["qa"] = state.Position{Commit: "d", Revision: "1.4.0", Origin: "qa"}
	st.Watch = &state.Watch{Landing: "e", Since: since}
	l := landing("e", 1, "qa")
	l.Revision, l.Digest, l.Promotion, l.PullRequest, l.Time = "1.4.0", "of 1.4.0", "id", 7, since
	o.Landings = []promotion.Landing{l}
	o.Results = map[string][]promotion.CheckResult{"e": results}
	return s
}

// step is one of a failure policy, as the pipeline file's short form makes it.
func step(do config.StepKind) config.Step {
	return config.Step{Do: do, Limit: 1, When: []config.FailureKind{config.PushFailed, config.MergeFailed, config.VerificationFailed, config.TimedOut}, Scope: config.ScopeEnvironment}
}

func policy(steps ...config.Step) func(*promotion.Snapshot, *promotion.Observed) {
	return func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.OnFailure = steps }
}

// red has the check deploy failed on staging's landing for two minutes.
func red() *promotion.Snapshot {
	failure := result("deploy", "failure")
	failure.Summary = "3 of 5 pods crash"
	s := landed(failure)
	at(s, "staging").Ledger.State.Watch.Failing = now.Add(-2 * time.Minute)
	return s
}

// apply puts the entry of a decision into the ledger, as acting would.
func apply(s *promotion.Snapshot, d promotion.Decision) bool {
	a, ok := d.Action.(promotion.Append)
	if ok {
		next := a.State.Clone()
		at(s, d.Key.Environment).Ledger.State = &next
	}
	return ok
}

// settled applies what is decided for staging until no entry is left to write.
func settled(of func() *promotion.Snapshot) func() *promotion.Snapshot {
	return func() *promotion.Snapshot {
		s := of()
		for range 8 {
			if !apply(s, decisionOn(s, "staging")) {
				return s
			}
		}
		panic("the entries do not end")
	}
}

// reverting is what rolling staging back changes.
func reverting(_ *promotion.Snapshot, o *promotion.Observed) {
	o.Content = &content.Result{Edits: []content.Edit{{Path: "envs/staging/v"}}, Expected: "of 1.3.2"}
}

// failed has the verdict on staging's landing, and the hold, in the ledger: it
// is to be rolled back.
var failed = settled(with(red, policy(step(config.Rollback)), reverting))

// rollingBack has the pull request #8 open that rolls staging back.
func rollingBack() *promotion.Snapshot {
	s := failed()
	claim := decisionOn(s, "staging").Action.(promotion.Claim)
	p := claim.Promotion
	p.Status, p.PullRequest, p.Base, p.Commit, p.Claimed = state.Opened, 8, "f", "p2", now.Add(-time.Minute)
	o := at(s, "staging")
	st := claim.Previous.Clone()
	st.Promotion = &p
	st.Sequence++
	o.Ledger.State = &st
	o.Head, o.FreshFor = "p2", "f"
	o.Pull = &promotion.PullRequest{
		Number: 8, Open: true, Base: "main", Head: "p2", ByApp: true, Mergeable: "clean",
		Body: "text\n\n" + state.FormatTrailers(p.Trailers("app", "staging")),
	}
	return s
}

// rolledBack has #8 merged as commit f and recorded.
func rolledBack() *promotion.Snapshot {
	s := rollingBack()
	o := at(s, "staging")
	o.Pull.Open, o.Pull.Merged, o.Pull.MergedAt, o.Pull.MergedBy, o.Pull.MergeCommit = false, true, now, "promobot[bot]", "f"
	o.Resolved = &promotion.Resolved{Before: "e", Commit: "f", Method: "merge", Expected: "of 1.3.2", Actual: "of 1.3.2", Was: "of 1.4.0"}
	if !apply(s, decisionOn(s, "staging")) {
		panic("the merge is not recorded")
	}
	back := landing("f", 0, "qa")
	back.Revision, back.Digest, back.Promotion, back.PullRequest, back.Time = "1.3.2", "of 1.3.2", o.Ledger.State.Promotion.ID, 8, now
	o.Landings = append([]promotion.Landing{back}, o.Landings...)
	o.Results["f"] = []promotion.CheckResult{{Name: "deploy", Status: "in_progress", Commit: "f", Time: now}}
	o.Content = nil
	return s
}

// says is a decision as the golden file lists it.
func says(d promotion.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", d.Standing, d.Reason)
	for _, g := range d.Gates {
		mark := "shut"
		switch {
		case g.Passed:
			mark = "open"
		case g.Waits:
			mark = "waits"
		}
		fmt.Fprintf(&b, "  gate %s %s: %s", g.Name, mark, g.Text)
		if !g.Until.IsZero() {
			fmt.Fprintf(&b, " [until %s]", g.Until.UTC().Format(time.RFC3339))
		}
		b.WriteByte('\n')
	}
	if !d.Until.IsZero() {
		fmt.Fprintf(&b, "  until %s\n", d.Until.UTC().Format(time.RFC3339))
	}
	switch a := d.Action.(type) {
	case nil:
	case promotion.Append:
		fmt.Fprintf(&b, "  entry %s: %s\n", a.Kind, a.Sentence)
	case promotion.Claim:
		what := "promotes"
		if a.Promotion.Reverts != nil {
			what = "rolls back"
		}
		if a.Moves {
			what = "moves on what"
		}
		fmt.Fprintf(&b, "  claim %s: %s\n", what, a.Why)
	default:
		fmt.Fprintf(&b, "  action %s\n", strings.TrimPrefix(fmt.Sprintf("%T", a), "promotion."))
	}
	return b.String()
}

func (x situation) says() string {
	s := x.of()
	if x.order == nil {
		return says(decisionOn(s, x.where()))
	}
	got := promotion.Obey(s, at(s, x.where()), *x.order)
	switch {
	case got.Refused:
		return "refused: " + got.Answer + "\n"
	case got.Entry == nil:
		return "answered again: " + got.Answer + "\n"
	}
	return fmt.Sprintf("answered: %s\n  entry %s: %s\n", got.Answer, got.Entry.Kind, got.Entry.Sentence)
}

// tables are all situations, by subject.
func tables() map[string][]situation {
	return map[string][]situation{
		"evidence": evidenceSituations(), "verification": verifySituations(), "failure policy": failureSituations(),
		"rollback": rollbackSituations(), "gates": gateSituations(), "orders": orderSituations(), "wishes": wishSituations(),
	}
}

func TestReasons(t *testing.T) {
	var b strings.Builder
	for _, subject := range []string{"evidence", "verification", "failure policy", "rollback", "gates", "orders", "wishes"} {
		fmt.Fprintf(&b, "# %s\n\n", subject)
		var names []string
		for _, x := range tables()[subject] {
			if slices.Contains(names, x.name) {
				t.Errorf("%s: two situations are called %q", subject, x.name)
			}
			names = append(names, x.name)
			fmt.Fprintf(&b, "== %s\n%s\n", x.name, x.says())
		}
	}
	compare(t, filepath.Join("testdata", "reasons.txt"), b.String())
}

// compare holds a text against a file, or writes it.
func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s says otherwise; if that is meant, run go test ./promotion -update:\n%s", file, diff)
	}
}

// TestEverySituation holds, in each of them, what holds everywhere: a decision
// changes nothing that it looks at, looks again only later, and has nothing to
// add once its entry stands.
func TestEverySituation(t *testing.T) {
	for subject, table := range tables() {
		for _, x := range table {
			if x.order != nil {
				continue
			}
			t.Run(subject+"/"+x.name, func(t *testing.T) {
				s := x.of()
				before := at(s, x.where()).Ledger.State.Clone()
				d := decisionOn(s, x.where())
				if diff := cmp.Diff(before, at(s, x.where()).Ledger.State.Clone()); diff != "" {
					t.Errorf("deciding changed the ledger's state:\n%s", diff)
				}
				if !d.Until.IsZero() && !d.Until.After(s.Now) {
					t.Errorf("it looks again at %v, which is past: %s", d.Until, d.Reason)
				}
				a, ok := d.Action.(promotion.Append)
				if !ok {
					return
				}
				verdictsStand(t, before, a.State)
				apply(s, d)
				if again, ok := decisionOn(s, x.where()).Action.(promotion.Append); ok && again.Sentence == a.Sentence {
					t.Errorf("decided twice: %s", a.Sentence)
				}
			})
		}
	}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// verdictsStand holds that an entry changes no verdict, and that a failed one
// comes with the hold and the rejection.
func verdictsStand(t fataler, before, after state.Environment) {
	t.Helper()
	for _, v := range before.Verdicts {
		kept := after.VerdictOf(v.Landing)
		if kept == nil && len(after.Verdicts) < state.VerdictsKept || kept != nil && !cmp.Equal(v, *kept) {
			t.Fatalf("the verdict on %s changed from %+v to %+v", v.Landing, v, kept)
		}
	}
	for _, v := range after.Verdicts {
		if before.VerdictOf(v.Landing) != nil || v.Outcome == state.Verified {
			continue
		}
		if h := after.Hold; h == nil || h.Failed != v.Landing || !h.Until.IsZero() {
			t.Fatalf("%s %s without a hold in the same entry: %+v", v.Landing, v.Outcome, h)
		}
		if v.Outcome == state.Failed && (len(after.Rejected) == 0 || after.Rejected[0].Landing != v.Landing) {
			t.Fatalf("%s failed and is not rejected: %+v", v.Landing, after.Rejected)
		}
	}
	seen := map[string]bool{}
	for _, v := range after.Verdicts {
		if seen[v.Landing] {
			t.Fatalf("%s has two verdicts", v.Landing)
		}
		seen[v.Landing] = true
	}
}
