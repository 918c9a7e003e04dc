package config_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
)

var bothPaths = []string{"envs/dev/kustomization.yaml", "envs/prod/kustomization.yaml"}

// prod is environment prod of base with more settings, and more at the file's end.
func prod(t *testing.T, settings, more string) config.Environment {
	t.Helper()
	src := strings.Replace(base, "{from: dev}", "{from: dev"+settings+"}", 1) + more
	return environment(t, resolve(t, src, bothPaths...), "app", "prod")
}

func TestVerify(t *testing.T) {
	pipelines := resolve(t, example(t, "every-key"), everyPaths...)
	for name, c := range map[string]struct {
		e    config.Environment
		want *config.Verify
	}{
		"every key": {environment(t, pipelines, "infrastructure", "staging"), &config.Verify{
			Checks:      &config.Evidence{Names: []string{"argocd/staging-*", `ci \* [x]`}, App: "argocd", Line: 27},
			Deployments: &config.Evidence{Names: []string{"staging", "staging-eu"}, Any: true, Line: 28},
			Workflows:   &config.Evidence{Names: []string{"smoke-staging.yml"}, Line: 29},
			Soak:        10 * time.Minute, Timeout: 2*time.Hour + 10*time.Minute - 90*time.Second, Continue: true,
			OnTimeout: config.TimeoutHolds, Hints: true, Line: 27,
		}},
		"the pipeline's own counts instead, whole": {environment(t, pipelines, "apps/core/web", "staging"), &config.Verify{
			Checks: &config.Evidence{Names: []string{"argocd/core-web-staging", "web/*"}, Line: 77},
			Soak:   time.Hour, Timeout: 2 * time.Hour, RedFor: time.Minute, OnTimeout: config.TimeoutFails, Line: 77,
		}},
		"defaults": {prod(t, ", verify: {checks: ci}", ""), &config.Verify{
			Checks:  &config.Evidence{Names: []string{"ci"}, Line: 4},
			Timeout: time.Hour, RedFor: time.Minute, OnTimeout: config.TimeoutFails, Line: 4,
		}},
		"a longer soak puts the timeout off": {prod(t, ", verify: {checks: ci, soak: 1h, timeout: 90m}", "overrides:\n  - {environments: prod, soak: 3d}\n"), &config.Verify{
			Checks: &config.Evidence{Names: []string{"ci"}, Line: 4},
			Soak:   72 * time.Hour, Timeout: 72*time.Hour + 30*time.Minute, RedFor: time.Minute, OnTimeout: config.TimeoutFails, Line: 4,
		}},
		"none":         {prod(t, ", verify: none", ""), nil},
		"nothing said": {prod(t, "", ""), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.e.Verify); diff != "" {
				t.Error(diff)
			}
			if c.e.Verified != (c.want == nil) {
				t.Errorf("verified by landing: %v", c.e.Verified)
			}
		})
	}
}

// TestVerifyNamesAreTheirOwn checks that a folder's name is no pattern in a
// check's name, and that no name is shared between the pipelines of a for_each.
func TestVerifyNamesAreTheirOwn(t *testing.T) {
	src := strings.Replace(strings.Replace(base, "path: envs/$env", "for_each: s/$name\n    path: s/$name/$env", 1), "{from: dev}", `{from: dev, verify: {checks: "$name on *"}}`, 1)
	var paths []string
	for _, name := range []string{`a*`, `a\b`, "ab"} {
		paths = append(paths, "s/"+name+"/dev/kustomization.yaml", "s/"+name+"/prod/kustomization.yaml")
	}
	got := map[string]string{}
	for _, p := range resolve(t, src, paths...) {
		got[p.Title] = p.Environments[1].Verify.Checks.Names[0]
	}
	if diff := cmp.Diff(map[string]string{`a*`: `a\* on *`, `a\b`: `a\\b on *`, "ab": "ab on *"}, got); diff != "" {
		t.Error(diff)
	}
	for title, pattern := range got {
		for other := range got {
			if config.MatchesName(pattern, other+" on prod-1/eu") != (title == other) {
				t.Errorf("%s and the check of %s: %v", pattern, other, title != other)
			}
		}
	}
}

