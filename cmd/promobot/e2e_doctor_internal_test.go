package main

// The doctor against a simulated GitHub: where all is well it says so, and each
// single thing that is broken is found, and nothing else.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
	"github.com/promobot/promobot/promotion/doctor"
	"github.com/promobot/promobot/promotion/registration"
)

const doctorFile = `version: 1
environments:
  qa: {verify: none}
  prod: {from: qa, mode: auto}
pipelines:
  shop: {path: envs/$env, promote: {images: "*"}}
`

// leastPermissions are what promobot setup asks for.
func leastPermissions() map[string]string {
	out := map[string]string{}
	for _, p := range registration.Permissions() {
		out[p.Name] = string(p.Level)
	}
	return out
}

// doctorConfig writes a configuration, and returns its file.
func doctorConfig(t *testing.T, api, address, data string, app githubsim.App, more string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"key.pem": string(app.PrivateKeyPEM), "secret": sceneSecret,
		"config.yml": fmt.Sprintf("server: {address: %q}\ngithub:\n  api_url: %s\n  app_id: %d\n  private_key_file: %s\n  webhook_secret_file: %s\ndata_dir: %s\n%s",
			address, api, app.ID, filepath.Join(dir, "key.pem"), filepath.Join(dir, "secret"), data, more),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yml")
}

// examineNow runs the command, and returns what is not well.
func examineNow(t *testing.T, wantCode int, config string, args ...string) []doctor.Finding {
	t.Helper()
	var out, failed bytes.Buffer
	code := run(t.Context(), slices.Concat([]string{"doctor", "--json", "--config", config}, args), &out, &failed)
	var got examined
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in\n%s\n%s", err, out.String(), failed.String())
	}
	if code != wantCode || got.Well == doctor.Sick(got.Findings) {
		t.Errorf("it ends with %d, want %d; well: %v\n%s\n%s", code, wantCode, got.Well, out.String(), failed.String())
	}
	return slices.DeleteFunc(got.Findings, func(f doctor.Finding) bool { return f.Grade == doctor.Well })
}

