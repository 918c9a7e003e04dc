package main

// Versions: releases and tags of another repository. The newest wins, in
// whatever order they come; and where the App is missing, that is said.

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
)

const shopDev = "shop/dev"

// versioned is a pipeline whose dev takes its versions from a source.
func versioned(source, more string) string {
	return `version: 1
limits: {per_hour: 1000}
environments:
  dev:  {source: ` + source + `, verify: none, mode: auto` + more + `}
  prod: {from: dev}
pipelines:
  shop:
    path: envs/$env
    promote: {values: image.tag, in: values.yaml}
`
}

// appRepository makes the repository that versions come from.
func (s *scene) appRepository(releases ...string) *checkout {
	s.t.Helper()
	c := newCheckout(s.t, s.sim, "app", sceneOptions{files: map[string]string{"main.go": "package main\n"}})
	for _, tag := range releases {
		c.publish(githubsim.ReleaseOptions{Tag: tag})
	}
	return c
}

// publish releases in ana's name.
func (c *checkout) publish(o githubsim.ReleaseOptions) {
	c.t.Helper()
	if _, err := c.sim.Release(c.full(), "ana", o); err != nil {
		c.t.Fatal(err)
	}
}

// tagIt makes a tag in ana's name.
func (c *checkout) tagIt(name string) {
	c.t.Helper()
	if err := c.sim.Tag(c.full(), "ana", name, ""); err != nil {
		c.t.Fatal(err)
	}
}

// hasVersion waits until an environment has landed a version, and the program
// is at rest, and checks every byte there.
func (s *scene) hasVersion(environment, version string) {
	s.t.Helper()
	s.wait(environment+" has "+version, func() bool { return s.landed(version, "shop/"+environment) })
	s.settle()
	if d := cmp.Diff(asFiles(map[string]string{"envs/" + environment + "/values.yaml": shopValues(version)}), s.folder("main", "envs/"+environment)); d != "" {
		s.t.Errorf("%s (-want +got):\n%s", environment, d)
	}
}

// nothingMoves checks that what is done changes no ref and no pull request.
func (s *scene) nothingMoves(what string, do func()) {
	s.t.Helper()
	s.settle()
	before, pulls := s.refs(), s.describe()
	do()
	s.settle()
	if d := cmp.Diff(before, s.refs()); d != "" {
		s.t.Errorf("%s moves refs (-before +after):\n%s", what, d)
	}
	if d := cmp.Diff(pulls, s.describe()); d != "" {
		s.t.Errorf("%s changes pull requests (-before +after):\n%s", what, d)
	}
}