func TestMatchesName(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"ci", "ci", true},
		{"ci", "CI", false},
		{"ci", "ci2", false},
		{"", "", true},
		{"*", "a/b", true},
		{"argocd/*", "argocd/shop/prod", true},
		{"argocd/*-prod", "argocd/a-prod-prod", true},
		{"argocd/*-prod", "argocd/a-prod-prodx", false},
		{"a*b*c", "a-b-b-c-c", true},
		{"a*b*c", "a-c-b", false},
		{"build [linux] {x}?", "build [linux] {x}?", true},
		{"build [linux]", "build l", false},
		{`a\*`, "a*", true},
		{`a\*`, "ab", false},
		{`a\\*`, `a\b`, true},
		{"ci / *", "ci / test (linux)", true},
		{"ünder*", "ünder/ö", true},
		{"**a", "bba", true},
		{strings.Repeat("*a", 200) + "b", strings.Repeat("a", 5000), false},
	} {
		if got := config.MatchesName(c.pattern, c.name); got != c.want {
			t.Errorf("%.40q and %.40q: %v", c.pattern, c.name, got)
		}
	}
}

// FuzzMatchesName compares with the regular expression that a pattern means.
func FuzzMatchesName(f *testing.F) {
	f.Add("a*b*", "aab")
	f.Add(`\*a\\*`, `*a\b`)
	f.Fuzz(func(t *testing.T, pattern, name string) {
		var re strings.Builder
		for i := 0; i < len(pattern); i++ {
			switch pattern[i] {
			case '*':
				re.WriteString(".*")
				continue
			case '\\':
				if i++; i == len(pattern) {
					return // refused when the file is read
				}
			}
			if pattern[i] >= 0x80 {
				return // bytes are no runes to a regular expression
			}
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
		for i := range len(name) {
			if name[i] >= 0x80 {
				return
			}
		}
		if want := regexp.MustCompile(`(?s)^` + re.String() + `$`).MatchString(name); config.MatchesName(pattern, name) != want {
			t.Errorf("%q and %q: not %v", pattern, name, want)
		}
	})
}

func TestOnFailure(t *testing.T) {
	all := []config.FailureKind{config.PushFailed, config.MergeFailed, config.VerificationFailed, config.TimedOut}
	refused, failed := all[:2], all[2:]
	red := all[2:3]
	for name, c := range map[string]struct {
		e    config.Environment
		want []config.Step
	}{
		"nothing said": {prod(t, "", ""), []config.Step{{Do: config.Halt, Limit: 1, When: all}}},
		"names alone": {prod(t, ", verify: {checks: ci}, on_failure: [restart, repromote, rollback, halt]", ""), []config.Step{
			{Do: config.Restart, Limit: 3, Backoff: time.Minute, When: refused, Line: 4},
			{Do: config.Repromote, Limit: 1, Backoff: 5 * time.Minute, When: refused, Line: 4},
			{Do: config.Rollback, Limit: 1, When: failed, Scope: config.ScopeEnvironment, Line: 4},
			{Do: config.Halt, Limit: 1, When: all, Line: 4},
		}},
		"one without brackets": {prod(t, ", verify: {checks: ci}, on_failure: {run: {event: mend}}", ""), []config.Step{
			{Do: config.Run, Limit: 1, When: failed, Line: 4, Run: &config.Recovery{Event: "mend", Timeout: 30 * time.Minute}},
		}},
		"a halt for some, and what is behind it for others": {prod(t, ", verify: {checks: ci}, on_failure: [{halt: {when: timeout}}, rollback]", ""), []config.Step{
			{Do: config.Halt, Limit: 1, When: all[3:], Line: 4},
			{Do: config.Rollback, Limit: 1, When: failed, Scope: config.ScopeEnvironment, Line: 4},
		}},
		"every key": {environment(t, resolve(t, example(t, "every-key"), everyPaths...), "infrastructure", "staging"), []config.Step{
			{Do: config.Restart, Limit: 2, Backoff: 10 * time.Minute, When: []config.FailureKind{config.PushFailed, config.VerificationFailed}, Line: 37},
			{Do: config.Repromote, Limit: 1, Backoff: 5 * time.Minute, When: refused, Line: 38},
			{Do: config.Run, Limit: 2, Backoff: 5 * time.Minute, When: red, Line: 39, Run: &config.Recovery{
				Workflow: "recover.yml", Ref: "main", Inputs: map[string]string{"who": "ana", "why": ""}, Idempotent: true, Timeout: time.Hour,
			}},
			{Do: config.Run, Limit: 1, When: failed, Line: 40, Run: &config.Recovery{Event: "recover", Timeout: 30 * time.Minute}},
			{Do: config.Rollback, Limit: 1, Backoff: time.Minute, When: red, Scope: config.ScopeDownstream, Line: 41},
			{Do: config.Halt, Limit: 1, When: all, Line: 42},
		}},
		"the pipeline's own counts instead": {prod(t, ", verify: {checks: ci}, on_failure: [restart, rollback]", "    environments: {prod: {on_failure: halt}}\n"), []config.Step{
			{Do: config.Halt, Limit: 1, When: all, Line: 9},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.e.OnFailure); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRollbackMode goes through all modes that can be said together.
func TestRollbackMode(t *testing.T) {
	modes := []config.Mode{config.Observe, config.Propose, config.Auto}
	for _, file := range modes {
		for _, env := range modes {
			for _, override := range modes[:env] {
				for _, said := range []config.Mode{0, config.Propose, config.Auto} {
					settings := ", verify: {checks: ci}, mode: " + env.String()
					if said != 0 {
						settings += ", rollback: " + said.String()
					}
					e := prod(t, settings, fmt.Sprintf("mode: %s\noverrides:\n  - {environments: prod, mode: %s}\n", file, override))
					want := e.Mode
					if said != 0 {
						want = min(said, file, override)
					}
					if env == config.Observe {
						want = config.Observe
					}
					if e.Rollback != want {
						t.Errorf("file %s, environment %s, override %s, rollback %s: %s, not %s", file, env, override, said, e.Rollback, want)
					}
				}
			}
		}
	}
	if e := prod(t, ", mode: propose, verify: {checks: ci}, rollback: auto", ""); e.Rollback != config.Auto || e.Mode != config.Propose {
		t.Errorf("people merge promotions, promobot rollbacks: %s, %s", e.Mode, e.Rollback)
	}
}

func TestWindows(t *testing.T) {
	const office = "windows:\n  office: {allow: [\"Mon-Thu 09:00-16:00\", Fri], block: \"12:00-13:00\", zone: Europe/Berlin, holidays: ops/x.ics}\n  calm: {block: \"22:00-06:00\"}\n"
	e := prod(t, ", window: [calm, office]", office)
	if len(e.Windows) != 2 {
		t.Fatalf("windows: %+v", e.Windows)
	}
	spans := func(text string) []calendar.Span {
		s, err := calendar.ParseSpans(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	w := e.Windows[1]
	if w.Name != "office" || w.Holidays != "ops/x.ics" || w.Line != 10 || w.Zone.String() != "Europe/Berlin" || len(w.Days) > 0 {
		t.Errorf("%+v", w)
	}
	if diff := cmp.Diff(slices.Concat(spans("Mon-Thu 09:00-16:00"), spans("Fri")), w.Allow); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(spans("12:00-13:00"), w.Block); diff != "" {
		t.Error(diff)
	}
	if calm := e.Windows[0]; calm.Zone != time.UTC || calm.Allow != nil || calm.Line != 11 {
		t.Errorf("%+v", calm)
	}
	names := func(e config.Environment) string {
		var out []string
		for _, w := range e.Windows {
			out = append(out, w.Name)
		}
		return strings.Join(out, " ")
	}
	for name, c := range map[string]struct{ settings, more, want string }{
		"none":                                     {"", "", ""},
		"the pipeline's own counts instead":        {", window: office", "    environments: {prod: {window: calm}}\n", "calm"},
		"the pipeline's own takes it away":         {", window: office", "    environments: {prod: {window: []}}\n", ""},
		"an override adds":                         {", window: office", "overrides:\n  - {environments: prod, window: [office, calm]}\n", "office calm"},
		"an override where nothing was":            {"", "overrides:\n  - {environments: prod, window: calm}\n", "calm"},
		"an override whose own list is empty":      {", window: office", "overrides:\n  - {environments: prod, window: [], mode: observe}\n", "office"},
		"summer here and winter there, one a year": {", window: [berlin, sydney]", "overrides:\n  - {environments: prod, window: calm}\n", "berlin sydney calm"},
	} {
		t.Run(name, func(t *testing.T) {
			const halves = "  berlin: {allow: \"08:00-09:00\", zone: Europe/Berlin}\n  sydney: {allow: \"16:00-17:00\", zone: Australia/Sydney}\n"
			pipeline, rest := c.more, ""
			if strings.HasPrefix(c.more, "overrides") {
				pipeline, rest = "", c.more
			}
			if got := names(prod(t, c.settings, pipeline+office+halves+rest)); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}

func TestApprovalAndRight(t *testing.T) {
	type guard struct {
		Approval bool
		Right    config.Right
	}
	for name, c := range map[string]struct {
		settings, more string
		want           guard
	}{
		"nothing said": {"", "", guard{false, config.Right{Role: "write"}}},
		"said":         {", approval: required, right: maintain", "", guard{true, config.Right{Role: "maintain"}}},
		"a team":       {", right: acme/on.call", "", guard{false, config.Right{Team: "acme/on.call"}}},
		"in a pipeline": {
			", right: admin", "    environments: {prod: {approval: required, right: triage}}\n",
			guard{true, config.Right{Role: "triage"}},
		},
		"by an override": {"", "overrides:\n  - {environments: prod, approval: required}\n", guard{true, config.Right{Role: "write"}}},
		"push under a lower mode is a pull request": {", approval: required", "deliver: push\n", guard{true, config.Right{Role: "write"}}},
		"an override takes it from the push": {
			", mode: auto, deliver: push", "overrides:\n  - {environments: prod, approval: required, deliver: pull_request}\n",
			guard{true, config.Right{Role: "write"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := prod(t, c.settings, c.more)
			if diff := cmp.Diff(c.want, guard{e.Approval, e.Right}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	want := config.Commands{
		Rights:  map[string]config.Right{"approve": {Role: "maintain"}, "rollback": {Team: "acme/oncall"}, "status": {Role: "read"}},
		Bots:    []string{"renovate[bot]"},
		Aliases: map[string]string{"ship": "promote production", "freeze": "hold prod*"},
	}
	c := parse(t, example(t, "every-key")).Commands()
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(config.Commands{Rights: map[string]config.Right{}, Bots: []string{}, Aliases: map[string]string{}}, parse(t, base).Commands()); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		command string
		env     config.Right
		want    string
	}{
		{"approve", config.Right{Role: "admin"}, "maintain"},
		{"rollback", config.Right{Role: "admin"}, "team acme/oncall"},
		{"hold", config.Right{Role: "admin"}, "admin"},
		{"hold", config.Right{Team: "acme/sre"}, "team acme/sre"},
		{"status", config.Right{Role: "admin"}, "read"},
		{"plan", config.Right{}, "write"},
	} {
		if got := want.Asks(c.command, c.env).String(); got != c.want {
			t.Errorf("%s asks for %s, not %s", c.command, got, c.want)
		}
	}
}

// TestDiffOfVerification checks that what many services share is one line, also
// where each has names of its own.
func TestDiffOfVerification(t *testing.T) {
	src := strings.Replace(base, "path: envs/$env", "for_each: s/$name\n    path: s/$name/$env", 1)
	var paths []string
	for i := range 5 {
		paths = append(paths, fmt.Sprintf("s/s%d/dev/kustomization.yaml", i), fmt.Sprintf("s/s%d/prod/kustomization.yaml", i))
	}
	before := resolve(t, strings.Replace(src, "{from: dev}", "{from: dev, verify: {checks: ci/$name}, on_failure: rollback}", 1), paths...)
	after := resolve(t, strings.Replace(src, "{from: dev}", "{from: dev, verify: {checks: [ci/$name, slo/$name], soak: 1h}, on_failure: [{restart: {when: verification}}, rollback]}", 1), paths...)
	const all = "app (5 pipelines, such as app/s0): prod: "
	want := []string{
		all + "verify.checks changes from ci/$name to ci/$name, slo/$name",
		all + "verify.soak changes from 0s to 1h",
		all + "verify.timeout changes from 1h to 2h",
		all + "on_failure changes from rollback to restart, then rollback",
		all + "on_failure[0] changes from rollback (scope environment; when verification, timeout) to restart (limit 3; backoff 1m; when verification)",
		all + "on_failure[1] changes from none to rollback (scope environment; when verification, timeout)",
	}
	if diff := cmp.Diff(want, config.Diff(before, after)); diff != "" {
		t.Error(diff)
	}
	for _, s := range after[3].Environments[1].Settings {
		if s.Key == "verify.checks" && (s.Value != "ci/s3, slo/s3" || s.Template != "ci/$name, slo/$name" || s.From.What != "environments.prod.verify.checks") {
			t.Errorf("%+v", s)
		}
	}
}

// TestParticularsFitTheirLimits checks that what promobot sends leaves room, and
// that a workflow's own names are none of it.
func TestParticularsFitTheirLimits(t *testing.T) {
	inputs := map[string]bool{}
	for _, p := range config.Particulars {
		inputs[p] = true
	}
	if len(inputs) != len(config.Particulars) || !inputs["nonce"] {
		t.Errorf("particulars: %v", config.Particulars)
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		src := strings.Replace(base, "{from: dev}", "{from: dev, verify: {checks: ci}, on_failure: {run: {workflow: a.yml, inputs: {"+name+": x}}}}", 1)
		if f, _ := config.Parse("p.yml", []byte(src)); f != nil {
			t.Errorf("%s can be filled by others", name)
		}
	}
}

// TestLanguageExampleIsAnExample keeps the first example of the page and the one
// that is resolved over a repository the same.
func TestLanguageExampleIsAnExample(t *testing.T) {
	if diff := cmp.Diff(example(t, "monorepo"), referenceFiles(t)["Many services, from dev to production"]); diff != "" {
		t.Error(diff)
	}
}