func TestDoctorFindsEachSingleThing(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{permissions: leastPermissions(), files: map[string]string{
		".github/promobot.yml":            doctorFile,
		"envs/qa/kustomization.yaml":      "images:\n  - name: shop\n    newTag: 1.0.0\n",
		"envs/prod/kustomization.yaml":    "images:\n  - name: shop\n    newTag: 1.0.0\n",
		".github/workflows/ci.yml":        "on: pull_request\njobs: {}\n",
		".github/workflows/release/x.yml": "on: push\n", // in a folder: no workflow
	}})
	s.start()
	s.push("the first push", map[string]string{"README.md": "hello\n"})
	if err := s.sim.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	config := doctorConfig(t, s.sim.BaseURL, s.program.addr, s.data, s.app, "")
	if bad := examineNow(t, 0, config, s.full()); len(bad) > 0 {
		t.Fatalf("all is well, and it finds %+v", bad)
	}
	const repo = sceneOwner + "/gitops"
	rules := func(rs githubsim.Ruleset) func() error { return func() error { return s.sim.AddRuleset(repo, rs) } }
	noRules := func() error { return s.sim.RemoveRulesets(repo, "") }
	write := func(path, text string) func() error {
		return func() error {
			_, err := s.sim.Commit(t.Context(), repo, "ana", "main", "write "+path, map[string]*string{path: &text})
			return err
		}
	}
	hook := func(path, secret string) func() error {
		return func() error {
			return s.sim.SetWebhook(s.app.ID, "http://"+s.program.addr+path, secret)
		}
	}
	heard := func(secret string) func() error {
		return func() error {
			if err := hook(registration.HookPath, secret)(); err != nil {
				return err
			}
			if err := write("README.md", secret)(); err != nil {
				return err
			}
			return s.sim.Drain(t.Context())
		}
	}
	const well = "on: pull_request\njobs: {}\n"
	for _, c := range []struct {
		name        string
		spoil, mend func() error
		grade       doctor.Grade
		subject     string
		about, says string
	}{
		{"updates are restricted", rules(githubsim.Ruleset{Name: "frozen", Branches: []string{"main"}, Update: true}), noRules, doctor.Wrong, repo, "auto", "main (prod): only those who bypass"},
		{"approvals", rules(githubsim.Ruleset{Name: "eyes", Branches: []string{"main"}, Approvals: 1}), noRules, doctor.Doubtful, repo, "auto", "1 approval"},
		{"signatures", rules(githubsim.Ruleset{Name: "signed", Branches: []string{"main"}, Signatures: true}), noRules, doctor.Wrong, repo, "auto", "signed commits"},
		{"a queue", rules(githubsim.Ruleset{Name: "queue", Branches: []string{"main"}, Queue: &githubsim.MergeQueue{}}), noRules, doctor.Wrong, repo, "auto", "merge queue only"},
		{"rights to bypass", rules(githubsim.Ruleset{Name: "but for promobot", Branches: []string{"main"}, LinearHistory: true, BypassApps: []int64{s.app.ID}}), noRules, doctor.Wrong, repo, "bypass", `"but for promobot" (always)`},
		{"own branches", rules(githubsim.Ruleset{Name: "names", Branches: []string{"~ALL"}, Creation: true}), noRules, doctor.Wrong, repo, "promobot/**", `rule creation of the ruleset "names"`},
		{"classic protection", func() error {
			return s.sim.Protect(repo, "main", &githubsim.Protection{Checks: []githubsim.RequiredCheck{{Name: "ci"}}})
		}, func() error { return s.sim.Protect(repo, "main", nil) }, doctor.Well, repo, "", ""},
		{"a workflow", write(".github/workflows/ci.yml", "on: [push]\njobs: {}\n"), write(".github/workflows/ci.yml", well), doctor.Doubtful, repo, "workflows", "ci.yml runs on every push"},
		{"a broken file", write(".github/promobot.yml", strings.Replace(doctorFile, "verify", "verifi", 1)), write(".github/promobot.yml", doctorFile), doctor.Wrong, repo, "pipeline file", "line 3"},
		{"a suspension", func() error { return s.sim.Suspend(s.installation) }, func() error { return errors.Join(s.sim.Unsuspend(s.installation), s.sim.Drain(t.Context())) }, doctor.Wrong, repo, "installation", "suspended"},
		{"the webhook's URL", hook("/elsewhere", sceneSecret), hook(registration.HookPath, sceneSecret), doctor.Wrong, "app", "webhook", "/elsewhere"},
		{"the webhook's secret", heard("another secret"), heard(sceneSecret), doctor.Wrong, "app", "deliveries", "webhooks did not arrive ("},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.spoil(); err != nil {
				t.Fatal(err)
			}
			code := 0
			if c.grade == doctor.Wrong {
				code = exitWrong
			}
			bad := slices.DeleteFunc(examineNow(t, code, config, repo), func(f doctor.Finding) bool {
				// A suspension is the App's matter, too, and makes runs fail; what was
				// lost stays in GitHub's list.
				return f.Grade == doctor.Doubtful && f.About != c.about && slices.Contains([]string{"installations", "deliveries", "queue"}, f.About)
			})
			switch {
			case c.grade == doctor.Well:
				if len(bad) > 0 {
					t.Errorf("it finds %+v", bad)
				}
			case len(bad) != 1 || bad[0].Grade != c.grade || bad[0].Subject != c.subject || bad[0].About != c.about || !strings.Contains(bad[0].Says, c.says) || bad[0].Mend == "":
				t.Errorf("it finds %+v\nwant %s %s: %s", bad, c.grade, c.about, c.says)
			}
			if err := c.mend(); err != nil {
				t.Fatal(err)
			}
		})
	}
	s.sim.LimitInstallation(s.installation, 1)
	if bad := examineNow(t, 1, config); !slices.ContainsFunc(bad, func(f doctor.Finding) bool { return f.About == "rate limit" && f.Grade == doctor.Wrong }) {
		t.Errorf("with no requests left it finds %+v", bad)
	}
}

