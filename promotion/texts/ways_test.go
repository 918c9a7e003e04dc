package texts_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// ways are the promotions that do not simply go from one folder to the next.
func ways() map[string]texts.Promotion {
	ps := map[string]texts.Promotion{}
	for name, change := range map[string]func(*texts.Promotion){
		"version": version, "managed-upstream": managedUpstream, "branches": branches, "first-branch": firstBranch,
		"auto-merge": autoMerge, "queue": queued, "rebuilt": rebuilt, "superseding": superseding,
		"window": guarded, "approval": unapproved, "soak": soaking, "held": holding, "passed": passedBy,
		"verified-upstream": func(p *texts.Promotion) { p.Verdict = canaryVerdict() },
	} {
		ps[name] = with(auto(), change)
	}
	return ps
}

func whole(p texts.Promotion) string {
	title, message := texts.MergeMessage(p)
	return section("title", texts.Title(p)) + section("body", texts.Body(p)) + section("commit", texts.CommitMessage(p)) +
		section("merge", title+"\n\n"+message) + section("head check", checkText(texts.HeadCheck(p)))
}

func TestWaysTexts(t *testing.T) {
	for name, p := range ways() {
		t.Run(name, func(t *testing.T) { golden(t, "way-"+name, whole(p)) })
	}
}

func TestWaysConclusions(t *testing.T) {
	for name, want := range map[string]string{
		"window": "Waits for window: Wed 09:00 Europe/Berlin", "approval": "Waits for approval",
		"soak": "Waits for what soaks in prod-eu: until 3 Mar 17:25 UTC", "held": "Held until 4 Mar 09:00 UTC: the payment provider is down",
		"queue": "It stands in the merge queue of main",
	} {
		t.Run(name, func(t *testing.T) {
			if c := texts.HeadCheck(ways()[name]); c.Title != want || c.Conclusion != "neutral" {
				t.Errorf("it says %q, %s; want %q, neutral", c.Title, c.Conclusion, want)
			}
		})
	}
}

// A push has a commit and no pull request.
func TestPushedCommit(t *testing.T) {
	p := with(auto(), func(p *texts.Promotion) {
		p.Config.Deliver, p.State.PullRequest, p.State.URL, p.State.Branch = config.ByPush, 0, "", ""
		p.Verdict = canaryVerdict()
	})
	message := texts.CommitMessage(p)
	golden(t, "push", message)
	if _, named := state.ParseTrailers(message)[state.TrailerPullRequest]; named {
		t.Errorf("a pull request is named in\n%s", message)
	}
}

func TestSuperseded(t *testing.T) {
	body := texts.Body(auto())
	once := texts.Superseded(body, 921)
	golden(t, "superseded", once)
	if twice := texts.Superseded(once, 921); twice != once {
		t.Errorf("written twice it is another text:\n%s", cmp.Diff(once, twice))
	}
	if d := cmp.Diff(state.ParseTrailers(body), state.ParseTrailers(once)); d != "" {
		t.Errorf("the trailers changed (-before +after):\n%s", d)
	}
	full := strings.Repeat("x", 65536)
	if texts.Superseded(full, 921) != full {
		t.Error("a text that is as long as GitHub takes became longer")
	}
}

func TestBatchTexts(t *testing.T) {
	for name, ps := range batches() {
		t.Run(name, func(t *testing.T) {
			title, message := texts.BatchMergeMessage(ps)
			golden(t, "batch-"+name,
				section("title", texts.BatchTitle(ps))+section("body", texts.BatchBody(ps))+
					section("commit of one", texts.CommitMessage(ps[0]))+section("merge", title+"\n\n"+message)+
					section("head check", checkText(texts.BatchHeadCheck(ps))))
			name := ps[0].State.Batch.Name()
			for what, text := range map[string]string{"body": texts.BatchBody(ps), "merge": message, "commit": texts.CommitMessage(ps[0])} {
				if got := state.ParseTrailers(text)[state.TrailerBatch]; got != name {
					t.Errorf("%s: the batch read back is %q", what, got)
				}
				if what != "commit" && strings.Count(text, state.TrailerID+": ") != len(ps) {
					t.Errorf("%s names %d promotions of %d", what, strings.Count(text, state.TrailerID+": "), len(ps))
				}
			}
		})
	}
}

func TestBatchHeadChecks(t *testing.T) {
	for name, want := range map[string]struct{ title, conclusion string }{
		"few":     {"Merges when GitHub allows it", "neutral"},
		"person":  {"svc-002: Waits for a person to merge: changes of kind drift", "neutral"},
		"stopped": {"svc-001: Stopped: services/checkout/overlays/prod-eu/config/app.yaml: replicas was changed by both", "failure"},
	} {
		t.Run(name, func(t *testing.T) {
			c := texts.BatchHeadCheck(batches()[name])
			if c.Title != want.title || c.Conclusion != want.conclusion {
				t.Errorf("it says %q, %s; want %q, %s", c.Title, c.Conclusion, want.title, want.conclusion)
			}
		})
	}
}

func TestBatchLimits(t *testing.T) {
	long := strings.Repeat("<@é|`#1 ", 60)
	ps := batch(300)
	for i := range ps {
		ps[i].Pipeline.Title, ps[i].Decision.Content.From, ps[i].Decision.Content.To = long, long, long
		c := &ps[i].Decision.Content.Changes[0]
		c.File, c.Value, c.Now, c.After, c.Overwrites = long, long, long, long, true
		for range 20 {
			ps[i].State.Attempts = append(ps[i].State.Attempts, state.Rebuild{Why: long, From: id(1), To: id(2), Time: tuesday})
		}
		ps[i].Decision.Gates[4].Text = long
	}
	body := texts.BatchBody(ps)
	if len(body) > 65536 || len(body) < 10000 {
		t.Errorf("the body has %d bytes", len(body))
	}
	if got := state.ParseTrailers(body)[state.TrailerBatch]; got != ps[0].State.Batch.Name() {
		t.Errorf("the batch read back is %q", got)
	}
	for _, want := range []string{"**Merges:**", "more", "**Undo after merging:**", "</details>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the shortened body lacks %s", want)
		}
	}
	if n := utf8.RuneCountInString(texts.BatchTitle(ps)); n > 256 {
		t.Errorf("the title has %d characters", n)
	}
	if c := texts.BatchHeadCheck(ps); len(c.Summary) > 65535 || utf8.RuneCountInString(c.Title) > 256 {
		t.Errorf("the head check has %d bytes", len(c.Summary))
	}
}
