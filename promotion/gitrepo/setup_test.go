package gitrepo_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// scene is one repository on a server with a mirror of it.
type scene struct {
	t      *testing.T
	server *server
	origin *origin
	repo   *gitrepo.Repository
	store  *gitrepo.Store
	dir    string // of the store
	seen   *observed
}

func (s *server) remote(o *origin) gitrepo.Remote {
	return gitrepo.Remote{
		Key: o.name, URL: s.URL + "/" + o.name + ".git",
		Token: func(context.Context, string) (string, error) { return goodToken, nil },
	}
}

func newScene(t *testing.T, change ...func(*gitrepo.Options)) *scene {
	t.Helper()
	sc := &scene{t: t, server: newServer(t), seen: &observed{}}
	sc.origin = sc.server.newOrigin("42")
	sc.store, sc.dir = newStore(t, func(o *gitrepo.Options) {
		o.Observer = sc.seen.observe
		for _, c := range change {
			c(o)
		}
	})
	sc.repo = sc.store.Open(sc.server.remote(sc.origin))
	return sc
}

func (sc *scene) fetch() promotion.Refs {
	sc.t.Helper()
	refs, err := sc.repo.Fetch(sc.t.Context())
	if err != nil {
		sc.t.Fatalf("fetch: %v", err)
	}
	return refs
}

var (
	bot  = promotion.Person{Name: "promobot[bot]", Email: "1+promobot[bot]@users.noreply.github.com"}
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

// newCommit makes a commit on a base, or on nothing.
func (sc *scene) newCommit(base, message string, edits ...content.Edit) string {
	sc.t.Helper()
	c := promotion.NewCommit{Base: base, Edits: edits, Author: bot, Time: noon, Message: message}
	if base != "" {
		c.Parents = []string{base}
	}
	ids, err := sc.repo.Commit(sc.t.Context(), []promotion.NewCommit{c})
	if err != nil {
		sc.t.Fatalf("commit: %v", err)
	}
	return ids[0]
}

func (sc *scene) push(atomic bool, updates ...promotion.RefUpdate) []promotion.PushResult {
	sc.t.Helper()
	results, err := sc.repo.Push(sc.t.Context(), updates, atomic)
	if err != nil {
		sc.t.Fatalf("push: %v", err)
	}
	return results
}

func write(path, data string) content.Edit {
	return content.Edit{Path: path, Mode: "100644", Bytes: []byte(data)}
}

// tokens hands out tokens one after the other, and the last one ever after.
type tokens struct {
	mu     sync.Mutex
	queue  []string
	served int
	// refused are the ones that were given back as refused.
	refused []string
}

func (q *tokens) next(_ context.Context, refused string) (string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.served++
	if refused != "" {
		q.refused = append(q.refused, refused)
	}
	token := q.queue[0]
	if len(q.queue) > 1 {
		q.queue = q.queue[1:]
	}
	return token, nil
}

// entry is a ledger's entry whose second parent keeps a promotion's commit.
func (sc *scene) entry(promoted string) string {
	sc.t.Helper()
	ids, err := sc.repo.Commit(sc.t.Context(), []promotion.NewCommit{
		{Author: bot, Time: noon, Message: "Claim", Parents: []string{promoted}},
	})
	if err != nil {
		sc.t.Fatalf("commit: %v", err)
	}
	return ids[0]
}