func TestDoctorOfOddApps(t *testing.T) {
	t.Parallel()
	sim := simtest.Start(t, githubsim.Options{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(sim.CreateUser("bo"))
	must(sim.CreateOrganization(sceneOwner, []string{"bo"}, nil))
	must(sim.CreateRepository(t.Context(), sceneOwner, "empty", githubsim.RepoOptions{Private: true}))
	make := func(name string, change func(map[string]string)) githubsim.App {
		t.Helper()
		granted := leastPermissions()
		change(granted)
		app, err := sim.CreateApp(githubsim.AppOptions{Owner: sceneOwner, Name: name, Permissions: granted, Events: registration.Events()})
		must(err)
		_, err = sim.Install(app.ID, sceneOwner)
		must(err)
		return app
	}
	whole, other := make("whole", func(map[string]string) {}), make("other", func(map[string]string) {})
	swapped := whole
	swapped.PrivateKeyPEM = other.PrivateKeyPEM
	less := make("less", func(g map[string]string) { delete(g, "checks") })
	more := make("more", func(g map[string]string) { g["administration"] = "write" })
	nothing := make("nothing", func(g map[string]string) { clear(g) })
	for _, c := range []struct {
		name string
		app  githubsim.App
		args []string
		code int
		want []string // about and a part of what is said, of findings that must be there
	}{
		{"an empty repository", whole, []string{"acme/empty"}, 1, []string{"pipeline file: no pipeline file", "webhook: has no webhook", "queue: no promobot answers"}},
		{"a repository that is not there", whole, []string{"acme/none"}, 1, []string{"installation: not installed on it"}},
		{"another's key", swapped, []string{"acme/empty"}, 1, []string{"key: does not know an App"}},
		{"a permission less", less, []string{"acme/empty"}, 1, []string{"permissions: the App has not the permission Checks", "permissions: the installation has not the permission Checks"}},
		{"a permission more", more, nil, 1, []string{"permissions: administration: write"}},
		{"no permission", nothing, []string{"acme/empty"}, 1, []string{"permissions: the App has not the permission Contents", "repository: does not grant Contents"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := examineNow(t, c.code, doctorConfig(t, sim.BaseURL, "127.0.0.1:1", t.TempDir(), c.app, ""), c.args...)
			for _, want := range c.want {
				about, says, _ := strings.Cut(want, ": ")
				if !slices.ContainsFunc(bad, func(f doctor.Finding) bool { return f.About == about && strings.Contains(f.Says, says) && f.Mend != "" }) {
					t.Errorf("it does not find %q:\n%+v", want, bad)
				}
			}
		})
	}
	t.Run("no git", func(t *testing.T) {
		bad := examineNow(t, 1, doctorConfig(t, sim.BaseURL, "127.0.0.1:1", t.TempDir(), whole, "git: {path: /nowhere/git}\n"))
		if !slices.ContainsFunc(bad, func(f doctor.Finding) bool { return f.About == "git" && f.Grade == doctor.Wrong }) {
			t.Errorf("it finds %+v", bad)
		}
	})
	t.Run("a broken configuration", func(t *testing.T) {
		bad := examineNow(t, 1, doctorConfig(t, sim.BaseURL, "127.0.0.1:1", t.TempDir(), whole, "workrs: 3\n"))
		if len(bad) != 1 || !strings.Contains(bad[0].Says, "no setting workrs") || !strings.Contains(bad[0].Mend, "workers") || !strings.Contains(bad[0].At, "config.yml:") {
			t.Errorf("it finds %+v", bad)
		}
	})
	t.Run("GitHub is out of reach", func(t *testing.T) {
		config := doctorConfig(t, "http://127.0.0.1:1/api/v3/", "127.0.0.1:1", t.TempDir(), whole, "")
		var out, failed bytes.Buffer
		if code := run(t.Context(), []string{"doctor", "--config", config}, &out, &failed); code != exitUnreadable || !strings.Contains(out.String(), "✓ git: git") || !strings.Contains(failed.String(), "GitHub could not be asked") {
			t.Errorf("it ends with %d\n%s\n%s", code, out.String(), failed.String())
		}
	})
}

func TestDoctorComparesClocks(t *testing.T) {
	t.Parallel()
	sim := simtest.Start(t, githubsim.Options{Clock: func() time.Time { return time.Now().Add(40 * time.Second) }})
	if err := sim.CreateUser("bo"); err != nil {
		t.Fatal(err)
	}
	app, err := sim.CreateApp(githubsim.AppOptions{Owner: "bo", Name: "promobot", Permissions: leastPermissions(), Events: registration.Events()})
	if err != nil {
		t.Fatal(err)
	}
	bad := examineNow(t, 1, doctorConfig(t, sim.BaseURL, "127.0.0.1:1", t.TempDir(), app, ""))
	found := map[string]string{}
	for _, f := range bad {
		found[f.About] = f.Says
	}
	if !strings.Contains(found["clock"], "behind GitHub's") || !strings.Contains(found["installations"], "installed nowhere") {
		t.Errorf("it finds %+v", slices.Sorted(maps.Values(found)))
	}
}
