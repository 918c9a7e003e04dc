package main

// Environments that are branches of their own and share no history: what is
// promoted are files, set on the target's branch, and nothing is merged between
// them. And branches that a hydrator writes, where the revision is the commit
// that was rendered.

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

const branchesAll = `version: 1
mode: propose
environments:
  dev:     {verify: none}
  staging: {from: dev, verify: none}
  prod:    {from: staging}
pipelines:
  shop:
    path: .
    branch: env/$env
    promote: {files: "**"}
`

// branchesSome takes the image and the configuration along, and leaves all else
// of each branch its own.
const branchesSome = `version: 1
environments:
  dev:     {verify: none}
  staging: {from: dev, verify: none, mode: auto}
  prod:    {from: staging, mode: auto}
pipelines:
  shop:
    path: deploy
    branch: env/$env
    promote:
      - images: "ghcr.io/acme/*"
      - files: config/**
        except: "**/*.local.yaml"
        keep: logLevel
`

const shopStaging = "shop/staging"

// onBranch commits what edit does to a branch's files, and pushes it; a branch
// that is not there begins without files and without history.
func (c *checkout) onBranch(branch, message string, edit func(dir string) error) string {
	c.t.Helper()
	if _, there := c.refs()["refs/heads/"+branch]; !there {
		dir := c.clone()
		c.git(dir, "checkout", "-q", "--orphan", branch)
		c.git(dir, "rm", "-rfq", "--ignore-unmatch", ".")
		c.git(dir, "commit", "-q", "--allow-empty", "-m", branch+" begins")
		c.git(dir, "push", "-q", "origin", "HEAD:refs/heads/"+branch)
	}
	return c.change(branch, message, edit)
}

// blob is a file at a commit or branch.
func (c *checkout) blob(at, path string) string {
	c.t.Helper()
	return string(c.bare("cat-file", "blob", at+":"+path))
}

// wantUnrelated checks that no two branches have a commit in common.
func (c *checkout) wantUnrelated(branches ...string) {
	c.t.Helper()
	of := map[string]string{}
	for _, b := range branches {
		for id := range strings.FieldsSeq(string(c.bare("rev-list", b))) {
			if other := of[id]; other != "" {
				c.t.Errorf("%s and %s have %.10s in common", other, b, id)
			}
			of[id] = b
		}
	}
}

// wantWay checks that a revision went through environments, each by one pull
// request merged as said, and that its check run and their ledgers say so.
func (s *scene) wantWay(revision, method, by, title string, environments ...string) {
	s.t.Helper()
	for _, k := range environments {
		_, environment, _ := strings.Cut(k, "/")
		ps := s.promotions()[k]
		if len(ps) != 1 || !ps[0].Merged || ps[0].Base != "env/"+environment {
			s.t.Errorf("%s: %d pull requests, want one to env/%s, merged: %s", k, len(ps), environment, s.describe())
			continue
		}
		l := s.ledgers()[k].Landing
		if got, want := fmt.Sprint(l.Revision, l.Method, l.By, l.Commit, l.PullRequest, l.Mixed()),
			fmt.Sprint(revision, method, by, ps[0].MergeCommit, ps[0].Number, false); got != want {
			s.t.Errorf("%s landed as %s, want %s", k, got, want)
		}
		if d := cmp.Diff([]string{"baseline", "claim", "opened", "landed"}, s.story(k)); d != "" {
			s.t.Errorf("%s: the ledger (-want +got):\n%s", k, d)
		}
		if _, still := s.refs()["refs/heads/"+ps[0].Head]; still {
			s.t.Errorf("%s: the branch %s is left behind", k, ps[0].Head)
		}
	}
	if c := s.check(revision); c.Conclusion != "success" || c.Title != title {
		s.t.Errorf("the revision's check run is %+v, want success and %q", c, title)
	}
}