// TestVersionsFromReleases: a release of another repository lands in dev by
// itself, and travels on to prod under its own name. Drafts, pre-releases and
// an older release that is published later change nothing.
func TestVersionsFromReleases(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(versioned("{release: acme/app, prefix: v}", ""), "dev", "prod")})
	app := s.appRepository("v1.0.0")
	s.installed(2)
	if got := s.ledgers()[shopDev].Versions; len(got) != 1 || got[0].Name != "1.0.0" {
		t.Errorf("dev begins with %+v, want the release that stands", got)
	}
	// The sweep is minutes away: it is the release's webhook that wakes gitops.
	app.publish(githubsim.ReleaseOptions{Tag: "v1.1.0"})
	s.hasVersion("dev", "1.1.0")
	dev := s.promotions()[shopDev]
	if len(dev) != 1 || dev[0].MergedBy != sceneBot || !strings.HasSuffix(dev[0].Title, "1.0.0 → 1.1.0") {
		t.Fatalf("dev: %+v", dev)
	}
	s.wantPull(shopDev, dev[0], "1.1.0")
	if d := cmp.Diff([]string{"baseline", "accepted", "claim", "opened", "landed"}, s.story(shopDev)); d != "" {
		t.Errorf("dev's ledger (-want +got):\n%s", d)
	}
	if says := s.sentences(shopDev); says[3] != "shop/dev: #1 opened for 1.1.0 from release of acme/app" {
		t.Errorf("dev's ledger says %q", says)
	}
	if got := s.ledgers()[shopDev].Versions[0]; got.Name != "1.1.0" || got.URL == "" || got.Letter != "" {
		t.Errorf("dev accepted %+v", got)
	}
	s.wait("prod is proposed", func() bool { return s.open()[shopProd].Number != 0 })
	s.settle()
	p := s.open()[shopProd]
	s.wantPull(shopProd, p, "1.1.0")
	if !strings.HasSuffix(p.Title, "1.0.0 → 1.1.0") {
		t.Errorf("prod is proposed as %q", p.Title)
	}
	s.nothingMoves("what does not count", func() {
		app.publish(githubsim.ReleaseOptions{Tag: "v3.0.0", Draft: true})
		app.publish(githubsim.ReleaseOptions{Tag: "v2.0.0-rc.1"})
		app.publish(githubsim.ReleaseOptions{Tag: "v2.0.0", Prerelease: true})
		app.publish(githubsim.ReleaseOptions{Tag: "v1.0.9"}) // older, published later
	})
	s.wantQuiet()
	s.merge(p.Number, "squash")
	s.hasVersion("prod", "1.1.0")
	if l := s.ledgers()[shopProd].Landing; l.By != "ana" || l.Method != "squash" || l.PullRequest != p.Number || l.Mixed() {
		t.Errorf("prod landed %+v", l)
	}
	if n := len(app.pulls()); n > 0 {
		t.Errorf("%d pull requests in the repository that versions come from", n)
	}
	s.wantQuiet()
}

// TestVersionsPrereleases: by choice they count, in their order.
func TestVersionsPrereleases(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(versioned("{release: acme/app, prefix: v, prereleases: true}", ""), "dev", "prod")})
	app := s.appRepository()
	s.installed(2)
	app.publish(githubsim.ReleaseOptions{Tag: "v2.0.0-rc.2", Prerelease: true})
	s.hasVersion("dev", "2.0.0-rc.2")
	s.nothingMoves("an older pre-release", func() { app.publish(githubsim.ReleaseOptions{Tag: "v2.0.0-rc.1", Prerelease: true}) })
	app.publish(githubsim.ReleaseOptions{Tag: "v2.0.0-rc.10", Prerelease: true})
	s.hasVersion("dev", "2.0.0-rc.10")
	app.publish(githubsim.ReleaseOptions{Tag: "v2.0.0"})
	s.hasVersion("dev", "2.0.0")
	s.nothingMoves("a pre-release of what is out", func() { app.publish(githubsim.ReleaseOptions{Tag: "v2.0.0-rc.11", Prerelease: true}) })
	if p := s.open()[shopProd]; !strings.HasSuffix(p.Title, "1.0.0 → 2.0.0") || len(s.promotions()[shopProd]) != 1 {
		t.Errorf("prod's pull request has not moved on to the newest: %s", s.describe())
	}
	s.wantQuiet()
}

