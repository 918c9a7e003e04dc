package pages_test

// What the tests show: a shop with services in every state, a platform repository,
// and one of which hundreds of services are made.

import (
	"crypto/sha1"
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/view"
)

const (
	alice = "ana" // sees everything
	bob   = "bo"  // sees the platform alone
)

// world makes views as of a time.
type world struct{ now time.Time }

func (w world) ago(d time.Duration) time.Time { return w.now.Add(-d).Truncate(time.Second) }

func commit(n int) string { return fmt.Sprintf("%x", sha1.Sum([]byte{byte(n), byte(n >> 8)})) }

func pullURL(n int) string { return fmt.Sprintf("https://github.com/acme/shop/pull/%d", n) }

func (w world) landing(title, subject, author string, since time.Duration, pull int) *view.Landing {
	return &view.Landing{
		Commit: commit(pull), Revision: title, Title: title, Subject: subject, Author: author, Since: w.ago(since),
		PullRequest: pull, URL: pullURL(pull), By: author, Verified: true,
	}
}

var (
	hold     = view.Action{Name: "hold", Label: "Hold", Asks: "nothing is merged to prod-eu by promobot until someone resumes it"}
	rollback = view.Action{Name: "rollback", Label: "Roll back", Asks: "a pull request takes back 1.42.0, and `prod-eu` is held until someone resumes it", Danger: true}
)

func with(a view.Action, environment, pipeline string) view.Action {
	a.Command = a.Name + " " + environment + " --pipeline " + pipeline
	return a
}

// environment is one that stands and needs nothing.
func (w world) environment(pipeline, name string, landing *view.Landing, from ...string) view.Environment {
	return view.Environment{
		Pipeline: pipeline, Name: name, From: from, Mode: "auto", Production: strings.HasPrefix(name, "prod"),
		Folder: pipeline + "/overlays/" + name, Branch: "main", Line: 14, Standing: "up to date", Current: landing,
		Actions: []view.Action{with(hold, name, pipeline)}, Sequence: 1,
		Entries: []view.Entry{{Commit: commit(1), Kind: "baseline", Sentence: "what stands is adopted", Time: w.ago(30 * 24 * time.Hour)}},
	}
}

