package main

// What the documents name is there: links, Go files, comment commands, permissions.
// docs_pages_internal_test.go runs their commands and reads their files.

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/config"
)

// documents are all pages that people have written.
func documents(t *testing.T) []string {
	t.Helper()
	root, all := filepath.Join("..", ".."), []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(at string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(at, ".md") {
			text, failed := os.ReadFile(at)
			err = failed
			if rel, _ := filepath.Rel(root, at); !bytes.HasPrefix(text, []byte("<!-- Generated ")) {
				all = append(all, filepath.ToSlash(rel))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// blocks are a page's fenced blocks: language and text. What stands behind the
// language is the file that the block is.
var blocks = regexp.MustCompile("(?ms)^```(\\w+)(?: [^\n]*)?\n(.*?)^```$")

// documented are the lines of all blocks of a language, without comments.
func documented(t *testing.T, language string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, name := range documents(t) {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks.FindAllStringSubmatch(string(text), -1) {
			if b[1] == language {
				out[name] = append(out[name], b[2])
			}
		}
	}
	return out
}

// readmeRepository is a repository like the README's, with a history.
func readmeRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=ana", "-c", "user.email=ana@example.com"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(path, text string) {
		t.Helper()
		at := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q", "-b", "main")
	write(config.Path, documented(t, "yaml")["README.md"][0])
	for _, env := range []string{"qa", "staging-us", "staging-eu", "prod-us", "prod-eu"} {
		write("envs/"+env+"/kustomization.yaml", "images:\n  - name: ghcr.io/acme/checkout\n    newTag: 1.0.0\n")
		write("envs/"+env+"/config/app.yaml", "hostname: "+env+".example.com\n")
	}
	git("add", "-A")
	git("commit", "-q", "-m", "all")
	for _, tag := range []string{"1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0"} {
		write("envs/qa/kustomization.yaml", "images:\n  - name: ghcr.io/acme/checkout\n    newTag: "+tag+"\n")
		git("commit", "-q", "-a", "-m", "qa: "+tag)
	}
	return dir
}

// What the pages name: links within the repository, Go files, and ledger entries.
var (
	linked = regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	goFile = regexp.MustCompile("`([a-z0-9_/]+\\.go)`")
	metric = regexp.MustCompile("`(promobot_[a-z_]+)")
)

// TestDocumentedNames: what the pages point at is there.
func TestDocumentedNames(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	known := map[string]bool{}
	err := filepath.WalkDir(root, func(at string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(at, ".go") {
			rel, _ := filepath.Rel(root, at)
			known[filepath.ToSlash(rel)], known[filepath.Base(at)] = true, true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := os.ReadFile(filepath.Join(root, "docs", "reference", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range documents(t) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range metric.FindAllStringSubmatch(string(text), -1) {
			if !bytes.Contains(metrics, []byte("`"+m[1]+"`")) {
				t.Errorf("%s: there is no metric %s", name, m[1])
			}
		}
		for _, m := range linked.FindAllStringSubmatch(string(text), -1) {
			to := filepath.Join(root, filepath.Dir(name), m[1])
			if m[1] == "" {
				to = filepath.Join(root, name)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", name, m[1])
			} else if m[2] != "" && !slices.Contains(anchors(t, to), m[2]) {
				t.Errorf("%s: %s has no heading for #%s", name, m[1], m[2])
			}
		}
		for _, m := range goFile.FindAllStringSubmatch(string(text), -1) {
			if !known[m[1]] {
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
	}
}

// What GitHub makes of a heading to link to: small letters, blanks as hyphens,
// other signs left out.
var (
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`)
	notInLinks = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	fenced     = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
)

// anchors are what can be linked to on a page.
func anchors(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
		all = append(all, strings.ReplaceAll(strings.ToLower(notInLinks.ReplaceAllString(m[1], "")), " ", "-"))
	}
	return all
}

// commented are the comment commands on a page.
var commented = regexp.MustCompile("`(/promobot [^`]*)`")

// TestDocumentedComments: what the pages tell people to write is understood.
func TestDocumentedComments(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, name := range documents(t) {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range commented.FindAllStringSubmatch(string(text), -1) {
			switch cs := command.Parse(m[1], nil); {
			case len(cs) != 1 || cs[0].Problem != "":
				t.Errorf("%s: %q is not understood: %+v", name, m[1], cs)
			case cs[0].NeedsConfirm():
				t.Errorf("%s: %q asks to be confirmed", name, m[1])
			default:
				if name == verificationPage {
					said[cs[0].Name] = true
				}
			}
		}
	}
	for _, spec := range command.All {
		if !said[spec.Name] && spec.Name != command.NameHelp && spec.Name != command.NamePlan {
			t.Errorf("%s does not show %s", verificationPage, spec.Name)
		}
	}
}

// TestDocumentedWindow: the window and its holidays are what the page says.
func TestDocumentedWindow(t *testing.T) {
	t.Parallel()
	text := verificationSections(t)["By hand"].pipeline
	file, problems := config.Parse(config.Path, []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	pipelines, problems := file.Resolve(config.Tree{Paths: []string{"envs/dev/values.yaml", "envs/prod/values.yaml"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	prod := pipelines[0].Environments[1]
	if len(prod.Windows) != 1 || !prod.Approval {
		t.Fatalf("prod has %d windows; approval %v", len(prod.Windows), prod.Approval)
	}
	for _, w := range prod.Windows {
		days, err := calendar.ParseHolidays([]byte(documented(t, "ics")[verificationPage][0]))
		if err != nil {
			t.Fatal(err)
		}
		w.Days = days
		for at, want := range map[string]bool{
			"2026-12-22T08:00:00Z": true,  // Tuesday, 09:00 there
			"2026-12-22T07:59:00Z": false, // not yet
			"2026-12-24T10:00:00Z": false, // Thursday, a holiday
			"2026-12-25T10:00:00Z": false, // Friday
			"2026-06-30T07:00:00Z": true,  // summer time
			"2029-12-26T10:00:00Z": false, // three years later
		} {
			when, err := time.Parse(time.RFC3339, at)
			if err != nil {
				t.Fatal(err)
			}
			if open, why := w.Open(when); open != want {
				t.Errorf("at %s open is %v: %s", at, open, why)
			}
		}
	}
}

// TestLogOfARunningProgram reads, in a clone, what a running program wrote.
func TestLogOfARunningProgram(t *testing.T) {
	files := map[string]string{config.Path: documented(t, "yaml")["README.md"][0]}
	for _, env := range []string{"qa", "staging-us", "staging-eu", "prod-us", "prod-eu"} {
		files["envs/"+env+"/kustomization.yaml"] = "images:\n  - name: ghcr.io/acme/checkout\n    newTag: 1.0.0\n"
	}
	s := newScene(t, sceneOptions{files: files})
	s.start()
	s.wait("every environment has its ledger", func() bool { return len(s.ledgers()) == 5 })
	dir := s.clone()
	s.git(dir, "fetch", "origin", "refs/promobot/*:refs/promobot/*")
	t.Chdir(dir)
	var out bytes.Buffer
	if code := run(t.Context(), []string{"log", "checkout", "prod-eu"}, &out, &out); code != 0 || !strings.Contains(out.String(), "first seen") {
		t.Errorf("exit %d:\n%s", code, out.String())
	}
}

// granting are the rows of the README's table of permissions, and subscribing its
// list of events.
var (
	granting    = regexp.MustCompile(`(?m)^ +\| ([A-Z][A-Za-z ,]+): (read(?: and write)?)[ ,(|]`)
	subscribing = regexp.MustCompile(`Subscribe to: ([a-z ,]+)`)
)

// TestDocumentedSetUp: the App of the demo, and of the tests, is the README's.
func TestDocumentedSetUp(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	apiName := func(words string) string {
		return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(strings.TrimSpace(words), "Commit ")), " ", "_")
	}
	granted := map[string]string{}
	for _, row := range granting.FindAllStringSubmatch(string(text), -1) {
		for name := range strings.SplitSeq(row[1], ",") {
			granted[apiName(name)] = map[string]string{"read": "read", "read and write": "write"}[row[2]]
		}
	}
	for _, onDemand := range []string{"workflows", "merge_queues"} {
		if granted[onDemand] == "" {
			t.Errorf("the README does not name the permission %s", onDemand)
		}
		delete(granted, onDemand)
	}
	list := subscribing.FindStringSubmatch(string(text))
	if list == nil {
		t.Fatal("the README does not say which events to subscribe to")
	}
	var events []string
	for name := range strings.SplitSeq(list[1], ",") {
		if name = strings.TrimPrefix(apiName(name), "and_"); name != "merge_group_with" {
			events = append(events, name)
		}
	}
	for name, app := range map[string]struct {
		permissions map[string]string
		events      []string
	}{"the demo": {demoPermissions, demoEvents}, "the tests": {appPermissions, appEvents}} {
		if diff := cmp.Diff(app.permissions, granted); diff != "" {
			t.Errorf("permissions (-%s +README):\n%s", name, diff)
		}
		if diff := cmp.Diff(app.events, events, cmpopts.SortSlices(strings.Compare)); diff != "" {
			t.Errorf("events (-%s +README):\n%s", name, diff)
		}
	}
}