// TestBranchesAll: everything on dev's branch travels: a file that changed, one
// that is new, one that is gone, a mode, a link. What stands only on staging's
// branch stays.
func TestBranchesAll(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sceneOptions{files: map[string]string{".github/promobot.yml": branchesAll, "README.md": "who is who\n"}})
			for _, e := range []string{"dev", "staging", "prod"} {
				s.onBranch("env/"+e, e+": as it stands", func(dir string) error {
					files := map[string]string{"values.yaml": shopValues("1.0.0"), "old.yaml": "old: 1\n", "run.sh": "#!/bin/sh\n"}
					if e == "staging" {
						files["only/here.yaml"] = "mine: 1\n"
					}
					return writeFiles(dir, files)
				})
			}
			s.wantUnrelated("main", "env/dev", "env/staging", "env/prod")
			s.installed(3)
			before := s.refs()

			revision := s.onBranch("env/dev", "dev: 2.0.0", func(dir string) error {
				failed := writeFiles(dir, map[string]string{"values.yaml": shopValues("2.0.0"), "sub/new.yaml": "new: \u00e4\r\n"})
				for _, err := range []error{os.Remove(filepath.Join(dir, "old.yaml")), os.Chmod(filepath.Join(dir, "run.sh"), 0o755), os.Symlink("values.yaml", filepath.Join(dir, "link"))} {
					if failed == nil {
						failed = err
					}
				}
				return failed
			})
			want := map[string]file{
				"values.yaml": {"100644", shopValues("2.0.0")}, "sub/new.yaml": {"100644", "new: \u00e4\r\n"},
				"run.sh": {"100755", "#!/bin/sh\n"}, "link": {"120000", "values.yaml"},
			}
			for _, e := range []string{"staging", "prod"} {
				k := "shop/" + e
				s.wait(e+" is proposed", func() bool { return s.open()[k].Number != 0 })
				s.settle()
				if len(s.open()) != 1 {
					t.Fatalf("not only %s is proposed: %s", e, s.describe())
				}
				p := s.open()[k]
				s.wantPull(k, p, revision)
				if parent := strings.TrimSpace(string(s.bare("log", "-1", "--format=%P", p.HeadSHA))); parent != before["refs/heads/env/"+e] {
					t.Errorf("#%d stands on %s, want the tip of env/%s alone", p.Number, parent, e)
				}
				s.merge(p.Number, method)
				s.wait("it has landed", func() bool { return s.landed(revision, k) })
			}
			s.settle()
			if d := cmp.Diff(want, s.folder("env/prod", ".")); d != "" {
				t.Errorf("env/prod (-want +got):\n%s", d)
			}
			want["only/here.yaml"] = file{"100644", "mine: 1\n"}
			if d := cmp.Diff(want, s.folder("env/staging", ".")); d != "" {
				t.Errorf("env/staging (-want +got):\n%s", d)
			}
			s.wantUnrelated("main", "env/dev", "env/staging", "env/prod")
			for ref, want := range map[string]string{"refs/heads/main": before["refs/heads/main"], "refs/heads/env/dev": revision} {
				if got := s.refs()[ref]; got != want {
					t.Errorf("%s moved to %s", ref, got)
				}
			}
			s.wantWay(revision, method, "ana", "dev ✓ · staging ✓ · prod ✓", shopStaging, shopProd)
			s.wantQuiet()
		})
	}
}

// branchFiles are an environment's deploy folder for branchesSome, with what is
// its own.
func branchFiles(environment, tag, timeout, level string) map[string]string {
	return map[string]string{
		"deploy/kustomization.yaml":       "namespace: " + environment + "\nimages:\n  - name: ghcr.io/acme/shop # ours\n    newTag: \"" + tag + "\"\n  - name: redis\n    newTag: \"" + environment + "\"\n",
		"deploy/config/app.yaml":          "# settings\ntimeout: " + timeout + "\nlogLevel: " + level + " # each its own\n",
		"deploy/config/secret.local.yaml": "of: " + environment + "\n",
		"deploy/replicas.yaml":            "in: " + environment + "\n",
		"README.md":                       environment + "\n",
	}
}

// asFiles are files of the usual mode.
func asFiles(texts map[string]string) map[string]file {
	m := map[string]file{}
	for p, text := range texts {
		m[p] = file{"100644", text}
	}
	return m
}

