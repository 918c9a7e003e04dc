package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// completed is what the program offers a shell after these words.
func completed(t *testing.T, words ...string) []string {
	t.Helper()
	var out, said bytes.Buffer
	if code := run(t.Context(), append([]string{"__completeNoDesc"}, words...), &out, &said); code != 0 {
		t.Fatalf("exit %d: %s", code, said.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[:len(lines)-1] // the last one is for the shell
}

func TestCompletionOfNames(t *testing.T) {
	t.Parallel()
	repo := readmeRepository(t)
	conf := writeFile(t, "config.yml", fmt.Sprintf("github: {app_id: 7, webhook_secret: hush, private_key_file: %s}\nnotifications: [{name: ops, kind: slack, url: https://hooks.example.com/a}]\n", writeFile(t, "key.pem", testKey())))
	for name, c := range map[string]struct{ words, want []string }{
		"pipelines":                {[]string{"explain", "--repo", repo, ""}, []string{"checkout"}},
		"environments":             {[]string{"log", "--repo", repo, "checkout", ""}, []string{"qa", "staging-us", "staging-eu", "prod-us", "prod-eu"}},
		"of an unknown pipeline":   {[]string{"log", "--repo", repo, "other", ""}, nil},
		"where nothing is":         {[]string{"explain", "--repo", t.TempDir(), ""}, nil},
		"shells":                   {[]string{"completion", "fi"}, []string{"fish"}},
		"commands":                 {[]string{"expl"}, []string{"explain"}},
		"receivers":                {[]string{"notify", "test", "--config", conf, ""}, []string{"ops"}},
		"receivers without a file": {[]string{"notify", "test", ""}, nil},
	} {
		got := completed(t, c.words...)
		if len(got) == 0 {
			got = nil
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestCompletionOfHostileNames: a name that a shell could take for something else
// is not offered.
func TestCompletionOfHostileNames(t *testing.T) {
	t.Parallel()
	repo := readmeRepository(t)
	for _, name := range []string{"good", "a$(touch x)", "b;c", "d\te", "-f", "g h"} {
		dir := filepath.Join(repo, "services", name, "qa")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("images: [{name: x, newTag: a}]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(repo, ".github", "promobot.yml"), []byte("version: 1\nenvironments: {qa: {verify: none}}\npipelines: {services: {for_each: services/$name, path: services/$name/$env, promote: {images: \"*\"}}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "more"}} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", repo}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if diff := cmp.Diff([]string{"services/-f", "services/good"}, completed(t, "explain", "--repo", repo, "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for shell := range shells {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"completion", shell}, &out, &out); code != 0 || !strings.Contains(out.String(), "__complete") {
			t.Errorf("%s: exit %d: %.200s", shell, code, out.String())
		}
	}
	var script bytes.Buffer
	run(t.Context(), []string{"completion", "bash"}, &script, &script)
	bash := exec.CommandContext(t.Context(), "bash", "-n")
	bash.Stdin = &script
	if out, err := bash.CombinedOutput(); err != nil {
		t.Errorf("bash does not understand it: %v: %s", err, out)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"completion", "fishy"}, &out, &out); code != exitUsage || !strings.Contains(out.String(), "did you mean fish?") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
