package github_test

// The world of the tests against the simulator: acme/shop, private, with the
// App promobot on it, and every request and answer held against GitHub's own
// description.

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
	"github.com/promobot/promobot/promotion/github"
	"github.com/promobot/promobot/promotion/reconcile"
)

const shop = "acme/shop"

// granted is what promobot's App asks for, with what it uses when it is there.
var granted = map[string]string{"contents": "write", "pull_requests": "write", "checks": "write", "issues": "read", "workflows": "write"}

type world struct {
	*simtest.Sim
	t     *testing.T
	clock *clock
	bot   githubsim.App
	inst  int64
	app   *github.App
	repo  *github.Repository
	id    int64        // of the repository
	olga  *gh.Client   // an owner
	sent  atomic.Int64 // requests of app since the journal was emptied
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, nil)
}

// newWorldOf is a world in which more is granted than promobot needs at least.
func newWorldOf(t *testing.T, more map[string]string) *world {
	t.Helper()
	permissions := maps.Clone(granted)
	maps.Copy(permissions, more)
	// The clock starts at the real time, in which net/http dates what the
	// simulator's faults answer.
	w := &world{t: t, clock: &clock{now: time.Now().UTC().Truncate(time.Second)}}
	w.Sim = simtest.Start(t, githubsim.Options{Clock: w.clock.Now})
	w.must(w.CreateUser("olga"))
	w.must(w.CreateOrganization("acme", []string{"olga"}, nil))
	w.must(w.CreateRepository(t.Context(), "acme", "shop", githubsim.RepoOptions{Private: true}))
	w.commit("main", "version: 1\n")
	var err error
	w.bot, err = w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "promobot", Permissions: permissions})
	w.must(err)
	w.inst, err = w.Install(w.bot.ID, "acme")
	w.must(err)
	w.olga = w.UserClient("olga")
	repository, _, err := w.olga.Repositories.Get(t.Context(), "acme", "shop")
	w.must(err)
	w.id = repository.GetID()
	w.restart()
	return w
}

// restart makes the App anew, as a new process would.
func (w *world) restart(change ...func(*github.Options)) {
	w.t.Helper()
	o := github.Options{
		AppID: w.bot.ID, PrivateKey: w.bot.PrivateKeyPEM, BaseURL: w.BaseURL, Now: w.clock.Now, UserAgent: "promobot/test",
		Observe: func(github.Observation) { w.sent.Add(1) },
	}
	for _, f := range change {
		f(&o)
	}
	app, err := github.New(o)
	w.must(err)
	w.app = app
	w.repo = app.Repository(w.inst, w.id, "acme", "shop")
	w.forget()
}

// journal is what the App has asked. The simulator writes a request down after
// it has answered, so the last ones are waited for.
func (w *world) journal() githubsim.Journal {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		got := slices.DeleteFunc(w.Journal(), func(r githubsim.Request) bool {
			return r.Caller != githubsim.CallerApp && r.Caller != githubsim.CallerInstallation
		})
		if int64(len(got)) >= w.sent.Load() {
			return got
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("the journal has %d of %d requests", len(got), w.sent.Load())
		}
	}
}

// forget empties the journal.
func (w *world) forget() {
	w.t.Helper()
	w.journal()
	w.ResetJournal()
	w.sent.Store(0)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// commit writes envs/qa.yml on a branch, as olga.
func (w *world) commit(branch, text string) string {
	w.t.Helper()
	id, err := w.Commit(w.t.Context(), shop, "olga", branch, "Write "+text, map[string]*string{"envs/qa.yml": &text})
	w.must(err)
	return id
}

// open lets promobot open a pull request of a new branch with one commit.
func (w *world) open(branch string) (number int, head string) {
	w.t.Helper()
	head = w.commit(branch, "version: 2 # "+branch+"\n")
	p, err := w.repo.CreatePullRequest(w.t.Context(), reconcile.NewPullRequest{Branch: branch, Base: "main", Title: "qa: 1 → 2", Body: "why\n"})
	w.must(err)
	return p.Number, head
}

// asked is the journal in brief: "GET /repos/{owner}/{repo}/pulls 304".
func (w *world) asked() []string {
	var out []string
	for _, r := range w.journal() {
		out = append(out, fmt.Sprintf("%s %s %d", r.Method, r.Route, r.Status))
	}
	return out
}

func (w *world) tokens() int {
	return len(slices.DeleteFunc(w.asked(), func(s string) bool {
		return s != "POST /app/installations/{installation_id}/access_tokens 201"
	}))
}

// pull is a pull request as olga sees it.
func (w *world) pull(number int) *gh.PullRequest {
	w.t.Helper()
	p, _, err := w.olga.PullRequests.Get(w.t.Context(), "acme", "shop", number)
	w.must(err)
	return p
}

// names are the logins of people.
func names(people []*gh.User) []string {
	var out []string
	for _, u := range people {
		out = append(out, u.GetLogin())
	}
	return out
}
