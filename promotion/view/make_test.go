package view_test

// The view of a repository: what it says of a good run, of one that failed, and of
// a pipeline file that is broken; and what it carries on from the one before.

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

var update = flag.Bool("update", false, "write testdata anew")

var now = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// sha is a commit's id.
func sha(c string) string { return strings.Repeat(c, 40) }

// world is a pipeline dev → staging → prod of a shop, in which nothing is to be
// done: every baseline is the commit b.
type world struct{ *promotion.Snapshot }

func newWorld(mode config.Mode) world {
	var commits []promotion.Commit
	for i, c := range []string{"f", "e", "d", "c", "b", "a"} {
		commits = append(commits, promotion.Commit{
			ID: sha(c), Message: "commit " + c, Author: promotion.Person{Name: "Ana", Email: "ana@example.com"}, Time: now.Add(time.Duration(-i) * time.Hour),
		})
	}
	s := &promotion.Snapshot{
		Repository: promotion.Repository{ID: 7, Owner: "acme", Name: "gitops", URL: "https://github.example/acme/gitops", DefaultBranch: "main", Merge: true},
		App:        "promobot[bot]", Now: now, Limits: config.Limits{Open: 20, PerHour: 30, PerEnvironment: 8}, Chain: promotion.NewChain(commits),
	}
	p := &config.Pipeline{Key: "shop", Group: "shop", Title: "shop"}
	for i, e := range []config.Environment{{Name: "dev", Mode: config.Auto}, {Name: "staging", From: []string{"dev"}, Mode: mode}, {Name: "prod", From: []string{"staging"}, Mode: config.Propose}} {
		e.Present, e.Verified, e.Limit, e.Line, e.Deliver, e.Merge = true, true, 8, 3+i, config.ByPullRequest, config.MergeByPromobot
		e.Place = content.Place{Dir: "envs/" + e.Name}
		p.Environments = append(p.Environments, e)
	}
	for i := range p.Environments {
		e := &p.Environments[i]
		st := state.Environment{Sequence: 1, Baseline: state.Baseline{Commit: sha("b"), Time: now.Add(-5 * time.Hour)}, Position: map[string]state.Position{}}
		for _, f := range e.From {
			st.Position[f] = state.Position{Commit: sha("b")}
		}
		s.Environments = append(s.Environments, promotion.Observed{
			Key: promotion.Key{Pipeline: "shop", Environment: e.Name}, Pipeline: p, Config: e,
			Ledger: promotion.Ledger{Ref: state.Ref("shop", e.Name), Tip: sha("1"), State: &st, At: now},
		})
	}
	return world{s}
}

func (w world) of(environment string) *promotion.Observed {
	for i := range w.Environments {
		if w.Environments[i].Key.Environment == environment {
			return &w.Environments[i]
		}
	}
	panic(environment)
}

// lands has somebody's commit land in an environment.
func (w world) lands(environment, c, digest string) {
	o := w.of(environment)
	i, on := w.Chain.Index(sha(c))
	if !on {
		panic(c)
	}
	l := promotion.Landing{Index: i, Origin: environment, Digest: digest}
	promotion.Describe(&l, w.Chain.Commits[i])
	o.Landings = append([]promotion.Landing{l}, o.Landings...)
}

// offers has dev's commit offered to staging, of which it makes 2.0.0.
func (w world) offers(c string) {
	w.lands("dev", c, "of 2.0.0 in dev")
	w.of("staging").Content = &content.Result{
		Edits:   []content.Edit{{Path: "envs/staging/values.yaml"}},
		Changes: []content.Change{{File: "envs/staging/values.yaml", Value: "image.tag", Now: "1.0.0", After: "2.0.0"}},
		Was:     "of 1.0.0", Expected: "of 2.0.0", From: "1.0.0", To: "2.0.0",
	}
}

func (w world) seen() view.Seen {
	return view.Seen{Snapshot: w.Snapshot, Decisions: promotion.Decide(w.Snapshot), File: config.Path, At: w.Now}
}

func environment(t *testing.T, v view.Repository, name string) view.Environment {
	t.Helper()
	for _, p := range v.Pipelines {
		for _, e := range p.Environments {
			if e.Name == name {
				return e
			}
		}
	}
	t.Fatalf("%s is not shown", name)
	return view.Environment{}
}

