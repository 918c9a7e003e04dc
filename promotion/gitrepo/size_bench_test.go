package gitrepo_test

// What the steps of a promotion cost in repositories of 1,000 to 100,000 files
// and in folders of up to 10,000. Run: go test -run '^$' -bench BySize ./promotion/gitrepo

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// sized is a repository of services with ten environments of `files` files each.
type sized struct {
	services, files int
}

func (s sized) total() int { return s.services * 10 * s.files }

func (s sized) path(service, env, file int) string {
	return fmt.Sprintf("services/svc-%05d/overlays/env-%d/file-%05d.yaml", service, env, file)
}

// fill makes the repository's first commit.
func (s sized) fill(t testing.TB, o *origin) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "script")
	f, err := os.Create(script)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "commit refs/heads/main\ncommitter A <a@b> 1700000000 +0000\ndata 4\nbase\n")
	for i := range s.services {
		for e := range 10 {
			for n := range s.files {
				data := fmt.Sprintf("service: %d\nenv: %d\nfile: %d\n", i, e, n)
				fmt.Fprintf(w, "M 644 inline %s\ndata %d\n%s\n", s.path(i, e, n), len(data), data)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, o.bare, "sh", "-c", "git fast-import --quiet < "+script)
}

func BenchmarkBySize(b *testing.B) {
	for _, size := range []sized{{25, 4}, {250, 4}, {2500, 4}, {10, 1000}, {1, 10000}} {
		b.Run(fmt.Sprintf("files=%d/folder=%d", size.total(), size.files), func(b *testing.B) {
			s := newServer(b)
			o := s.newOrigin("42")
			size.fill(b, o)
			store, err := gitrepo.New(gitrepo.Options{Dir: filepath.Join(b.TempDir(), "mirrors"), Logger: zerolog.Nop()})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = store.Close() })
			repo := store.Open(s.remote(o))
			refs, err := repo.Fetch(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			at := refs[mainRef]
			if _, err := repo.Paths(b.Context(), at); err != nil {
				b.Fatal(err)
			}
			n := 0
			// next lands a change of one file and fetches it.
			next := func(b *testing.B) {
				b.StopTimer()
				defer b.StartTimer()
				n++
				at = promote(b, repo, at, size, n, 1)
				if res, err := repo.Push(b.Context(), []promotion.RefUpdate{{Ref: mainRef, Old: refs[mainRef], New: at}}, false); err != nil || res[0].Status != promotion.Pushed {
					b.Fatal(res, err)
				}
				if refs, err = repo.Fetch(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			elsewhere, err := gitrepo.New(gitrepo.Options{Dir: filepath.Join(b.TempDir(), "elsewhere"), Logger: zerolog.Nop()})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = elsewhere.Close() })
			theirs := elsewhere.Open(s.remote(o))
			if _, err := theirs.Fetch(b.Context()); err != nil {
				b.Fatal(err)
			}
			first := at
			steps := []struct {
				name string
				step func(b *testing.B)
			}{
				{"fetch", func(b *testing.B) {
					if _, err := repo.Fetch(b.Context()); err != nil {
						b.Fatal(err)
					}
				}},
				{"fetch-new", func(b *testing.B) {
					b.StopTimer()
					n++
					id := promote(b, theirs, first, size, n, 1)
					if res, err := theirs.Push(b.Context(), []promotion.RefUpdate{{Ref: fmt.Sprintf("refs/heads/t-%d", n), New: id}}, false); err != nil || res[0].Status != promotion.Pushed {
						b.Fatal(res, err)
					}
					b.StartTimer()
					if _, err := repo.Fetch(b.Context()); err != nil {
						b.Fatal(err)
					}
				}},
				{"chain", func(b *testing.B) {
					next(b)
					if _, err := repo.Chain(b.Context(), at, "", 2); err != nil {
						b.Fatal(err)
					}
				}},
				{"paths", func(b *testing.B) {
					next(b)
					if p, err := repo.Paths(b.Context(), at); err != nil || len(p) != size.total() {
						b.Fatal(len(p), err)
					}
				}},
				{"list", func(b *testing.B) {
					next(b)
					if _, err := repo.List(b.Context(), at, []string{"services/svc-00000/overlays/env-0"}); err != nil {
						b.Fatal(err)
					}
				}},
				{"commit", func(b *testing.B) {
					next(b)
					n++
					promote(b, repo, at, size, n, 1)
				}},
				{"commit20", func(b *testing.B) {
					next(b)
					n++
					promote(b, repo, at, size, n, 20)
				}},
				{"push", func(b *testing.B) {
					b.StopTimer()
					n++
					id := promote(b, repo, at, size, n, 1)
					b.StartTimer()
					if res, err := repo.Push(b.Context(), []promotion.RefUpdate{{Ref: fmt.Sprintf("refs/heads/b-%d", n), New: id}}, false); err != nil || res[0].Status != promotion.Pushed {
						b.Fatal(res, err)
					}
				}},
			}
			for _, s := range steps {
				b.Run(s.name, func(b *testing.B) {
					for b.Loop() {
						s.step(b)
					}
				})
			}
		})
	}
}

// promote makes so many commits on a base, of one file each, and returns the last.
func promote(t testing.TB, repo *gitrepo.Repository, base string, size sized, n, commits int) string {
	t.Helper()
	var all []promotion.NewCommit
	for i := range commits {
		all = append(all, promotion.NewCommit{
			Base: base, Parents: []string{base}, Author: bot, Time: noon, Message: fmt.Sprintf("promote %d", n),
			Edits: []content.Edit{{Path: size.path(0, 1, 0), Mode: "100644", Bytes: fmt.Appendf(nil, "image: %d-%d\n", n, i)}},
		})
	}
	ids, err := repo.Commit(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return ids[len(ids)-1]
}
