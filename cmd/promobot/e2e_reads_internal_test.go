package main

// Each read that a promotion makes, failing in turn: what is not known is waited
// for. And a repository that cannot be worked in delays no other.

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
)

// boxChange changes one file and adds one: a read that fails must not make
// either a deletion.
func boxChange(s *scene) (revision string) {
	s.t.Helper()
	return s.push("dev: new", map[string]string{"envs/dev/values.yaml": shopValues("2.0.0"), "envs/dev/more.yaml": "more: 1\n"})
}

// TestEachReadFails finds out what is read on the way from a push to its landing
// and answers each of those with a 502, from the push on.
func TestEachReadFails(t *testing.T) {
	t.Parallel()
	known, look := box(t)
	known.sim.ResetJournal()
	boxChange(known)
	look()
	reads := map[string]bool{}
	for _, r := range known.written() {
		switch {
		case r.Kind == githubsim.APIRead:
			reads[glob(r.Route)] = true
		case r.Kind == githubsim.GitFetch && strings.Contains(r.Path, "info/refs"):
			reads["/*/*.git/info/refs?service=git-upload-pack"] = true
		case r.Kind == githubsim.GitFetch:
			reads["/*/*.git/git-upload-pack"] = true
		}
	}
	if len(reads) < 6 {
		t.Fatalf("only these reads are seen: %v", reads)
	}
	for _, path := range slices.Sorted(maps.Keys(reads)) {
		t.Run(strings.NewReplacer("/", " ", "*", "x").Replace(path), func(t *testing.T) {
			t.Parallel()
			s, _ := box(t)
			before := s.folder("main", "envs/prod")
			// A program that has just been started elsewhere: it has read nothing yet.
			s.data = t.TempDir()
			look, once := s.byHand()
			fault := githubsim.Fault{By: sceneBot, Path: path, Effect: githubsim.BadGateway()}
			if !strings.HasSuffix(path, "/git-upload-pack") { // git fetches by POST
				fault.Method = http.MethodGet
			}
			remove := s.sim.Inject(fault)
			revision := boxChange(s)
			after := map[string]file{}
			for name, f := range s.folder("main", "envs/dev") {
				after[strings.Replace(name, "envs/dev/", "envs/prod/", 1)] = f
			}
			failed := 0
			for range 3 {
				if err := once(); err != nil {
					failed++
				}
			}
			// Whatever is proposed or landed is all of the change, never a part.
			for _, p := range s.pulls() {
				if diff := cmp.Diff(after, s.folder(p.HeadSHA, "envs/prod")); diff != "" {
					t.Errorf("#%d is not the change (-want +got):\n%s", p.Number, diff)
				}
			}
			if got := s.folder("main", "envs/prod"); !cmp.Equal(got, before) && !cmp.Equal(got, after) {
				t.Errorf("prod is neither as before nor as promoted:\n%s", cmp.Diff(after, got))
			}
			hits := 0
			for _, r := range s.written() {
				if r.Fault != "" {
					hits++
				}
			}
			if hits == 0 {
				t.Fatal("the read was not made")
			}
			t.Logf("%d of its reads failed, %d of 3 looks failed, %d pull requests then", hits, failed, len(s.pulls()))
			// A look that fails is tried again as a whole; a pull request that cannot
			// be read stops its own environment alone, which then does not merge.
			if failed == 0 && (len(s.pulls()) != 1 || s.pulls()[0].Merged) {
				t.Errorf("a read that failed is taken for one that did not: %s", s.describe())
			}
			remove()
			look()
			if !s.landed(revision, "box/prod") || len(s.pulls()) != 1 {
				t.Fatalf("afterwards: %s", s.describe())
			}
			if diff := cmp.Diff(after, s.folder("main", "envs/prod")); diff != "" {
				t.Errorf("afterwards prod is not as dev (-want +got):\n%s", diff)
			}
			if c := s.check(revision); c.Conclusion != "success" {
				t.Errorf("afterwards the check run is %+v", c)
			}
		})
	}
}

// glob is a route's template with its parameters as wildcards.
func glob(route string) string {
	segments := strings.Split(route, "/")
	for i, x := range segments {
		if strings.HasPrefix(x, "{") {
			segments[i] = "*"
		}
	}
	return strings.Join(segments, "/")
}

// TestOneRepositoryDelaysNoOther runs the program on two repositories, of which
// one cannot be read, has a pipeline file that is none, or is gone.
func TestOneRepositoryDelaysNoOther(t *testing.T) {
	cases := map[string]struct {
		spoil func(s *scene) error
		says  string // in the log
	}{
		"reads fail": {
			func(s *scene) error {
				s.sim.Inject(githubsim.Fault{By: sceneBot, Path: "/repos/*/gitops/**", Effect: githubsim.BadGateway()})
				return nil
			},
			"502",
		},
		"git fails": {
			func(s *scene) error {
				s.sim.Inject(githubsim.Fault{By: sceneBot, Path: "/*/gitops.git/**", Effect: githubsim.BadGateway()})
				return nil
			},
			"502",
		},
		"deleted":  {func(s *scene) error { return s.sim.DeleteRepository(s.full()) }, ""},
		"archived": {func(s *scene) error { return s.sim.ArchiveRepository(s.full()) }, ""},
		"no pipeline file any more": {
			func(s *scene) error {
				_, err := s.sim.Commit(s.t.Context(), s.full(), "ana", "", "nonsense", map[string]*string{".github/promobot.yml": new("[")})
				return err
			},
			"",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := shopFiles(shopAuto, "dev", "prod")
			s := newScene(t, sceneOptions{files: files})
			other := newCheckout(t, s.sim, "other", sceneOptions{files: files})
			s.start()
			s.wait("both have their baselines", func() bool { return len(s.ledgers()) == 2 && len(other.ledgers()) == 2 })
			s.settle()
			if c.says == "" {
				s.release("2.0.0") // something to do there
			}
			if err := c.spoil(s); err != nil {
				t.Fatal(err)
			}
			if c.says != "" {
				s.release("2.0.0")
				s.wait("the log says what fails", func() bool {
					return strings.Contains(s.log.String(), c.says) && strings.Contains(s.log.String(), s.full())
				})
			}
			revision := other.push("dev: 2.0.0", map[string]string{"envs/dev/values.yaml": shopValues("2.0.0")})
			s.wait("the other repository's promotion has landed", func() bool { return other.landed(revision, shopProd) })
			if log := s.log.String(); strings.Contains(log, "ghs_") || strings.Contains(log, "PRIVATE KEY") {
				t.Error("the log shows a secret")
			}
		})
	}
}

// TestMissingPermissions starts the program as an App that lacks one of what it
// needs: it says which and who can grant it, and begins nothing.
func TestMissingPermissions(t *testing.T) {
	for _, missing := range []string{"contents", "pull_requests", "checks"} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			permissions := maps.Clone(appPermissions)
			delete(permissions, missing)
			s := newScene(t, sceneOptions{files: shopFiles(shopAuto, "dev", "prod"), permissions: permissions})
			s.start()
			s.wait("the log says what to do", func() bool {
				return strings.Contains(s.log.String(), "An owner has to accept the App's permissions")
			})
			if n := len(s.ledgers()) + len(s.pulls()); n > 0 {
				t.Errorf("something was begun: %d ledgers, %s", len(s.ledgers()), s.describe())
			}
			if status, text := s.get("/livez"); status != http.StatusOK {
				t.Errorf("the program is not alive: %d %s", status, text)
			}
		})
	}
}