// TestJSON holds what the API answers against a golden file.
func TestJSON(t *testing.T) {
	w := newWorld(config.Auto)
	w.offers("d")
	staging, prod := w.of("staging"), w.of("prod")
	p := state.Promotion{
		ID: "id", Status: state.Opened, Revision: sha("d"), Origin: "dev", Attempt: 2, From: "dev", Landing: sha("d"), Base: sha("d"), Commit: sha("9"),
		Branch: "promobot/shop/staging/dddddddddd-id", Expected: "of 2.0.0", Claimed: now.Add(-10 * time.Minute), PullRequest: 7,
		Past: []state.Past{{Gate: "window", By: "ana"}},
	}
	staging.Config.Approval = true
	staging.Ledger.State.Promotion, staging.Head, staging.FreshFor = &p, sha("9"), sha("f")
	staging.Pull = &promotion.PullRequest{
		Number: 7, Title: "staging: shop 1.0.0 → 2.0.0", Open: true, Base: "main", Head: sha("9"), ByApp: true,
		Body: "text\n\n" + state.FormatTrailers(p.Trailers("shop", "staging")),
	}
	prod.Ledger.State.Hold = &state.Hold{Reason: "1.4.0 failed", By: "promobot", Since: now.Add(-time.Hour), Failed: sha("c")}
	prod.Ledger.State.Failure = &state.Failure{Kind: "verification", Reason: "deploy failed", Since: now.Add(-time.Hour), Over: true, Steps: []state.Taken{{Do: "run", Time: now, Result: "failed", URL: "javascript:alert(1)"}}}
	prod.Ledger.State.Verdicts = []state.Verdict{{Landing: sha("c"), Revision: sha("c"), Outcome: state.Failed, Reason: "deploy failed", Time: now, Evidence: []state.Evidence{{Name: "deploy", Outcome: "failure", Commit: sha("c"), URL: "https://ci.example/1", Time: now}}}}
	prod.Ledger.State.Rejected = []state.Rejected{{Revision: sha("c"), Reason: "deploy failed", Time: now}}
	seen := w.seen()
	seen.Next = now.Add(time.Hour)
	seen.Entries = map[promotion.Key][]view.Entry{staging.Key: {{Commit: sha("1"), Kind: "opened", Sentence: "#7 opened", Time: now}}}
	got, err := json.MarshalIndent(view.Make(seen, nil), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join("testdata", "repository.json")
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, append(got, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)+"\n"); d != "" {
		t.Errorf("the view changed; if that is meant, go test ./promotion/view -update (-golden +now):\n%s", d)
	}
}

func TestARunThatFailed(t *testing.T) {
	w := newWorld(config.Auto)
	first := view.Make(w.seen(), nil)
	later := now.Add(time.Minute)
	failed := view.Make(view.Seen{Error: "GitHub\nanswered \u202e502", At: later}, &first)
	want := first
	want.Error, want.ErrorAt = "GitHub answered 502", later
	if d := cmp.Diff(want, failed); d != "" {
		t.Errorf("all but the error is as before (-want +got):\n%s", d)
	}
	if never := view.Make(view.Seen{Error: "no", At: later}, nil); !never.At.IsZero() || never.Error != "no" {
		t.Errorf("without anything before: %+v", never)
	}
	if again := view.Make(w.seen(), &failed); again.Error != "" || !again.ErrorAt.IsZero() {
		t.Errorf("the error stays: %+v", again)
	}
}

