package results_test

// The store: what is put is what is read, in this process and in the next; whoever
// waits is told after it is stored; a broken file costs nothing.

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state/results"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

type store struct {
	*results.Store
	t    *testing.T
	path string
}

func open(t *testing.T, path string) store {
	t.Helper()
	s, err := results.Open(t.Context(), path, func() time.Time { return now }, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return store{s, t, path}
}

func begin(t *testing.T) store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "results.db"))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// again is the next process's.
func (s store) again() store {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Fatal(err)
	}
	next := open(s.t, s.path)
	s.t.Cleanup(func() { _ = next.Close() })
	return next
}

func (s store) put(rs ...view.Repository) {
	s.t.Helper()
	for _, r := range rs {
		if err := s.Put(s.t.Context(), r); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s store) all() []view.Repository {
	s.t.Helper()
	all, err := s.Repositories(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s store) want(what string, want ...view.Repository) {
	s.t.Helper()
	if d := cmp.Diff(want, s.all()); d != "" {
		s.t.Errorf("%s (-want +got):\n%s", what, d)
	}
	for i := range want {
		got, err := s.Repository(s.t.Context(), want[i].ID)
		if err != nil {
			s.t.Fatal(err)
		}
		if d := cmp.Diff(&want[i], got); d != "" {
			s.t.Errorf("%s, one (-want +got):\n%s", what, d)
		}
	}
}

// repository is a view with so many services in dev and prod.
func repository(id int64, name string, services int) view.Repository {
	r := view.Repository{Version: view.Version, ID: id, Owner: "acme", Name: name, At: now, File: ".github/promobot.yml"}
	for i := range services {
		p := view.Pipeline{Key: fmt.Sprintf("services/s%d", i), Title: fmt.Sprintf("s%d", i)}
		for _, e := range []string{"dev", "prod"} {
			p.Environments = append(p.Environments, view.Environment{
				Pipeline: p.Key, Name: e, Mode: "auto", Branch: "main", Standing: "up to date",
				Current: &view.Landing{Commit: "c", Revision: "1.0.0", Title: "1.0.0", Since: now},
				Entries: []view.Entry{{Commit: "e", Kind: "baseline", Sentence: "first seen", Time: now}}, Sequence: 1,
			})
		}
		r.Pipelines = append(r.Pipelines, p)
	}
	return r
}

func TestWhatIsPutIsRead(t *testing.T) {
	s := begin(t)
	s.want("nothing", []view.Repository{}...)
	if r, err := s.Repository(t.Context(), 7); r != nil || err != nil {
		t.Errorf("an unknown repository is %v, %v", r, err)
	}
	web, api := repository(1, "web", 3), repository(2, "Api", 1)
	s.put(web, api)
	s.want("by name", api, web)

	next := repository(1, "web", 2) // a service is gone
	next.Pipelines[1].Environments[1].Standing = "stopped"
	next.Pipelines[0].Environments = next.Pipelines[0].Environments[:1]
	s.put(next)
	s.want("changed", api, next)
	s = s.again()
	s.want("by the next process", api, next)
	next.At = next.At.Add(time.Minute)
	s.put(next)
	s = s.again()
	s.want("with nothing new but the time", api, next)
}

func TestARunThatCouldNotLook(t *testing.T) {
	s := begin(t)
	failed := view.Repository{Version: view.Version, ID: 1, Owner: "acme", Name: "web", Error: "no answer", ErrorAt: now}
	s.put(failed)
	s.want("nothing was seen before", failed)
	web := repository(1, "web", 1)
	s.put(web)
	s.want("seen", web)
	failed.ErrorAt = now.Add(time.Minute)
	s.put(failed)
	web.Error, web.ErrorAt = failed.Error, failed.ErrorAt
	s.want("what was seen before stays", web)
	s = s.again()
	s.want("what was seen before stays, for the next process", web)
}

func TestForget(t *testing.T) {
	s := begin(t)
	web, api := repository(1, "web", 2), repository(2, "api", 1)
	s.put(web, api)
	s.answer(1, view.Answer{ID: "a", At: now})
	s.answer(2, view.Answer{ID: "b", At: now})
	if err := s.Forget(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	s.want("one is forgotten", api)
	if got := s.answers(1, time.Time{}); len(got) != 0 {
		t.Errorf("its answers are still there: %+v", got)
	}
	s = s.again()
	s.want("one is forgotten, for the next process", api)
	s.put(web)
	s.want("and seen anew", api, web)
	if got := s.answers(2, time.Time{}); len(got) != 1 {
		t.Errorf("the other's answers: %+v", got)
	}
}

func (s store) answer(repository int64, a view.Answer) {
	s.t.Helper()
	if err := s.Answer(s.t.Context(), repository, a); err != nil {
		s.t.Fatal(err)
	}
}

func (s store) answers(repository int64, since time.Time) []view.Answer {
	s.t.Helper()
	got, err := s.Answers(s.t.Context(), repository, since)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

func TestAnswers(t *testing.T) {
	s := begin(t)
	old := view.Answer{ID: "old", By: "ana", At: now.Add(-results.AnswersKept - time.Second)}
	first := view.Answer{ID: "1", By: "ana", Command: "hold prod", Says: []string{"no"}, At: now.Add(-time.Hour)}
	second := view.Answer{ID: "2", By: "bo", Command: "resume prod", Done: true, Says: []string{"prod goes on"}, At: now.Add(-time.Minute), Environment: "shop/prod"}
	for _, a := range []view.Answer{old, first, second} {
		s.answer(1, a)
	}
	if d := cmp.Diff([]view.Answer{second, first}, s.answers(1, time.Time{})); d != "" {
		t.Errorf("all, newest first, without what is too old (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]view.Answer{second}, s.answers(1, now.Add(-time.Minute))); d != "" {
		t.Errorf("since a time (-want +got):\n%s", d)
	}
	first.Done, first.At = true, now
	s.answer(1, first)
	s = s.again()
	if d := cmp.Diff([]view.Answer{first, second}, s.answers(1, time.Time{})); d != "" {
		t.Errorf("one that is told again (-want +got):\n%s", d)
	}
	if got := s.answers(3, time.Time{}); got != nil {
		t.Errorf("another repository's: %+v", got)
	}
}

// next is the next news; false when there is none soon.
func next(t *testing.T, news <-chan int64) int64 {
	t.Helper()
	select {
	case id, open := <-news:
		if !open {
			t.Fatal("no more news")
		}
		return id
	case <-time.After(time.Minute):
		t.Fatal("no news")
	}
	return 0
}

func TestSubscribersAreToldAfterItIsStored(t *testing.T) {
	s := begin(t)
	ctx, cancel := context.WithCancel(t.Context())
	news, others := s.Subscribe(ctx), s.Subscribe(ctx)
	web := repository(1, "web", 1)
	for i, step := range []func(){
		func() { s.put(web) },
		func() { s.answer(1, view.Answer{ID: "a", At: now}) },
		func() {
			if err := s.Forget(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		},
	} {
		step()
		if id := next(t, news); id != 1 {
			t.Errorf("step %d: news of %d", i, id)
		}
		switch got := s.all(); {
		case i < 2 && len(got) != 1, i == 2 && len(got) != 0:
			t.Errorf("step %d: told before it was stored: %d repositories", i, len(got))
		}
	}
	// Who has not looked so far is told of each repository, and keeps nobody waiting.
	for range 100 {
		s.put(repository(2, "api", 1), repository(3, "db", 1))
	}
	told := map[int64]bool{}
	for !told[1] || !told[2] || !told[3] {
		told[next(t, others)] = true
	}
	cancel()
	for range news { // it is closed
	}
	for range others {
	}
}

func TestBrokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database. ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	t.Cleanup(func() { _ = s.Close() })
	s.put(repository(1, "web", 1))
	s.want("begun anew", repository(1, "web", 1))
	aside, err := filepath.Glob(path + ".broken-*")
	if err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v, %v", aside, err)
	}
}

// TestAViewOfAnotherVersion is not shown, and is written anew.
func TestAViewOfAnotherVersion(t *testing.T) {
	s := begin(t)
	web := repository(1, "web", 2)
	s.put(web)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", s.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE repository SET body = CAST(replace(CAST(body AS TEXT), '"version":1', '"version":999') AS BLOB)`,
		`INSERT INTO environment (repository, pipeline, name, body) VALUES (5, 'x', 'y', CAST('{' AS BLOB))`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.path)
	t.Cleanup(func() { _ = s.Close() })
	s.want("another version's", []view.Repository{}...)
	s.put(web)
	s.want("written anew", web)
	s = s.again()
	s.want("written anew, for the next process", web)
}

func TestASecondProcessIsRefused(t *testing.T) {
	s := begin(t)
	second, err := results.Open(t.Context(), s.path, nil, zerolog.Nop())
	if err == nil {
		_ = second.Close()
		t.Fatal("the file is opened twice")
	}
	if !strings.Contains(err.Error(), "another process uses the file") {
		t.Errorf("the second is told %v", err)
	}
}

// BenchmarkPut is a monorepo of 1,200 ledgers of which one has something new.
func BenchmarkPut(b *testing.B) {
	s, err := results.Open(b.Context(), filepath.Join(b.TempDir(), "results.db"), nil, zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	r := repository(1, "mono", 600)
	for i := 0; b.Loop(); i++ {
		r.At = now.Add(time.Duration(i) * time.Second)
		r.Pipelines[i%600].Environments[1].Sequence = i
		if err := s.Put(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
