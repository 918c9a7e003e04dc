package main

// Environments that are branches of their own and share no history: what is
// promoted are files, set on the target's branch, and nothing is merged between
// them.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
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