func TestABrokenPipelineFile(t *testing.T) {
	w := newWorld(config.Propose)
	w.offers("d")
	first := view.Make(w.seen(), nil)
	if len(environment(t, first, "staging").Actions) == 0 {
		t.Fatal("staging has no actions to begin with")
	}
	_, problems := config.Parse(config.Path, []byte("version: 1\nenvironmens: {}\n"))
	if len(problems) == 0 {
		t.Fatal("the file is not broken")
	}
	s := *w.Snapshot
	s.Environments = nil
	broken := view.Make(view.Seen{Snapshot: &s, File: config.Path, Problems: problems, At: now}, &first)
	last := broken.Problems[len(broken.Problems)-1]
	if len(broken.Problems) != len(problems) || last.Line != 2 || !strings.Contains(last.Text, "did you mean environments") || !strings.HasSuffix(last.URL, "/acme/gitops/blob/main/.github/promobot.yml#L2") {
		t.Errorf("the problems are %+v", broken.Problems)
	}
	e := environment(t, broken, "staging")
	if len(e.Actions) != 0 || e.Offered == nil {
		t.Errorf("what stood before the file broke: %+v", e)
	}
	if len(environment(t, first, "staging").Actions) == 0 {
		t.Error("the view before was changed")
	}
	mended := view.Make(w.seen(), &broken)
	if len(mended.Problems) != 0 || len(environment(t, mended, "staging").Actions) == 0 {
		t.Errorf("mended: %+v", mended)
	}
	gone := s
	if v := view.Make(view.Seen{Snapshot: &gone, At: now}, &first); len(v.Pipelines) != 0 || v.File != "" || v.FileURL != "" {
		t.Errorf("without a file: %+v", v)
	}
}

// TestVersionsAreRemembered: what a commit set is known while it is promoted, and
// shown as long as it stands.
func TestVersionsAreRemembered(t *testing.T) {
	w := newWorld(config.Propose)
	w.offers("d")
	v := view.Make(w.seen(), nil)
	if e := environment(t, v, "staging"); e.Offered.Title != "2.0.0" || e.Current.Title != "1.0.0" || !e.Current.Baseline || e.Behind != 1 {
		t.Errorf("staging before: %+v, offered %+v", e.Current, e.Offered)
	}
	if e := environment(t, v, "dev"); e.Current.Title != "2.0.0" {
		t.Errorf("dev: %+v", e.Current)
	}
	st := w.of("staging").Ledger.State
	st.Position["dev"] = state.Position{Commit: sha("d"), Revision: sha("d")}
	st.Landing = &state.Landing{ID: "id", Commit: sha("e"), Before: sha("d"), Revision: sha("d"), By: "bo", PullRequest: 7, Expected: "x", Actual: "x", Time: now}
	w.of("staging").Landings = []promotion.Landing{{Commit: sha("e"), Index: 1, Revision: sha("d"), Promotion: "id", PullRequest: 7}}
	w.of("staging").Content = nil
	v = view.Make(w.seen(), &v)
	want := &view.Landing{
		Commit: sha("e"), Revision: sha("d"), Title: "2.0.0", Since: now, PullRequest: 7, URL: "https://github.example/acme/gitops/pull/7", By: "bo",
	}
	if d := cmp.Diff(want, environment(t, v, "staging").Current); d != "" {
		t.Errorf("staging after (-want +got):\n%s", d)
	}
	if e := environment(t, v, "prod"); e.Current.Title != sha("b")[:10] || e.Behind != 1 {
		t.Errorf("prod is at %+v, %d behind", e.Current, e.Behind)
	}
}

// TestSinceWhenAPersonIsNeeded is carried on for as long as anything is needed.
func TestSinceWhenAPersonIsNeeded(t *testing.T) {
	w := newWorld(config.Auto)
	o := w.of("staging")
	o.Ledger.Problem = "its ledger was deleted; restore it"
	v := view.Make(w.seen(), nil)
	w.Now = now.Add(time.Hour)
	o.Ledger.Problem = "its ledger was moved back; restore it"
	v = view.Make(w.seen(), &v)
	if e := environment(t, v, "staging"); !e.NeedsSince.Equal(now) || !strings.Contains(e.Needs, "moved back") {
		t.Errorf("needs %q since %v", e.Needs, e.NeedsSince)
	}
	o.Ledger.Problem = ""
	v = view.Make(w.seen(), &v)
	w.Now = now.Add(2 * time.Hour)
	o.Ledger.Problem = "its ledger was deleted; restore it"
	v = view.Make(w.seen(), &v)
	if e := environment(t, v, "staging"); !e.NeedsSince.Equal(w.Now) {
		t.Errorf("needed anew since %v", e.NeedsSince)
	}
}

