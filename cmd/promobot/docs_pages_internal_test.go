package main

// Every page is done as a newcomer does it, from top to bottom, in a repository of
// its own, so that none of them rots.
//
// Rules of the pages: a block whose fence names a file behind the language is that
// file, written when its place on the page is reached, and committed before the
// next command. A block of the language sh holds commands, which have to end well;
// one of the language console holds commands behind "$ " and exactly what they
// print, "…" standing for any lines. A YAML block without a file's name is a
// pipeline file. Whatever is neither run nor read says why, in the line before it:
//
//	<!-- not run: it starts a server -->

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/promotion/config"
)

// pageBlock is one fenced block of a page.
type pageBlock struct {
	line           int
	language, file string
	text           string
	excuse         string // why it is not run, or not read
}

var fences = regexp.MustCompile("(?ms)^(?:<!-- not (?:run|read): ([^\\n]*?) -->\\n)?^```(\\w*)(?: ([^\\n]*))?\\n(.*?)^```$")

func pageBlocks(t *testing.T, page string) []pageBlock {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	var all []pageBlock
	for _, at := range fences.FindAllStringSubmatchIndex(string(text), -1) {
		part := func(n int) string {
			if at[2*n] < 0 {
				return ""
			}
			return string(text[at[2*n]:at[2*n+1]])
		}
		all = append(all, pageBlock{
			line: strings.Count(string(text[:at[0]]), "\n") + 1, excuse: part(1), language: part(2), file: part(3), text: part(4),
		})
	}
	return all
}

// isPipelineFile tells pipeline files from other YAML on a page.
func isPipelineFile(text string) bool { return strings.HasPrefix(text, "version: ") }

// TestDocumentedPages does every page.
func TestDocumentedPages(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, programName)); err != nil {
		t.Fatal(err)
	}
	server := askedServer(t).URL
	for _, page := range documents(t) {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			r := &reader{t: t, page: page, bin: bin, server: server}
			for _, b := range pageBlocks(t, page) {
				r.read(b)
			}
			r.validate()
		})
	}
}

// reader is a newcomer with a page.
type reader struct {
	t                       *testing.T
	page, bin, server, repo string
	commits                 int
	pending                 []string // files that are not committed
}

func (r *reader) errorf(b pageBlock, format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("%s:%d: %s", r.page, b.line, fmt.Sprintf(format, args...))
}

// read does what a block says.
func (r *reader) read(b pageBlock) {
	r.t.Helper()
	switch {
	case b.language == "sh" || b.language == "console":
		r.commands(b)
		return
	case b.language == "json":
		if b.excuse == "" && !json.Valid([]byte(b.text)) {
			r.errorf(b, "this is no JSON")
		}
	case b.language == "yaml":
		r.yaml(b)
	case b.language != "" && b.language != "text" && b.language != "ics" && b.excuse == "":
		r.errorf(b, "nothing reads %s; say why in the line before, as <!-- not read: … -->", b.language)
	}
	if b.file != "" {
		r.write(b)
	}
}

func (r *reader) yaml(b pageBlock) {
	r.t.Helper()
	if isPipelineFile(b.text) {
		if _, problems := config.Parse(r.page, []byte(b.text)); len(problems) > 0 {
			r.errorf(b, "%v", problems)
		}
		return
	}
	if b.file == "" && isServerConfig(b.text) {
		r.serverConfig(b)
		return
	}
	decoder := yaml.NewDecoder(strings.NewReader(b.text))
	for {
		var document yaml.Node
		if err := decoder.Decode(&document); err != nil {
			if err.Error() != "EOF" && b.excuse == "" {
				r.errorf(b, "this is no YAML: %v", err)
			}
			break
		}
	}
	if b.file == "" && b.excuse == "" && r.page != verificationPage { // whose documents TestDocumentedVerification reads
		r.errorf(b, "nothing reads this: name its file behind the language, or say why in the line before, as <!-- not read: … -->")
	}
}

// isServerConfig tells a part of the server's configuration by its keys.
func isServerConfig(text string) bool {
	var keys map[string]any
	if yaml.Unmarshal([]byte(text), &keys) != nil || len(keys) == 0 {
		return false
	}
	c := defaultConfig()
	known := append((&loader{settings: settings(&c)}).keysBelow(""), "notifications")
	for key := range keys {
		if !slices.Contains(known, key) {
			return false
		}
	}
	return true
}

// serverConfig holds a part of the server's configuration to what it reads. Files
// that it names for secrets are on another machine.
func (r *reader) serverConfig(b pageBlock) {
	r.t.Helper()
	_, _, err := loadConfig(writeFile(r.t, "config.yml", b.text), required())
	if err == nil {
		return
	}
	for problem := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.Contains(problem, "no such file") {
			r.errorf(b, "%s", problem)
		}
	}
}

