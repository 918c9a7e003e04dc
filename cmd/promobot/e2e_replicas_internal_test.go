package main

// Several replicas on one repository, each with its own queue and mirrors and
// nothing between them: what one has won, the others find; what one is refused,
// it decides anew; nothing is done twice.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/state"
)

// anotherWrites moves an environment's ledger on by an entry that changes
// nothing, signed as another replica's would be. It may be called from any
// goroutine.
func (s *scene) anotherWrites(repository int64, ref string) error {
	git := func(stdin string, args ...string) (string, error) {
		cmd := exec.CommandContext(s.t.Context(), "git", append([]string{"-c", "user.name=replica", "-c", "user.email=replica@example.com"}, args...)...)
		cmd.Dir, cmd.Stdin = s.dir, strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out)), nil
	}
	if _, err := git("", "fetch", "-q", "origin", ref); err != nil {
		return err
	}
	tip, err := git("", "rev-parse", "FETCH_HEAD")
	if err != nil {
		return err
	}
	message, err := git("", "log", "-1", "--format=%B", tip)
	if err != nil {
		return err
	}
	keys, err := state.NewKeys(bytes.TrimSpace(s.app.PrivateKeyPEM))
	if err != nil {
		return err
	}
	at := state.Place{Repository: repository, Ref: ref, Parents: []string{tip}}
	e, err := state.Peek(message)
	if err != nil {
		return err
	}
	e.Kind, e.Sentence = state.KindSettled, "another replica was here"
	e.State.Sequence++
	if message, err = keys.Encode(at, e, tip); err != nil {
		return err
	}
	if _, err := git("", "hash-object", "-t", "tree", "-w", "/dev/null"); err != nil {
		return err
	}
	id, err := git(message, "commit-tree", "-p", tip, state.EmptyTree)
	if err != nil {
		return err
	}
	_, err = git("", "push", "-q", "origin", id+":"+ref)
	return err
}

// TestPushWithALedgerThatAnotherMoves: web's ledger moves under each of the
// first pushes. api, which goes to the same branch, is not held back by it.
func TestPushWithALedgerThatAnotherMoves(t *testing.T) {
	t.Parallel()
	s := pair(t)
	s.clone()
	repo, _, err := s.ana.Repositories.Get(t.Context(), sceneOwner, s.name)
	if err != nil {
		t.Fatal(err)
	}
	const moves = 4
	var pushes atomic.Int64
	api := make([]string, moves) // its ledger at each push
	defer s.when(true, func() {
		n := pushes.Add(1)
		if n > moves {
			return
		}
		refs, err := s.sim.Refs(s.full())
		if err != nil {
			t.Error(err)
			return
		}
		api[n-1] = refs[state.Ref("api", "prod")]
		if err := s.anotherWrites(repo.GetID(), state.Ref("web", "prod")); err != nil {
			t.Error(err)
		}
	})()
	revision := s.push("dev: both", map[string]string{devFile: pairValues("2.0.0", "3.0.0")})
	s.wait("both have landed", func() bool { return s.landed(revision, apiProd, webProd) })
	s.settle()
	if n := slices.IndexFunc(api, func(tip string) bool { return tip != api[0] }); n != 2 {
		t.Errorf("api's ledger had moved at push %d (from 0), want at 2: refused with web once, it goes without web", n)
	}
	if d := cmp.Diff(pairValues("2.0.0", "3.0.0"), s.read(runFile)); d != "" {
		t.Errorf("prod (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"promobot: api/prod", "promobot: web/prod"}, s.onMain(revision)); d != "" {
		t.Errorf("main (-want +got):\n%s", d)
	}
	story := append(append([]string{"baseline"}, slices.Repeat([]string{"settled"}, moves)...), "landed")
	if d := cmp.Diff(story, s.story(webProd)); d != "" {
		t.Errorf("web's ledger (-want +got):\n%s", d)
	}
	s.wantQuiet()
}

// replicas are several programs that every webhook wakes.
func (s *scene) replicas(n int) {
	s.t.Helper()
	var addresses []string
	for i := range n {
		c := s.config()
		c.DataDir = s.t.TempDir()
		p := NewProgram(c, func(ctx context.Context, c Config, log zerolog.Logger, metrics prometheus.Registerer) (Parts, error) {
			return wireAt(ctx, s.now, c, log, metrics)
		}, zerolog.New(s.log).With().Int("replica", i).Logger())
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		s.t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				s.t.Errorf("the end of replica %d: %v", i, err)
			}
		})
		if p.Addr() == "" {
			s.t.Fatalf("replica %d does not start", i)
		}
		addresses = append(addresses, p.Addr())
	}
	all := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, address := range addresses {
			again, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+address+r.URL.Path, bytes.NewReader(body))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			again.Header = r.Header.Clone()
			answer, err := http.DefaultClient.Do(again)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			_ = answer.Body.Close()
		}
	}))
	s.t.Cleanup(all.Close)
	s.hook(strings.TrimPrefix(all.URL, "http://"))
}

