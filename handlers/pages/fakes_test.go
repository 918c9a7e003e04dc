package pages_test

// The pages' surroundings, kept in memory: who is who, who sees what, and what was
// pressed.

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers/pages"
	"github.com/promobot/promobot/promotion/view"
)

var update = flag.Bool("update", false, "rewrite golden files")

// site is a set of pages with everything that they need.
type site struct {
	*pages.Pages
	now func() time.Time

	mu      sync.Mutex
	all     []view.Repository
	answers []view.Answer
	presses []pages.Press
	readers map[chan int64]bool
	health  pages.Health
	broken  error // of whoever is asked
}

func newSite(now func() time.Time, all ...view.Repository) *site {
	s := &site{now: now, all: all, readers: map[chan int64]bool{}}
	at := now()
	s.health = pages.Health{LastEvent: at.Add(-21 * time.Second), OldestWork: at.Add(-4 * time.Second), Waiting: 2, Budget: 4712, BudgetLimit: 5000, BudgetReset: at.Add(31 * time.Minute)}
	s.Pages = pages.New(pages.Options{
		Store: s, People: people{s}, Now: now, Log: zerolog.New(os.Stderr), Version: "1.2.3",
		Press: func(_ context.Context, _ view.Repository, press pages.Press) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.presses = append(s.presses, press)
			return nil
		},
		Health: func(context.Context) (pages.Health, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.health, s.broken
		},
	})
	return s
}

func (s *site) Repositories(context.Context) ([]view.Repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all), nil
}

func (s *site) Repository(_ context.Context, id int64) (*view.Repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		if r.ID == id {
			return &r, nil
		}
	}
	return nil, nil
}

func (s *site) Answers(_ context.Context, repository int64, since time.Time) ([]view.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if repository != 1 {
		return nil, nil
	}
	return slices.DeleteFunc(slices.Clone(s.answers), func(a view.Answer) bool { return a.At.Before(since) }), nil
}

func (s *site) Subscribe(ctx context.Context) <-chan int64 {
	news := make(chan int64, 16)
	s.mu.Lock()
	s.readers[news] = true
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.readers, news)
		close(news)
	})
	return news
}

// change changes what is stored, and tells the readers.
func (s *site) change(id int64, change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	for reader := range s.readers {
		reader <- id
	}
}

func (s *site) pressed() []pages.Press {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.presses)
}

// people are told by a cookie, which nobody else could do.
type people struct{ *site }

func (people) Person(r *http.Request) (*pages.Person, error) {
	c, err := r.Cookie("who")
	if err != nil {
		return nil, nil //nolint:nilerr // no cookie, no person
	}
	return &pages.Person{Login: c.Value, CSRF: "token-of-" + c.Value}, nil
}

func (p people) Visible(_ context.Context, r *http.Request, list []view.Repository) ([]view.Repository, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return nil, p.broken
	}
	who, err := r.Cookie("who")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(list), func(v view.Repository) bool { return who.Value == bob && v.Name != "platform" }), nil
}

func (p people) CheckForm(r *http.Request) error {
	who, err := p.Person(r)
	if err != nil || who == nil || r.PostForm.Get("csrf") != who.CSRF {
		return errors.New("the form has no token of yours")
	}
	return nil
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request as somebody; "" is nobody. A form makes it a POST.
func (s *site) ask(who, path string, form url.Values) reply {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if who != "" {
		r.AddCookie(&http.Cookie{Name: "who", Value: who})
	}
	return s.send(r)
}

func (s *site) send(r *http.Request) reply {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return reply{w.Code, w.Result().Header, w.Body.String()}
}

// fixed is a clock that stands.
func fixed() time.Time { return time.Date(2026, 3, 12, 14, 30, 0, 0, time.UTC) }

func whole(t *testing.T) *site {
	t.Helper()
	w := world{fixed()}
	return newSite(fixed, w.platform(), w.shop())
}
