package signin

// What a person sees: GitHub is asked with their own token, for a hundred
// repositories at a time, and what it said is remembered for a minute.

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// rememberFor bounds how long a right that was taken away is still seen.
	rememberFor = time.Minute
	// mostRemembered is of how many people, those who came last.
	mostRemembered = 1000
	// batch is how many repositories GitHub is asked for at once, and batches how
	// many such questions are under way at a time for one person.
	batch, batches = 100, 4
	// mostToken is far above what GitHub gives.
	mostToken = 2 << 10
)

// Repository is one that a person may see.
type Repository struct {
	ID          int64
	Owner, Name string // as it was called last; GitHub follows renames
}

// token is a person's. It does not show when it is printed.
type token string

func (token) String() string   { return "(redacted)" }
func (token) GoString() string { return "(redacted)" }

// memory is what GitHub said of each token, for a while.
type memory struct {
	now     func() time.Time
	mu      sync.Mutex
	byToken map[token]*remembered
}

// remembered is what GitHub said of one token. Who holds turn may ask and write;
// the rest waits, so that the same is not asked twice at the same time.
type remembered struct {
	used time.Time // under memory.mu
	turn chan struct{}

	login string
	at    time.Time // when GitHub last knew the token
	seen  map[int64]sight
}

// sight is whether one repository was seen, when, and what it was called.
type sight struct {
	Repository
	visible bool
	at      time.Time
}

// has tells whether anything is remembered of a token.
func (m *memory) has(t token) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byToken[t] != nil
}

// of is what is remembered of a token.
func (m *memory) of(t token) *remembered {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, known := m.byToken[t]
	if !known {
		if len(m.byToken) >= mostRemembered {
			var oldest token
			for other, e := range m.byToken {
				if o := m.byToken[oldest]; o == nil || e.used.Before(o.used) {
					oldest = other
				}
			}
			delete(m.byToken, oldest)
		}
		e = &remembered{turn: make(chan struct{}, 1), seen: map[int64]sight{}}
		m.byToken[t] = e
	}
	e.used = m.now()
	return e
}

func (m *memory) drop(t token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byToken, t)
}

// fresh tells whether what was learnt at a time still counts.
func (m *memory) fresh(at time.Time) bool {
	age := m.now().Sub(at)
	return !at.IsZero() && age >= 0 && age < rememberFor
}

func (e *remembered) take(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &UnavailableError{Reason: "GitHub takes too long to say what you can see"}
	}
}

func (e *remembered) leave() { <-e.turn }

// known returns the login of a session's account as GitHub has it now, and fails
// with ErrSignedOut when its token does not hold any more. What was asked for
// last is asked for along, since it will be wanted next.
func (s *SignIn) known(ctx context.Context, of *session) (string, error) {
	e := s.memory.of(of.Token)
	if err := e.take(ctx); err != nil {
		return "", err
	}
	defer e.leave()
	if s.memory.fresh(e.at) {
		return e.login, nil
	}
	var along []Repository
	for _, one := range e.seen {
		along = append(along, one.Repository)
	}
	slices.SortFunc(along, func(a, b Repository) int { return cmp.Compare(a.ID, b.ID) })
	along = along[:min(len(along), batch)]
	answer, err := s.ask(ctx, of.Token, true, along)
	if err == nil && answer.id != of.ID {
		err = ErrSignedOut
	}
	if err != nil {
		s.forget(e, of.Token, err)
		return "", err
	}
	e.login, e.at = answer.login, s.memory.now()
	s.note(e, along, answer.visible)
	return e.login, nil
}

// forget drops what is remembered where GitHub does not know the token any more.
func (s *SignIn) forget(e *remembered, t token, err error) {
	if errors.Is(err, ErrSignedOut) {
		e.at, e.seen = time.Time{}, map[int64]sight{}
		s.memory.drop(t)
	}
}

func (s *SignIn) note(e *remembered, asked []Repository, visible map[int64]bool) {
	now := s.memory.now()
	for _, r := range asked {
		e.seen[r.ID] = sight{r, visible[r.ID], now}
	}
}

// Visible are the ids of those of the repositories that whoever sent the request
// can see on GitHub: by their session or, in Authorization, by a token of their
// own. It fails with ErrSignedOut when GitHub does not know who that is, and with
// an *UnavailableError when it could not be asked.
func (s *SignIn) Visible(ctx context.Context, r *http.Request, repositories []Repository) (map[int64]bool, error) {
	t, err := s.tokenOf(r)
	if err != nil {
		return nil, err
	}
	if r.Header.Get("Authorization") != "" && !s.memory.has(t) && !s.unknown.Allow() {
		return nil, &UnavailableError{Reason: "too many new tokens are sent at the same time; try again", RetryAfter: time.Second}
	}
	e := s.memory.of(t)
	if err := e.take(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	var stale []Repository
	for _, one := range repositories {
		if !s.memory.fresh(e.seen[one.ID].at) {
			stale = append(stale, one)
		}
	}
	if len(stale) == 0 && len(repositories) == 0 && !s.memory.fresh(e.at) {
		// Nothing to see; but who they are has to be known all the same.
		if _, err := s.ask(ctx, t, false, nil); err != nil {
			s.forget(e, t, err)
			return nil, err
		}
		e.at = s.memory.now()
	}
	if err := s.look(ctx, e, t, stale); err != nil {
		s.forget(e, t, err)
		return nil, err
	}
	visible := map[int64]bool{}
	for _, one := range repositories {
		if e.seen[one.ID].visible {
			visible[one.ID] = true
		}
	}
	s.sweep(e)
	return visible, nil
}

// look asks for repositories, in batches.
func (s *SignIn) look(ctx context.Context, e *remembered, t token, stale []Repository) error {
	parts := slices.Collect(slices.Chunk(stale, batch))
	answers := make([]answer, len(parts))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(batches)
	for i, part := range parts {
		group.Go(func() (err error) {
			answers[i], err = s.ask(ctx, t, false, part)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, part := range parts {
		s.note(e, part, answers[i].visible)
	}
	return nil
}

// sweep drops what is too old to count, of repositories that nobody asks for.
func (s *SignIn) sweep(e *remembered) {
	for id, one := range e.seen {
		if s.memory.now().Sub(one.at) > 10*rememberFor {
			delete(e.seen, id)
		}
	}
}

// likeToken is what tokens look like; what does not is none, without a question.
var likeToken = regexp.MustCompile(`^[A-Za-z0-9_.-]{20,}$`)

// tokenOf is the token by which GitHub is asked for whoever sent the request.
func (s *SignIn) tokenOf(r *http.Request) (token, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, text, _ := strings.Cut(header, " ")
		text = strings.TrimSpace(text)
		if !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") || len(text) > mostToken || !likeToken.MatchString(text) {
			return "", ErrSignedOut
		}
		return token(text), nil
	}
	of := s.session(r)
	if of == nil {
		return "", ErrSignedOut
	}
	return of.Token, nil
}