func TestProduction(t *testing.T) {
	from := func(name string, from ...string) config.Environment {
		return config.Environment{Name: name, From: from}
	}
	for name, c := range map[string]struct {
		environments []config.Environment
		want         []string
	}{
		"by name":             {[]config.Environment{from("dev"), from("prod-eu", "dev"), from("prod-us", "dev"), from("dr", "prod-us")}, []string{"prod-eu", "prod-us"}},
		"within a name":       {[]config.Environment{from("dev"), from("eu-prod", "dev"), from("eu-live1", "dev")}, []string{"eu-prod", "eu-live1"}},
		"not what only has":   {[]config.Environment{from("nonprod"), from("pre-prod", "nonprod"), from("product", "pre-prod"), from("production", "product")}, []string{"production"}},
		"the last":            {[]config.Environment{from("dev"), from("staging", "dev"), from("customers", "staging")}, []string{"customers"}},
		"several that end":    {[]config.Environment{from("dev"), from("eu", "dev"), from("us", "dev")}, []string{"eu", "us"}},
		"one by itself":       {[]config.Environment{from("cluster")}, nil},
		"one by itself, so":   {[]config.Environment{from("prod")}, []string{"prod"}},
		"delivery is no live": {[]config.Environment{from("dev"), from("delivery", "dev"), from("alive", "delivery")}, []string{"alive"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range c.environments {
				if view.Production(&config.Pipeline{Environments: c.environments}, e.Name) {
					got = append(got, e.Name)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestHostileWords: nothing that comes from a repository turns a text around, is
// endless, or leads to where a link should not.
func TestHostileWords(t *testing.T) {
	w := newWorld(config.Propose)
	w.offers("d")
	o := w.of("dev")
	o.Landings[0].Subject = "a\u202eb\x1b[31m\x00c\n" + strings.Repeat("x", 5000)
	o.Landings[0].Author.Name = "<script>\r\nalert(1)</script>\xff"
	w.of("staging").Content.Changes[0].After = strings.Repeat("ü", 5000)
	v := view.Make(w.seen(), nil)
	l := environment(t, v, "dev").Current
	if !strings.HasPrefix(l.Subject, "ab[31mc xxx") || len([]rune(l.Subject)) > 600 || l.Author != "<script>  alert(1)</script>\uFFFD" {
		t.Errorf("subject %.40q (%d), author %q", l.Subject, len(l.Subject), l.Author)
	}
	if after := environment(t, v, "staging").Would[0].After; len([]rune(after)) > 200 {
		t.Errorf("a value of %d characters", len([]rune(after)))
	}
	for address, want := range map[string]string{
		"https://ci.example/run/1?a=b#c": "https://ci.example/run/1?a=b#c", "http://ci.internal/1": "http://ci.internal/1",
		"javascript:alert(1)": "", "data:text/html,x": "", "//evil.example": "", "https://user:secret@ci.example/": "", "https://": "", "": "", "https://ci.example/\"><script>": "https://ci.example/%22%3E%3Cscript%3E",
	} {
		st := w.of("staging").Ledger.State
		st.Failure = &state.Failure{Steps: []state.Taken{{Do: "run", URL: address}}}
		if got := environment(t, view.Make(w.seen(), nil), "staging").Failure.Steps[0].URL; got != want {
			t.Errorf("%q leads to %q, want %q", address, got, want)
		}
	}
}

// BenchmarkMake is a monorepo of 1,200 ledgers, each promotion of which is open.
func BenchmarkMake(b *testing.B) {
	one := newWorld(config.Propose)
	one.offers("d")
	s := *one.Snapshot
	s.Environments = nil
	for i := range 400 {
		w := newWorld(config.Propose)
		w.offers("d")
		p := *w.Environments[0].Pipeline
		p.Key, p.Title = fmt.Sprintf("services/s%d", i), fmt.Sprintf("s%d", i)
		for _, o := range w.Environments {
			o.Key.Pipeline, o.Pipeline = p.Key, &p
			s.Environments = append(s.Environments, o)
		}
	}
	seen := view.Seen{Snapshot: &s, Decisions: promotion.Decide(&s), At: now}
	v := view.Make(seen, nil)
	for b.Loop() {
		v = view.Make(seen, &v)
	}
}