// open makes the repository in which the page's commands run: the README's for
// pages without files of their own.
func (r *reader) open() {
	r.t.Helper()
	if r.repo != "" {
		return
	}
	for _, b := range pageBlocks(r.t, r.page) {
		if b.file != "" && b.excuse == "" {
			r.repo = filepath.Join(r.t.TempDir(), "gitops")
			r.must(os.Mkdir(r.repo, 0o755))
			_, err := r.run("git init -q -b main")
			r.must(err)
			return
		}
	}
	r.repo = readmeRepository(r.t)
}

func (r *reader) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", r.page, err)
	}
}

func (r *reader) write(b pageBlock) {
	r.t.Helper()
	if b.excuse != "" {
		return
	}
	r.open()
	r.must(writeFiles(r.repo, map[string]string{b.file: b.text}))
	r.pending = append(r.pending, b.file)
}

// commit commits the files that the page has told so far.
func (r *reader) commit() {
	r.t.Helper()
	r.open()
	if len(r.pending) == 0 {
		return
	}
	message := "change " + strings.Join(r.pending, ", ")
	if r.pending = nil; r.commits < 2 {
		message = "begin"
	}
	out, err := r.run("git add -A && git commit -q -m '" + message + "'")
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", r.page, err, out)
	}
}

// run runs a line as a newcomer's shell does: promobot is this program, git's
// dates and author are fixed, a promobot to ask runs.
func (r *reader) run(line string) (string, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	r.commits++
	at := time.Date(2026, 6, 1, 9, r.commits, 0, 0, time.UTC).Format(time.RFC3339)
	cmd := exec.CommandContext(ctx, "sh", "-ec", line)
	cmd.Dir = r.repo
	cmd.Env = []string{
		"PATH=" + r.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + r.bin, "TZ=UTC",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@example.com", "GIT_AUTHOR_DATE=" + at,
		"GIT_COMMITTER_NAME=Ana", "GIT_COMMITTER_EMAIL=ana@example.com", "GIT_COMMITTER_DATE=" + at,
		"PROMOBOT_SERVER=" + r.server, "GH_TOKEN=anas-token",
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// commands runs those of a block; of one that is excused it understands
// promobot's.
func (r *reader) commands(b pageBlock) {
	r.t.Helper()
	type step struct{ command, prints string }
	var steps []step
	for line := range strings.SplitSeq(strings.TrimSuffix(b.text, "\n"), "\n") {
		command, is := line, b.language == "sh"
		if !is {
			command, is = strings.CutPrefix(line, "$ ")
		}
		switch {
		case is && len(steps) > 0 && strings.HasSuffix(steps[len(steps)-1].command, "\\"):
			last := &steps[len(steps)-1].command
			*last = strings.TrimSuffix(*last, "\\") + strings.TrimSpace(command)
		case is:
			steps = append(steps, step{command: command})
		case len(steps) == 0:
			r.errorf(b, "a console begins with a command behind $")
			return
		default:
			steps[len(steps)-1].prints += line + "\n"
		}
	}
	if b.excuse == "" {
		r.commit()
	}
	for _, s := range steps {
		if b.excuse != "" {
			if command, ours := commandIn(s.command); ours {
				if err := parseOnly(command); err != nil {
					r.errorf(b, "%q: %v", s.command, err)
				}
			}
			continue
		}
		if text, _, _ := strings.Cut(s.command, "#"); strings.TrimSpace(text) == "" {
			continue
		}
		out, err := r.run(s.command)
		r.t.Logf("$ %s\n%s", s.command, out)
		switch {
		case err != nil:
			r.errorf(b, "%q: %v\n%s", s.command, err, out)
		case b.language == "console" && !printed(s.prints, out):
			r.errorf(b, "%q prints\n%s\nand the page says\n%s", s.command, out, s.prints)
		}
	}
}

// printed says whether a command printed what the page says.
func printed(said, out string) bool {
	parts := strings.Split(regexp.QuoteMeta(said), "…")
	return regexp.MustCompile(`^` + strings.Join(parts, `(?s:.*)`) + `$`).MatchString(out)
}

// validate holds the page's own pipeline file against the page's own files.
func (r *reader) validate() {
	r.t.Helper()
	if r.repo == "" {
		return
	}
	r.commit()
	if _, err := os.Stat(filepath.Join(r.repo, config.Path)); err != nil {
		return
	}
	if out, err := r.run("promobot validate --repo ."); err != nil {
		r.t.Errorf("%s: its pipeline file does not fit its files: %v\n%s", r.page, err, out)
	}
}
