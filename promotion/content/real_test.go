package content_test

// The computation on files that others wrote. The bundles lie beside the
// project where they are to hand.

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/content"
)

// checkout clones a bundle and returns its files.
func checkout(t *testing.T, name string) tree {
	t.Helper()
	bundle, err := filepath.Abs("../../../shared/repos/" + name + ".bundle")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bundle); err != nil {
		t.Skipf("the bundle %s is not here: %v", name, err)
	}
	dir := t.TempDir()
	clone := exec.CommandContext(t.Context(), "git", "clone", "--quiet", bundle, dir)
	if out, err := clone.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out := tree{}
	err = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.Name() == ".git" {
				return filepath.SkipDir
			}
			return err
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func under(t tree, dir string) tree {
	out := tree{}
	for p, data := range t {
		if strings.HasPrefix(p, dir+"/") {
			out[p] = data
		}
	}
	return out
}

func TestGitopsEnvironmentPromotion(t *testing.T) {
	repo := checkout(t, "gitops-environment-promotion")
	blobs := content.Blobs{}
	side := func(env string, t tree) content.Side {
		return content.Side{Place: content.Place{Dir: "envs/" + env, Never: content.DefaultNever(), Items: []content.Item{
			{Kind: content.Files, Patterns: []string{"version.yml", "settings.yml"}, Keep: []string{"**.env.CACHE_SIZE.value"}},
		}}, Files: listing(under(t, "envs/"+env), blobs)}
	}
	qa := tree{"envs/qa/version.yml": repl(repo["envs/qa/version.yml"], "simple-env-app:1.0", "simple-env-app:1.1"), "envs/qa/settings.yml": repl(repl(repo["envs/qa/settings.yml"], `"25"`, `"26"`), `"2048kb"`, `"1kb"`)}
	for _, env := range []string{"staging-us", "staging-eu", "staging-asia"} {
		in := content.Input{
			Source: "qa", Target: env, Blobs: blobs,
			Upstream: side("qa", qa), UpstreamThen: side("qa", repo), TargetNow: side(env, repo), TargetBaseline: side(env, repo),
		}
		in.UpstreamBaseline = in.UpstreamThen
		now := in
		now.Upstream = in.UpstreamThen
		if r := compute(t, now); len(r.Edits) > 0 {
			t.Errorf("%s: a quiet repository has edits: %v", env, r.Edits)
		}
		// A push of the version alone is the hand-made edit of that one line.
		only := in
		only.Upstream = side("qa", tree{"envs/qa/version.yml": qa["envs/qa/version.yml"], "envs/qa/settings.yml": repo["envs/qa/settings.yml"]})
		r := compute(t, only)
		want := map[string]string(under(repo, "envs/"+env))
		want["envs/"+env+"/version.yml"] = qa["envs/qa/version.yml"]
		if d := cmp.Diff(want, after(t, only, r)); d != "" {
			t.Errorf("%s:\n%s", env, d)
		}
		if len(r.Edits) != 1 || r.From == "" || r.To != "1.1" {
			t.Errorf("%s: %+v from %q to %q", env, r.Edits, r.From, r.To)
		}
		// With the settings, which have no final newline and trailing spaces:
		// all but the kept value.
		r = compute(t, in)
		got := after(t, in, r)["envs/"+env+"/settings.yml"]
		own := strings.Split(repo["envs/"+env+"/settings.yml"], "\n")
		for i, l := range strings.Split(qa["envs/qa/settings.yml"], "\n") {
			if strings.Contains(l, `"1kb"`) {
				l = own[i]
			}
			if line := strings.Split(got, "\n")[i]; line != l {
				t.Errorf("%s line %d: %q, want %q", env, i+1, line, l)
			}
		}
	}
}

func TestFluxHelmExample(t *testing.T) {
	repo := checkout(t, "flux2-kustomize-helm-example")
	blobs := content.Blobs{}
	side := func(env string, t tree) content.Side {
		return content.Side{Place: content.Place{Dir: "apps/" + env, Items: []content.Item{
			{Kind: content.Values, In: "podinfo-values.yaml", Patterns: []string{"spec.chart.spec.version"}},
		}}, Files: listing(under(t, "apps/"+env), blobs)}
	}
	staging := under(repo, "apps/staging")
	file := "apps/staging/podinfo-values.yaml"
	staging[file] = repl(staging[file], `">=1.0.0-alpha"`, `"6.7.1"`)
	if staging[file] == repo[file] {
		t.Fatalf("staging's version is not the range it was: %s", repo[file])
	}
	in := content.Input{
		Source: "staging", Target: "production", Blobs: blobs,
		Upstream: side("staging", staging), UpstreamThen: side("staging", repo), TargetNow: side("production", repo), TargetBaseline: side("production", repo),
	}
	in.UpstreamBaseline = in.UpstreamThen
	r := compute(t, in)
	want := map[string]string(under(repo, "apps/production"))
	want["apps/production/podinfo-values.yaml"] = repl(want["apps/production/podinfo-values.yaml"], `">=1.0.0"`, `"6.7.1"`)
	if d := cmp.Diff(want, after(t, in, r)); d != "" {
		t.Error(d)
	}
	// The other way, the range is refused.
	in.Upstream, in.UpstreamThen = in.UpstreamThen, in.Upstream
	if r := compute(t, in); len(r.Edits) > 0 || len(r.Refused) != 1 {
		t.Errorf("a range went through: %+v %+v", r.Changes, r.Refused)
	}
}