// TestBranchesSome: an image and some files travel, by each method that the
// repository allows; all else on each branch stays its own, and a push that
// touches only such things promotes nothing.
func TestBranchesSome(t *testing.T) {
	for _, c := range []struct {
		method   string
		settings githubsim.RepoOptions
	}{
		{"merge", githubsim.RepoOptions{AllowMerge: true, AllowSquash: true, AllowRebase: true}},
		{"squash", githubsim.RepoOptions{AllowSquash: true}},
		{"rebase", githubsim.RepoOptions{AllowRebase: true}},
	} {
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sceneOptions{settings: c.settings, files: map[string]string{".github/promobot.yml": branchesSome}})
			levels := map[string]string{"dev": "debug", "staging": "info", "prod": "warn"}
			for e, level := range levels {
				s.onBranch("env/"+e, e+": as it stands", func(dir string) error { return writeFiles(dir, branchFiles(e, "1.0.0", "5", level)) })
			}
			s.installed(3)
			s.onBranch("env/dev", "dev: its own", func(dir string) error {
				return writeFiles(dir, map[string]string{"deploy/replicas.yaml": "in: dev, more\n", "deploy/config/secret.local.yaml": "of: dev, newer\n"})
			})
			s.settle()
			if len(s.pulls()) > 0 {
				t.Fatalf("what is not promoted is proposed: %s", s.describe())
			}
			revision := s.onBranch("env/dev", "dev: 2.0.0", func(dir string) error { return writeFiles(dir, branchFiles("dev", "2.0.0", "30", "debug")) })
			s.wait("both have landed", func() bool { return s.landed(revision, shopStaging, shopProd) })
			s.settle()
			for _, e := range []string{"staging", "prod"} {
				if d := cmp.Diff(asFiles(branchFiles(e, "2.0.0", "30", levels[e])), s.folder("env/"+e, ".")); d != "" {
					t.Errorf("env/%s (-want +got):\n%s", e, d)
				}
			}
			s.wantUnrelated("main", "env/dev", "env/staging", "env/prod")
			s.wantWay(revision, c.method, sceneBot, "dev ✓ · staging ✓ · prod ✓", shopStaging, shopProd)
			s.wantQuiet()
		})
	}
}

const hydratedPipeline = `version: 1
environments:
  dev:  {verify: none, mode: auto}
  e2e:  {from: dev, verify: none, mode: auto}
  prod: {from: e2e}
pipelines:
  shop:
    path: .
    branch: env/$env
    read: {branch: env/$env-next}
    revision: {in: hydrator.metadata, value: drySha}
    promote: {files: "**"}
`

// hydrator renders commits of main to the branches of environments, each when
// it is asked to, and says in a file which commit it was.
type hydrator struct{ *scene }

// rendered is what one commit of main is in one environment.
func (h hydrator) rendered(dry, environment string) map[string]string {
	h.t.Helper()
	return map[string]string{
		"manifests.yaml":    "kind: Deployment\nmetadata:\n  namespace: " + environment + "\nspec:\n  image: " + strings.TrimSpace(h.blob(dry, "app/version")) + "\n",
		"hydrator.metadata": fmt.Sprintf("{\n  \"repoURL\": \"https://example.com/acme/gitops.git\",\n  \"drySha\": %q\n}\n", dry),
	}
}

// render writes a commit of main, rendered, to a branch.
func (h hydrator) render(dry, environment, branch string) string {
	h.t.Helper()
	return h.onBranch(branch, "hydrate "+dry[:10], func(dir string) error { return writeFiles(dir, h.rendered(dry, environment)) })
}

// wantRendered checks that a branch holds exactly a rendered commit of main.
func (h hydrator) wantRendered(dry, environment string) {
	h.t.Helper()
	if d := cmp.Diff(asFiles(h.rendered(dry, environment)), h.folder("env/"+environment, ".")); d != "" {
		h.t.Errorf("env/%s (-want +got):\n%s", environment, d)
	}
}

var hydratedEnvironments = []string{"dev", "e2e", "prod"}

// hydrated is a repository whose environments all hold main's first commit.
func hydrated(t *testing.T) (h hydrator, first string) {
	t.Helper()
	h = hydrator{newScene(t, sceneOptions{files: map[string]string{".github/promobot.yml": hydratedPipeline, "app/version": "shop:1.0.0\n"}})}
	first = h.refs()["refs/heads/main"]
	all := []string{"main"}
	for _, e := range hydratedEnvironments {
		h.render(first, e, "env/"+e)
		h.render(first, e, "env/"+e+"-next")
		all = append(all, "env/"+e, "env/"+e+"-next")
	}
	h.wantUnrelated(all...)
	h.installed(3)
	return h, first
}

// dry commits a new version to main, for the hydrator to render.
func (h hydrator) dry(version string) string {
	h.t.Helper()
	return h.push("shop "+version, map[string]string{"app/version": "shop:" + version + "\n"})
}