// checkout has something of everything.
func (w world) checkout() view.Pipeline {
	const key = "services/checkout"
	dev := w.environment(key, "dev", w.landing("1.43.0", "Ask for the postcode first", "ana", 12*time.Minute, 931))
	dev.Standing = "source"

	staging := w.environment(key, "staging", w.landing("1.42.0", "Retry payments", "ana", 5*time.Hour, 905), "dev")
	staging.Standing, staging.Reason, staging.Until = "verifying", "soaks for 2 h: `argocd/checkout-staging` holds", w.now.Add(38*time.Minute)
	staging.Current.Verified = false
	staging.Behind = 1
	staging.Offered = w.landing("1.43.0", "Ask for the postcode first", "ana", 12*time.Minute, 931)
	staging.Watch = &view.Watch{
		Landing: commit(905), Since: w.ago(82 * time.Minute), Holding: w.ago(80 * time.Minute),
		Evidence: []view.Evidence{
			{Name: "argocd/checkout-staging", Outcome: "success", Commit: commit(905), URL: "https://argocd.example.com/checkout", Text: "Synced, healthy", Time: w.ago(80 * time.Minute)},
			{Name: "e2e", Outcome: "in_progress", Commit: commit(905), Time: w.ago(20 * time.Minute)},
		},
	}

	eu := w.environment(key, "prod-eu", w.landing("1.40.0", "Show the total with tax", "cem", 26*time.Hour, 871), "staging")
	eu.Standing, eu.Reason = "waiting", "waits for a person's approval"
	eu.Needs, eu.NeedsSince = "approve #914: 1.42.0 has to be approved by `@acme/checkout-oncall`", w.ago(3*time.Hour)
	eu.Behind = 2
	eu.Offered = w.landing("1.42.0", "Retry payments", "ana", 5*time.Hour, 905)
	eu.Promotion = &view.Promotion{
		ID: "b1946ac92492d2347c6235b4d2611184", Title: "prod-eu: checkout 1.40.0 → 1.42.0", Status: "opened", Revision: "1.42.0", From: "staging", Attempt: 1, Rebuild: 1,
		Base: commit(40), Commit: commit(41), Branch: "promobot/services%2Fcheckout/prod-eu/1.42.0", Claimed: w.ago(3*time.Hour + 4*time.Minute), PullRequest: 914, URL: pullURL(914),
		Changes: []view.Change{{File: key + "/overlays/prod-eu/kustomization.yaml", Value: "images.checkout.newTag", Now: "1.40.0", After: "1.42.0"}, {File: key + "/overlays/prod-eu/hpa.yaml", Now: "", After: "new file, 812 bytes"}},
	}
	eu.Gates = []view.Gate{
		{Name: "upstream", Passed: true, Text: "verified in staging for 4 h"},
		{Name: "approval", Text: "a member of `@acme/checkout-oncall` has to approve", Line: 18},
		{Name: "window", Text: "`office` opens Monday 09:00 Europe/Berlin", Waits: true, Line: 14, Until: w.now.Add(40 * time.Hour)},
		{Name: "hold", Passed: true, Text: "nobody holds it"},
	}
	eu.Actions = []view.Action{
		{Name: "approve", Label: "Approve", Command: "approve", PullRequest: 914, Asks: "#914 is approved exactly as it stands, with your name"},
		with(rollback, "prod-eu", key),
		{Name: "cancel", Label: "Close", Command: "cancel", PullRequest: 914},
		with(hold, "prod-eu", key),
	}
	eu.Earlier = []view.Promotion{
		{
			ID: "a871", Title: "prod-eu: checkout 1.39.2 → 1.40.0", Status: "landed", Revision: "1.40.0", From: "staging", Attempt: 2, Base: commit(30), Commit: commit(31), Landed: commit(871),
			Claimed: w.ago(27 * time.Hour), Ended: w.ago(26 * time.Hour), PullRequest: 871, URL: pullURL(871), Approval: "cem",
			Changes: []view.Change{{File: key + "/overlays/prod-eu/kustomization.yaml", Value: "images.checkout.newTag", Now: "1.39.2", After: "1.40.0"}},
		},
		{
			ID: "a866", Title: "prod-eu: checkout 1.39.2 → 1.40.0", Status: "closed", Revision: "1.40.0", From: "staging", Attempt: 1, Base: commit(28), Commit: commit(29),
			Claimed: w.ago(31 * time.Hour), Ended: w.ago(27 * time.Hour), PullRequest: 866, URL: pullURL(866), Reason: "the merge was refused three times",
		},
	}
	eu.Sequence = 57
	eu.Entries = []view.Entry{
		{Commit: commit(64), Kind: "opened", Sentence: "#914 is open: 1.40.0 → 1.42.0", Time: w.ago(3 * time.Hour), URL: pullURL(914), Promotion: eu.Promotion.ID},
		{Commit: commit(63), Kind: "claim", Sentence: "1.42.0 is promoted from staging", Time: w.ago(3*time.Hour + 4*time.Minute), Promotion: eu.Promotion.ID},
		{Commit: commit(62), Kind: "verdict", Sentence: "1.40.0 is verified: `argocd/checkout-prod-eu` held for 1 h", Time: w.ago(25 * time.Hour), Promotion: "a871"},
		{Commit: commit(61), Kind: "landed", Sentence: "#871 landed as 7c1e0aa, merged by promobot", Time: w.ago(26 * time.Hour), URL: pullURL(871), Promotion: "a871"},
		{Commit: commit(60), Kind: "resume", Sentence: "@cem ends the hold", Time: w.ago(50 * time.Hour)},
		{Commit: commit(59), Kind: "hold", Sentence: "@cem holds prod-eu: migration of the database", Time: w.ago(55 * time.Hour)},
	}
	eu.Verdicts = []view.Verdict{{
		Landing: commit(871), Revision: "1.40.0", Outcome: "verified", Reason: "all of it held for 1 h", Time: w.ago(25 * time.Hour),
		Evidence: []view.Evidence{{Name: "argocd/checkout-prod-eu", Outcome: "success", Commit: commit(871), URL: "https://argocd.example.com/checkout", Time: w.ago(26 * time.Hour)}},
	}}

	us := w.environment(key, "prod-us", w.landing("1.39.2", "Take back 1.41.0", "promobot[bot]", 70*time.Minute, 902), "staging")
	us.Current.Reverts = true
	us.Standing, us.Reason = "stopped", "held since a verification failed"
	us.Needs, us.NeedsSince = "look at it and resume: `slo/checkout` failed 11 min after #899", w.ago(75*time.Minute)
	us.Promotion = &view.Promotion{
		ID: "r902", Title: "prod-us: roll back checkout 1.41.0 → 1.39.2", Status: "landed", Revision: "1.39.2", From: "staging", Attempt: 1, Base: commit(70), Commit: commit(71), Reverts: "a899",
		Claimed: w.ago(74 * time.Minute), Ended: w.ago(70 * time.Minute), Landed: commit(902), PullRequest: 902, URL: pullURL(902),
	}
	us.Hold = &view.Hold{Reason: "`slo/checkout` failed 11 min after #899", By: "promobot", Since: w.ago(75 * time.Minute)}
	us.Failure = &view.Failure{Kind: "verification", Reason: "`slo/checkout` failed: error rate 4.1 % > 1 %", Since: w.ago(75 * time.Minute), Over: true, Steps: []view.Step{{Do: "rollback", Time: w.ago(74 * time.Minute), Result: "done", URL: pullURL(902)}}}
	us.Rejected = []view.Rejected{{Revision: "1.41.0", Reason: "`slo/checkout` failed", Time: w.ago(75 * time.Minute)}}
	us.Actions = []view.Action{{Name: "resume", Label: "Resume", Command: "resume prod-us --pipeline " + key, Asks: "prod-us goes on; 1.41.0 stays rejected, 1.42.0 may come"}}
	us.Verdicts = []view.Verdict{{
		Landing: commit(899), Revision: "1.41.0", Outcome: "failed", Reason: "error rate 4.1 % > 1 %", Time: w.ago(75 * time.Minute),
		Evidence: []view.Evidence{{Name: "slo/checkout", Outcome: "failure", Commit: commit(899), URL: "https://slo.example.com/checkout", Text: "error rate 4.1 % > 1 %", Time: w.ago(76 * time.Minute)}},
	}}
	us.Entries = append([]view.Entry{
		{Commit: commit(74), Kind: "landed", Sentence: "#902 landed: 1.41.0 is taken back", Time: w.ago(70 * time.Minute), URL: pullURL(902), Promotion: "r902"},
		{Commit: commit(73), Kind: "verdict", Sentence: "1.41.0 has failed: `slo/checkout`, error rate 4.1 % > 1 %", Time: w.ago(75 * time.Minute)},
		{Commit: commit(72), Kind: "landed", Sentence: "#899 landed: 1.41.0", Time: w.ago(86 * time.Minute), URL: pullURL(899)},
	}, us.Entries...)
	us.Sequence = 4
	return view.Pipeline{Key: key, Title: "checkout", Environments: []view.Environment{dev, staging, eu, us}}
}

