package main

// What a scene's tests look at, and how they wait: GitHub's own state, read
// from the simulator and its bare repositories without a request.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

const (
	sceneDebounce = 10 * time.Millisecond
	sceneTick     = 20 * time.Millisecond // longer than the debounce: see atRest
	scenePatience = 3 * time.Minute
)

// wait waits until something holds, which the program brings about.
func (s *scene) wait(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(scenePatience)
	tick := time.NewTicker(sceneTick)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain: %s", what)
		}
		<-tick.C
	}
}

// settle waits until the program is at rest: it has looked everywhere once,
// every webhook is delivered, and what they woke has been served.
func (s *scene) settle() {
	s.t.Helper()
	s.wait("rest", s.atRest())
}

// atRest returns a condition that holds when, from one tick to the next, the
// queue was empty and the program asked for nothing. A tick is longer than the
// debounce, so whatever was stored before it has become due since; and a run
// that began and ended in between would show in the journal.
func (s *scene) atRest() func() bool {
	requests, swept := -1, false
	return func() bool {
		if !swept {
			status, _ := s.get("/readyz")
			swept = status == http.StatusOK
			return false
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), scenePatience)
		defer cancel()
		if err := s.sim.Drain(ctx); err != nil {
			s.t.Fatal(err)
		}
		before := requests
		requests = len(s.asked())
		return s.queued("due")+s.queued("running") == 0 && before == requests && len(s.asked()) == requests
	}
}

// asked is what the program has asked GitHub for.
func (s *scene) asked() githubsim.Journal { return s.sim.Journal().By(sceneBot) }

var queueLine = regexp.MustCompile(`(?m)^promobot_queue_keys\{state="(\w+)"\} (\d+)$`)

// queued is how many of the queue's keys are in a state.
func (s *scene) queued(state string) int {
	s.t.Helper()
	_, text := s.get("/metrics")
	for _, m := range queueLine.FindAllStringSubmatch(text, -1) {
		if m[1] == state {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatalf("the metrics do not say how many keys are %s", state)
	return 0
}

// get asks the program.
func (s *scene) get(path string) (status int, text string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.program.addr+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (c *checkout) describe() string {
	var b strings.Builder
	ps, err := c.sim.Pulls(c.full())
	if err != nil {
		return err.Error()
	}
	for _, p := range ps {
		fmt.Fprintf(&b, "\n#%d open=%v merged=%v %s %s", p.Number, p.Open, p.Merged, p.Head, p.Title)
	}
	return b.String()
}

// pulls are all pull requests, oldest first.
func (c *checkout) pulls() []githubsim.PullState {
	c.t.Helper()
	ps, err := c.sim.Pulls(c.full())
	if err != nil {
		c.t.Fatal(err)
	}
	return ps
}

// pull is one pull request.
func (c *checkout) pull(number int) githubsim.PullState {
	c.t.Helper()
	for _, p := range c.pulls() {
		if p.Number == number {
			return p
		}
	}
	c.t.Fatalf("there is no #%d", number)
	return githubsim.PullState{}
}

// promotions are the promotion pull requests of each environment, as
// pipeline/environment, oldest first.
func (c *checkout) promotions() map[string][]githubsim.PullState {
	c.t.Helper()
	m := map[string][]githubsim.PullState{}
	for _, p := range c.pulls() {
		if pipeline, environment, ok := state.ParseBranch(p.Head); ok && p.Author == sceneBot {
			k := pipeline + "/" + environment
			m[k] = append(m[k], p)
		}
	}
	return m
}

// open are the open promotion pull requests of each environment. More than one
// is never right.
func (c *checkout) open() map[string]githubsim.PullState {
	c.t.Helper()
	m := map[string]githubsim.PullState{}
	for k, ps := range c.promotions() {
		for _, p := range ps {
			if !p.Open {
				continue
			}
			if other, two := m[k]; two {
				c.t.Fatalf("#%d and #%d are open in %s", other.Number, p.Number, k)
			}
			m[k] = p
		}
	}
	return m
}

func (c *checkout) refs() map[string]string {
	c.t.Helper()
	refs, err := c.sim.Refs(c.full())
	if err != nil {
		c.t.Fatal(err)
	}
	return refs
}

// bare runs git in GitHub's own repository, to look. Its output is exact.
func (c *checkout) bare(args ...string) []byte {
	c.t.Helper()
	path, err := c.sim.Path(c.full())
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.CommandContext(c.t.Context(), "git", append([]string{"--git-dir", path}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("git %q: %v\n%s", args, err, stderr.String())
	}
	return out
}

// ledgers are the states of all environments, as pipeline/environment. They are
// read again only when a ref has moved.
func (c *checkout) ledgers() map[string]state.Environment {
	c.t.Helper()
	refs := c.refs()
	maps.DeleteFunc(refs, func(ref, _ string) bool {
		return !strings.HasPrefix(ref, state.RefPrefix) || strings.HasPrefix(ref, state.MadePrefix)
	})
	if c.known.ledgers != nil && maps.Equal(refs, c.known.refs) {
		return c.known.ledgers
	}
	m := map[string]state.Environment{}
	for entry := range bytes.SplitSeq(c.bare("for-each-ref", "--format=%(refname)%00%(contents)%00%00", state.RefPrefix), []byte("\x00\x00\n")) {
		ref, message, found := strings.Cut(string(entry), "\x00")
		if !found || strings.HasPrefix(ref, state.MadePrefix) {
			continue
		}
		pipeline, environment, err := state.ParseRef(ref)
		if err != nil {
			c.t.Fatal(err)
		}
		e, err := state.Peek(message)
		if err != nil {
			c.t.Fatal(err)
		}
		m[pipeline+"/"+environment] = e.State
	}
	c.known.ledgers, c.known.refs = m, refs
	return m
}

// landed says whether environments have landed a revision by promotion.
func (c *checkout) landed(revision string, environments ...string) bool {
	ls := c.ledgers()
	for _, e := range environments {
		if l := ls[e].Landing; l == nil || l.Revision != revision {
			return false
		}
	}
	return true
}

// read is a file as it stands on main.
func (c *checkout) read(path string) string {
	c.t.Helper()
	return string(c.bare("cat-file", "blob", "main:"+path))
}

// file is one entry of a tree.
type file struct{ Mode, Text string }

// folder is everything below a path at a commit, whole.
func (c *checkout) folder(commit, path string) map[string]file {
	c.t.Helper()
	m := map[string]file{}
	for entry := range strings.SplitSeq(string(c.bare("ls-tree", "-r", "-z", commit, "--", path)), "\x00") {
		meta, name, found := strings.Cut(entry, "\t")
		if !found {
			continue
		}
		fields := strings.Fields(meta)
		f := file{Mode: fields[0], Text: fields[2]}
		if fields[1] == "blob" {
			f.Text = string(c.bare("cat-file", "blob", fields[2]))
		}
		m[name] = f
	}
	return m
}

// checks are promobot's check runs on a commit.
func (c *checkout) checks(commit string) []githubsim.CheckState {
	c.t.Helper()
	runs, err := c.sim.CheckRuns(c.full(), commit)
	if err != nil {
		c.t.Fatal(err)
	}
	return runs
}

// check is the one check run on a commit; none is the zero value.
func (c *checkout) check(commit string) githubsim.CheckState {
	c.t.Helper()
	runs := c.checks(commit)
	switch {
	case len(runs) == 0:
		return githubsim.CheckState{}
	case len(runs) > 1 || runs[0].Name != "promobot":
		c.t.Fatalf("check runs on %.10s: %+v, want one named promobot", commit, runs)
	}
	return runs[0]
}