// TestBranchesHydrated: dev takes what is rendered for it; e2e takes the same
// revision once it is rendered for e2e, and until then the check run on the
// commit of main says what is waited for; prod is for a person.
func TestBranchesHydrated(t *testing.T) {
	t.Parallel()
	h, first := hydrated(t)
	second := h.dry("2.0.0")
	h.render(second, "dev", "env/dev-next")
	h.wait("dev has it", func() bool { return h.landed(second, "shop/dev") })
	h.settle()
	h.wantRendered(second, "dev")
	h.wantRendered(first, "e2e")
	if got := len(h.pulls()); got != 1 {
		t.Errorf("%d pull requests, want that to env/dev alone: %s", got, h.describe())
	}
	c := h.check(second)
	if c.Status != "completed" || c.Conclusion != "neutral" || !strings.HasPrefix(c.Title, "dev ✓ · e2e waits") || !strings.Contains(c.Summary, "env/e2e-next does not hold what dev has yet") {
		t.Errorf("the check run does not say what e2e waits for: %+v", c)
	}
	h.wantQuiet()

	h.render(second, "e2e", "env/e2e-next")
	h.wait("e2e has it", func() bool { return h.landed(second, "shop/e2e") })
	h.settle()
	h.wantRendered(second, "e2e")
	h.wantRendered(first, "prod")
	h.render(second, "prod", "env/prod-next")
	h.wait("prod is proposed", func() bool { return h.open()[shopProd].Number != 0 })
	h.settle()
	p := h.open()[shopProd]
	h.wantPull(shopProd, p, second)
	if got := string(h.bare("diff-tree", "-r", "--name-only", "--no-commit-id", p.HeadSHA)); got != "hydrator.metadata\nmanifests.yaml\n" {
		t.Errorf("#%d changes %q", p.Number, got)
	}
	h.merge(p.Number, "squash")
	h.wait("prod has it", func() bool { return h.landed(second, shopProd) })
	h.settle()
	h.wantRendered(second, "prod")
	if c := h.check(second); c.Conclusion != "success" || c.Title != "dev ✓ · e2e ✓ · prod ✓" {
		t.Errorf("the check run is %+v", c)
	}
	for _, e := range hydratedEnvironments {
		if d := cmp.Diff([]string{"baseline", "claim", "opened", "landed"}, h.story("shop/"+e)); d != "" {
			t.Errorf("%s: the ledger (-want +got):\n%s", e, d)
		}
		if got := h.ledgers()["shop/"+e].Landing.Revision; got != second {
			t.Errorf("%s carries %s, want main's commit %s", e, got, second)
		}
	}
	var all []string
	for ref := range maps.Keys(h.refs()) {
		if name, is := strings.CutPrefix(ref, "refs/heads/"); is && !strings.HasPrefix(name, "promobot/") {
			all = append(all, name)
		}
	}
	h.wantUnrelated(all...)
	h.wantQuiet()
}

// TestBranchesHydratedLate: what the hydrator renders of an older commit, after
// the newer one has landed, goes nowhere; and what it renders in between, while
// the next environments still wait for theirs, is skipped by none that has it.
func TestBranchesHydratedLate(t *testing.T) {
	t.Parallel()
	h, _ := hydrated(t)
	second, third := h.dry("2.0.0"), ""
	h.render(second, "dev", "env/dev-next")
	h.wait("dev has the second", func() bool { return h.landed(second, "shop/dev") })
	third = h.dry("3.0.0")
	h.render(third, "dev", "env/dev-next")
	h.wait("dev has the third", func() bool { return h.landed(third, "shop/dev") })
	h.settle()
	// e2e is behind: it gets what has been rendered for it, and that dev had.
	h.render(second, "e2e", "env/e2e-next")
	h.wait("e2e has the second", func() bool { return h.landed(second, "shop/e2e") })
	h.render(third, "e2e", "env/e2e-next")
	h.wait("e2e has the third", func() bool { return h.landed(third, "shop/e2e") })
	h.settle()

	before := h.refs()
	h.render(second, "e2e", "env/e2e-next")
	h.settle()
	h.render(second, "dev", "env/dev-next")
	h.settle()
	after := h.refs()
	for _, name := range []string{"env/dev", "env/e2e", "env/prod"} {
		if before["refs/heads/"+name] != after["refs/heads/"+name] {
			t.Errorf("an older hydration arriving late moved %s", name)
		}
	}
	if len(h.open()) > 0 {
		t.Errorf("an older hydration arriving late is proposed: %s", h.describe())
	}
	h.wantRendered(third, "dev")
	h.wantRendered(third, "e2e")
	for _, e := range []string{"dev", "e2e"} {
		if got := state.Ref("shop", e); before[got] != after[got] {
			t.Errorf("%s: the ledger went on: %q", e, h.sentences("shop/"+e))
		}
	}
	h.wantQuiet()
	// What is newer goes on as ever.
	fourth := h.dry("4.0.0")
	h.render(fourth, "dev", "env/dev-next")
	h.render(fourth, "e2e", "env/e2e-next")
	h.wait("both have the fourth", func() bool { return h.landed(fourth, "shop/dev", "shop/e2e") })
	h.settle()
	h.wantRendered(fourth, "e2e")
	h.wantQuiet()
}