// shop is a repository with services in every state.
func (w world) shop() view.Repository {
	r := w.repository(1, "shop")
	r.Pipelines = append(r.Pipelines, w.checkout())
	for i, name := range []string{"cart", "catalogue", "mail", "search"} {
		p := w.service("services/"+name, name, i+2, "dev", "staging", "prod-eu", "prod-us")
		r.Pipelines = append(r.Pipelines, p)
	}
	cart, mail, search := r.Pipelines[1].Environments, r.Pipelines[3].Environments, r.Pipelines[4].Environments
	cart[2].Hold = &view.Hold{Reason: "Christmas sale", By: "cem", Since: w.ago(9 * 24 * time.Hour), Until: w.now.Add(20 * 24 * time.Hour)}
	cart[2].Behind = 4
	mail[1].Standing, mail[1].Reason = "merging", "all gates are open"
	mail[1].Promotion = &view.Promotion{ID: "m1", Title: "staging: mail 2.1.0 → 2.2.0", Status: "opened", Revision: "2.2.0", From: "dev", Attempt: 1, Claimed: w.ago(4 * time.Minute), PullRequest: 933, URL: pullURL(933)}
	search[3].Mode, search[3].Standing, search[3].Reason = "observe", "observed", "would promote 3.0.1; mode observe"
	search[3].Shadow = &view.Shadow{
		Since: w.ago(30 * 24 * time.Hour), Offered: 18, Same: 14, Changed: 1, Closed: 1, Reverted: 1, Open: 1, Sooner: 5*time.Hour + 20*time.Minute,
		Cases: []view.ShadowCase{
			{Revision: "3.0.1", Title: "3.0.1", Auto: w.ago(2 * time.Hour), People: "open", PullRequest: 930, URL: pullURL(930)},
			{Revision: "3.0.0", Title: "3.0.0", Auto: w.ago(50 * time.Hour), People: "reverted", At: w.ago(44 * time.Hour), PullRequest: 890, URL: pullURL(890)},
			{Revision: "2.9.4", Title: "2.9.4", Auto: w.ago(99 * time.Hour), People: "same", At: w.ago(95 * time.Hour), PullRequest: 877, URL: pullURL(877)},
			{Revision: "2.9.3", Title: "2.9.3", People: "closed", At: w.ago(200 * time.Hour), PullRequest: 850, URL: pullURL(850)},
		},
	}
	search[2].Current = w.landing("3.0.1", "Rank by stock, too", "dee", 48*time.Minute, 929)
	return r
}

