package github_test

// Pacing against a GitHub that counts: no window of its own ever sees more than
// the limit, and next to nothing of the limit is lost.

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/github"
	"github.com/promobot/promobot/promotion/reconcile"
)

// counting is a GitHub that takes its time: a request has its effect somewhere
// between its sending and its answer.
type counting struct {
	mu      sync.Mutex
	n       int
	effects []time.Time
}

// RoundTrip answers every request, opened pull requests among them.
func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	switch {
	case strings.HasSuffix(r.URL.Path, "/access_tokens"):
		answer(http.StatusCreated, obj{"token": "ghs_secret1", "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})(rec, r)
	case r.URL.Path == "/app":
		answer(http.StatusOK, obj{"id": appID, "slug": "promobot"})(rec, r)
	default:
		c.mu.Lock()
		c.n++
		before, after := time.Duration(c.n*37%200)*time.Millisecond, time.Duration(c.n*53%200)*time.Millisecond
		c.mu.Unlock()
		time.Sleep(before) //nolint:forbidigo // the clock of a synctest bubble
		c.mu.Lock()
		c.effects = append(c.effects, time.Now())
		c.mu.Unlock()
		time.Sleep(after) //nolint:forbidigo // the clock of a synctest bubble
		answer(http.StatusCreated, pull(7, nil))(rec, r)
	}
	return rec.Result(), nil
}

func TestSustainedLoad(t *testing.T) {
	const limit, replicas, lasting = 80, 6, 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		server := &counting{}
		app, err := github.New(github.Options{
			AppID: appID, PrivateKey: privateKey(), Transport: server, Pacing: github.Pacing{WritesPerMinute: limit, PointsPerMinute: 900},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := app.Repository(installationID, repositoryID, "acme", "shop")
		start := time.Now()
		var workers sync.WaitGroup
		for range replicas {
			workers.Go(func() {
				for time.Since(start) < lasting {
					err := operations["create"].call(t.Context(), r)
					var limited *promotion.LimitedError
					switch {
					case errors.As(err, &limited): // come back then, as the queue does
						time.Sleep(time.Until(limited.Until)) //nolint:forbidigo // the clock of a synctest bubble
					case err != nil:
						t.Error(err)
						return
					}
				}
			})
		}
		workers.Wait()
		slices.SortFunc(server.effects, time.Time.Compare)
		for i := limit; i < len(server.effects); i++ {
			if span := server.effects[i].Sub(server.effects[i-limit]); span < time.Minute {
				t.Fatalf("requests %d to %d had their effect within %s", i-limit, i, span)
			}
		}
		if least := int(0.95 * limit * lasting.Minutes()); len(server.effects) < least {
			t.Errorf("%d requests in %s, want at least %d", len(server.effects), lasting, least)
		}
	})
}

// A request that is still under way counts, however long it takes.
func TestRequestsUnderWayCount(t *testing.T) {
	s := newServer(t)
	arrived, goOn := make(chan struct{}), make(chan struct{})
	s.on("POST /repos/acme/shop/pulls", func(w http.ResponseWriter, r *http.Request) {
		select {
		case arrived <- struct{}{}:
		case <-r.Context().Done(): // one that should have waited
			return
		}
		<-goOn
		answer(http.StatusCreated, pull(7, nil))(w, r)
	})
	r := s.repository(func(o *github.Options) { o.Pacing, o.Timeout = github.Pacing{WritesPerMinute: 1}, 2*time.Second })
	write := func() error { return operations["create"].call(t.Context(), r) }
	first := make(chan error, 1)
	go func() { first <- write() }()
	<-arrived
	s.clock.advance(time.Hour)
	var limited *promotion.LimitedError
	if err := write(); !asLimited(err, &limited) {
		t.Errorf("while the first is under way: %v, want a limit", err)
	}
	close(goOn)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if err := write(); !asLimited(err, &limited) || limited.Until.Sub(s.clock.Now()) != time.Minute {
		t.Errorf("after its answer: %v, want a limit of a minute", err)
	}
}

func TestWhatCreatesContent(t *testing.T) {
	const api = "/repos/acme/shop/"
	calls := map[string]struct {
		lines   []string // with what each is answered, in turn
		call    func(ctx context.Context, r *github.Repository) error
		content int
	}{
		"opening a pull request": {[]string{"POST " + api + "pulls"}, operations["create"].call, 1},
		"asking for reviews": {[]string{"POST " + api + "pulls", "POST " + api + "pulls/7/requested_reviewers"}, func(ctx context.Context, r *github.Repository) error {
			_, err := r.CreatePullRequest(ctx, reconcile.NewPullRequest{Branch: "promobot/a/qa/1", Base: "main", Title: "t", Reviewers: []string{"ana"}})
			return err
		}, 2},
		"labels": {[]string{"POST " + api + "pulls", "POST " + api + "issues/7/labels"}, func(ctx context.Context, r *github.Repository) error {
			_, err := r.CreatePullRequest(ctx, reconcile.NewPullRequest{Branch: "promobot/a/qa/1", Base: "main", Title: "t", Labels: []string{"x"}})
			return err
		}, 1},
		"merging":     {[]string{"PUT " + api + "pulls/7/merge"}, operations["merge"].call, 1},
		"editing":     {[]string{"PATCH " + api + "pulls/7"}, operations["edit"].call, 0},
		"a check run": {[]string{"POST " + api + "check-runs"}, operations["check"].call, 0},
		"a commit": {[]string{"POST " + api + "git/commits"}, func(ctx context.Context, r *github.Repository) error {
			_, err := r.CreateCommit(ctx, head, nil, "m")
			return err
		}, 0},
		"a read": {[]string{"GET " + api + "contents/a.yml"}, do, 0},
	}
	answers := map[string]any{
		"pulls": pull(7, nil), "labels": []obj{{"name": "x"}}, "requested_reviewers": pull(7, nil), "merge": obj{"merged": true, "sha": head},
		"7": pull(7, nil), "check-runs": obj{"id": 1}, "a.yml": obj{"type": "file", "encoding": "base64", "size": 2, "content": "YTE="},
		"commits": obj{"sha": head, "tree": obj{"sha": head}, "verification": obj{"verified": true, "payload": "p", "signature": "s"}},
	}
	for name, tt := range calls {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			for _, line := range tt.lines {
				s.on(line, answer(http.StatusOK, answers[line[strings.LastIndex(line, "/")+1:]]))
			}
			r := s.repository(func(o *github.Options) { o.Pacing = github.GitHubsPacing() })
			if got := r.Budget(); got != 80 {
				t.Errorf("at first the budget is %d, want 80", got)
			}
			if err := tt.call(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if got := 80 - r.Budget(); got != tt.content {
				t.Errorf("it cost %d of the content's budget, want %d", got, tt.content)
			}
			if got := len(s.lines()); got != len(tt.lines) {
				t.Errorf("%d requests: %v", got, s.lines())
			}
			s.clock.advance(time.Minute)
			if got := r.Budget(); got != 80 {
				t.Errorf("a minute later the budget is %d, want 80", got)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	s := newServer(t)
	s.serveFile()
	for _, tt := range []struct {
		name   string
		pacing github.Pacing
		reads  int
		want   int
	}{
		{"no pacing", github.Pacing{}, 1, math.MaxInt},
		{"the hour's", github.Pacing{WritesPerMinute: 80, WritesPerHour: 50}, 0, 50},
		{"points", github.Pacing{WritesPerMinute: 80, PointsPerMinute: 101}, 51, 10},
		{"no points", github.Pacing{WritesPerMinute: 80, PointsPerMinute: 4}, 0, 0},
	} {
		r := s.repository(func(o *github.Options) { o.Pacing = tt.pacing })
		for range tt.reads {
			if err := do(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.Budget(); got != tt.want {
			t.Errorf("%s: the budget is %d, want %d", tt.name, got, tt.want)
		}
	}
	s.on("GET /repos/acme/shop/contents/a.yml", answer(http.StatusForbidden, obj{"message": "You have exceeded a secondary rate limit"}, "Retry-After", "60"))
	r := s.repository(func(o *github.Options) { o.Pacing = github.GitHubsPacing() })
	if err := do(t.Context(), r); kind(err) != "limited" || r.Budget() != 0 {
		t.Errorf("limited by GitHub (%v), the budget is %d", err, r.Budget())
	}
}

// Whoever gives up waiting for a turn takes nothing of the budget.
func TestTurnsAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &counting{}
		app, err := github.New(github.Options{AppID: appID, PrivateKey: privateKey(), Transport: server, Pacing: github.Pacing{WritesPerMinute: 1}})
		if err != nil {
			t.Fatal(err)
		}
		r := app.Repository(installationID, repositoryID, "acme", "shop")
		if err := operations["create"].call(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second) //nolint:forbidigo // the clock of a synctest bubble
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := operations["create"].call(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want that the time is over", err)
		}
		time.Sleep(time.Second) //nolint:forbidigo // the clock of a synctest bubble
		if got := r.Budget(); got != 1 {
			t.Errorf("the budget is %d, want 1", got)
		}
		if got := len(server.effects); got != 1 {
			t.Errorf("%d requests had an effect", got)
		}
	})
}