// TestReplicasPushToOneBranch: forty promotions by four replicas, while a person
// keeps pushing to the same branch. Each lands once, on top of all before it.
func TestReplicasPushToOneBranch(t *testing.T) {
	t.Parallel()
	const services, together, replicas = 40, 5, 4
	files := map[string]string{".github/promobot.yml": `version: 1
limits: {per_hour: 1000}
environments:
  dev:  {verify: none}
  prod: {from: dev, mode: auto, deliver: push}
pipelines:
  apps:
    for_each: apps/$name
    path: apps/$name/$env
    promote: {images: "*"}
`}
	at := func(n int, env string) string { return fmt.Sprintf("apps/app-%02d/%s/kustomization.yaml", n, env) }
	image := func(tag string) string { return "images:\n  - name: app\n    newTag: " + tag + "\n" }
	for n := range services {
		files[at(n, "dev")], files[at(n, "prod")] = image("1.0.0"), image("1.0.0")
	}
	s := newScene(t, sceneOptions{files: files})
	s.replicas(replicas)
	s.wait("every environment has its baseline", func() bool { return len(s.ledgers()) == 2*services })
	begin := s.refs()["refs/heads/main"]
	// Requests take a moment, so that replicas overtake each other; and each push
	// of theirs meets one more release of hers, as long as there are any.
	s.sim.SetLatency(10*time.Millisecond, 20*time.Millisecond)
	var released atomic.Int64
	release := func() {
		n := int(released.Add(1)-1) * together
		if n >= services {
			return
		}
		changed := map[string]string{}
		for i := n; i < n+together; i++ {
			changed[at(i, "dev")] = image("1.1.0")
		}
		s.meanwhile(fmt.Sprintf("release %d", n/together), changed)
	}
	s.sim.ResetJournal()
	defer s.when(true, release)()
	release()
	landed := func() bool {
		ls := s.ledgers()
		for n := range services {
			if ls[fmt.Sprintf("apps/app-%02d/prod", n)].Landing == nil {
				return false
			}
		}
		return true
	}
	s.wait("all have landed", landed)

	last, ids, ours := begin, map[string]string{}, 0
	for id := range strings.FieldsSeq(string(s.bare("rev-list", "--reverse", begin+"..main"))) {
		if parents := strings.TrimSpace(string(s.bare("log", "-1", "--format=%P", id))); parents != last {
			t.Fatalf("%.10s stands on %s, and not on what was pushed before it, %s", id, parents, last)
		}
		last = id
		ts := state.ParseTrailers(string(s.bare("log", "-1", "--format=%B", id)))
		if ts[state.TrailerID] == "" {
			continue
		}
		ours++
		if other := ids[ts[state.TrailerID]]; other != "" {
			t.Errorf("%.10s and %.10s are the same promotion", other, id)
		}
		ids[ts[state.TrailerID]] = id
		k := ts[state.TrailerPipeline] + "/prod"
		if got := string(s.bare("diff-tree", "-r", "--name-only", "--no-commit-id", id)); got != k+"/kustomization.yaml\n" {
			t.Errorf("%.10s of %s changes %q", id, k, got)
		}
		if l := s.ledgers()[k].Landing; l.Commit != id || l.ID != ts[state.TrailerID] {
			t.Errorf("%s: its ledger has %.10s, main %.10s", k, l.Commit, id)
		}
	}
	if ours != services {
		t.Errorf("%d promotions are on main, want %d", ours, services)
	}
	for n := range services {
		if d := cmp.Diff(image("1.1.0"), s.read(at(n, "prod"))); d != "" {
			t.Errorf("app %d (-want +got):\n%s", n, d)
		}
		if d := cmp.Diff([]string{"baseline", "landed"}, s.story(fmt.Sprintf("apps/app-%02d/prod", n))); d != "" {
			t.Errorf("app %d: the ledger (-want +got):\n%s", n, d)
		}
	}
	if len(s.pulls()) > 0 {
		t.Errorf("there are pull requests: %s", s.describe())
	}
	if n := pushesMade(s.written()); n < services/together || n > 60 {
		t.Errorf("%d pushes reached GitHub: want some to meet a moved main, and no storm", n)
	} else {
		t.Logf("%d pushes reached GitHub", n)
	}
}