// TestVersionsFromTags: v1.10.0 is newer than v1.9.0, though it comes before it
// by name; what is no version, or does not match, counts for nothing.
func TestVersionsFromTags(t *testing.T) {
	t.Parallel()
	const pipeline = `version: 1
environments:
  dev: {source: {tag: acme/app, pattern: "v*"}, verify: none, mode: auto, deliver: push}
pipelines:
  shop:
    path: envs/$env
    promote: {images: ghcr.io/acme/shop}
`
	image := func(tag, digest string) string {
		return "namespace: dev\nimages:\n  - name: ghcr.io/acme/shop # ours\n    newTag: " + tag + "\n" + digest + "  - name: redis\n    newTag: \"8\"\n"
	}
	s := newScene(t, sceneOptions{files: map[string]string{
		".github/promobot.yml": pipeline, "envs/dev/kustomization.yaml": image("v1.9.0", "    digest: sha256:"+strings.Repeat("a", 64)+"\n"),
	}})
	app := s.appRepository()
	app.tagIt("v1.9.0")
	s.installed(1)
	begin := s.refs()["refs/heads/main"]
	s.sim.HoldWebhooks()
	for _, tag := range []string{"v1.10.0", "v1.9.9", "v-next", "nightly", "w9.9.9", "v2.0.0-beta.1"} {
		app.tagIt(tag)
	}
	if _, err := s.sim.ReleaseWebhooks(nil); err != nil {
		t.Fatal(err)
	}
	s.wait("dev has v1.10.0", func() bool { return s.landed("v1.10.0", shopDev) })
	s.settle()
	// The digest of v1.9.0 would have kept that image running.
	if d := cmp.Diff(asFiles(map[string]string{"envs/dev/kustomization.yaml": image("v1.10.0", "")}), s.folder("main", "envs/dev")); d != "" {
		t.Errorf("dev (-want +got):\n%s", d)
	}
	s.nothingMoves("an older tag", func() { app.tagIt("v1.9.10") })
	if d := cmp.Diff([]string{"promobot: shop/dev"}, s.onMain(begin)); d != "" {
		t.Errorf("main (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"baseline", "accepted", "landed"}, s.story(shopDev)); d != "" {
		t.Errorf("the ledger (-want +got):\n%s", d)
	}
	s.wantQuiet()
}

// TestVersionsNotInstalled: the App is not installed where the versions come
// from. The check run on the pipeline file's commit says where to install it;
// once it is, promobot goes on by itself, and the check run says that too.
func TestVersionsNotInstalled(t *testing.T) {
	for name, away := range map[string]bool{"while it runs": false, "while it is away": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			notInstalled(t, away)
		})
	}
}

func notInstalled(t *testing.T, away bool) {
	t.Helper()
	s := newScene(t, sceneOptions{files: shopFiles(versioned("{release: vendor/app, prefix: v}", ""), "dev", "prod")})
	if err := s.sim.CreateOrganization("vendor", []string{"bo"}, []string{"ana"}); err != nil {
		t.Fatal(err)
	}
	if err := s.sim.CreateRepository(t.Context(), "vendor", "app", githubsim.RepoOptions{Private: true}); err != nil {
		t.Fatal(err)
	}
	main := "package main\n"
	if _, err := s.sim.Commit(t.Context(), "vendor/app", "bo", "", "set up", map[string]*string{"main.go": &main}); err != nil {
		t.Fatal(err)
	}
	tip := s.refs()["refs/heads/main"]
	s.start()
	s.wait("the check run says so", func() bool { return s.check(tip).Conclusion == "failure" })
	s.settle()
	c := s.check(tip)
	where := strings.TrimSuffix(s.sim.URL, "/") + "/apps/" + s.app.Slug + "/installations/new"
	for _, want := range []string{"`.github/promobot.yml`, line 4: release of vendor/app", "an owner of vendor can install it at `" + where + "`"} {
		if !strings.Contains(c.Summary, want) {
			t.Errorf("the check run does not say %q:\n%s\n%s", want, c.Title, c.Summary)
		}
	}
	if _, begun := s.ledgers()[shopDev]; begun || len(s.pulls()) > 0 {
		t.Errorf("dev begins without having seen its source: %v %s", s.story(shopDev), s.describe())
	}
	s.wantQuiet()

	if away {
		s.stop()
	}
	if _, err := s.sim.Install(s.app.ID, "vendor"); err != nil {
		t.Fatal(err)
	}
	if away {
		s.start()
	}
	s.wait("dev begins", func() bool { _, begun := s.ledgers()[shopDev]; return begun })
	s.wait("the check run says that all is well", func() bool { return s.check(tip).Conclusion == "success" })
	if _, err := s.sim.Release("vendor/app", "bo", githubsim.ReleaseOptions{Tag: "v1.1.0"}); err != nil {
		t.Fatal(err)
	}
	s.hasVersion("dev", "1.1.0")
	s.wantQuiet()
}
