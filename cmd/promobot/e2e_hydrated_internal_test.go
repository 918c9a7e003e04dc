package main

// Branches that a hydrator writes, one for each environment: the revision is the
// commit that was rendered, and an environment takes what is next upstream once
// it is rendered for it.

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/state"
)

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