func (w world) repository(id int64, name string) view.Repository {
	return view.Repository{
		Version: view.Version, ID: id, Installation: 7, Owner: "acme", Name: name, URL: "https://github.com/acme/" + name, DefaultBranch: "main",
		At: w.ago(40 * time.Second), Next: w.now.Add(5 * time.Minute), File: ".github/promobot.yml", FileURL: "https://github.com/acme/" + name + "/blob/main/.github/promobot.yml",
	}
}

// service is a pipeline in which nothing is to be said.
func (w world) service(key, title string, n int, environments ...string) view.Pipeline {
	p := view.Pipeline{Key: key, Title: title}
	for i, name := range environments {
		l := w.landing(fmt.Sprintf("2.%d.%d", n%30, i), "Change number "+fmt.Sprint(n), "dee", time.Duration(n*7+i*31+3)*time.Hour, 400+n)
		e := w.environment(key, name, l)
		if i > 0 {
			e.From = environments[i-1 : i]
		}
		if i == 0 {
			e.Standing = "source"
		}
		p.Environments = append(p.Environments, e)
	}
	return p
}

// platform is another repository, with other environments, in trouble.
func (w world) platform() view.Repository {
	r := w.repository(2, "platform")
	r.Problems = []view.Problem{{Line: 12, Text: "`from: qaa` names no environment; did you mean `qa`?", URL: r.FileURL + "#L12"}}
	r.Error, r.ErrorAt = "GitHub answers 502 to git fetch", w.ago(3*time.Minute)
	r.Pipelines = []view.Pipeline{w.service("ingress", "ingress", 3, "qa", "prod"), w.service("monitoring", "monitoring", 5, "qa", "prod")}
	return r
}

// large is a repository of n services of four environments, in which one in five
// has something to say.
func (w world) large(n int) view.Repository {
	r := w.repository(3, "monorepo")
	for i := range n {
		name := fmt.Sprintf("service-%03d", i)
		p := w.service("services/"+name, name, i, "dev", "staging", "prod-eu", "prod-us")
		es := p.Environments
		if i%5 == 0 {
			es[2].Standing, es[2].Behind = "waiting", 2
			es[2].Promotion = &view.Promotion{ID: fmt.Sprint("p", i), Title: "prod-eu: " + name, Status: "opened", PullRequest: 1000 + i, URL: fmt.Sprintf("https://github.com/acme/monorepo/pull/%d", 1000+i), Claimed: w.ago(time.Hour)}
		}
		if i%11 == 0 {
			es[3].Needs, es[3].NeedsSince = fmt.Sprintf("merge or close #%d", 2000+i), w.ago(time.Duration(i)*time.Hour)
		}
		if i%13 == 0 {
			es[1].Hold = &view.Hold{Reason: "load test", By: "dee", Since: w.ago(time.Hour)}
		}
		r.Pipelines = append(r.Pipelines, p)
	}
	return r
}
