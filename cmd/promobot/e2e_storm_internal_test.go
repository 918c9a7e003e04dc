package main

// Storms: many events at once, over real HTTP and git. What is looked at is how
// often git clones, how many git processes there are at a time, how many runs it
// takes, and that everything is promoted all the same.

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
)

// metric is one sample of the program's metrics, named with its labels; 0 when
// there is none.
func (s *scene) metric(sample string) float64 {
	s.t.Helper()
	_, text := s.get("/metrics")
	for line := range strings.Lines(text) {
		if value, is := strings.CutPrefix(line, sample+" "); is {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

// keys is how many keys the queue has work for, in one instant.
func (s *scene) keys() int {
	s.t.Helper()
	sum := 0
	_, text := s.get("/metrics")
	for _, m := range queueLine.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			s.t.Fatal(err)
		}
		if m[1] != "failing" { // those are in another state too
			sum += n
		}
	}
	return sum
}

// goroutines counts those of the running program, by the label that start gives.
func (s *scene) goroutines() int {
	s.t.Helper()
	var text strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		s.t.Fatal(err)
	}
	sum, alike := 0, 0 // a line "3 @ 0x…" says how many are alike, the next one their labels
	for line := range strings.Lines(text.String()) {
		if count, _, begins := strings.Cut(line, " @ "); begins {
			alike, _ = strconv.Atoi(count)
		}
		if strings.HasPrefix(line, "# labels: ") && strings.Contains(line, strconv.Quote(s.data)) {
			sum += alike
		}
	}
	return sum
}

// hold keeps back the webhooks of what cause does, and returns those of an event.
func (s *scene) hold(event string, cause func()) []githubsim.Webhook {
	s.t.Helper()
	s.sim.HoldWebhooks()
	cause()
	var held []githubsim.Webhook
	if _, err := s.sim.ReleaseWebhooks(func(all []githubsim.Webhook) []githubsim.Webhook {
		for _, w := range all {
			if w.Event == event {
				held = append(held, w)
			}
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	return held
}

// deliver sends a webhook as GitHub does, and returns the answer's status. It has
// more patience than GitHub: how long an answer takes is told by the benchmarks.
func (s *scene) deliver(w githubsim.Webhook) (int, error) {
	mac := hmac.New(sha256.New, []byte(sceneSecret))
	mac.Write(w.Payload)
	ctx, cancel := context.WithTimeout(s.t.Context(), scenePatience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.program.addr+"/api/github/hook", bytes.NewReader(w.Payload))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", w.Event)
	r.Header.Set("X-GitHub-Delivery", w.GUID)
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// deliverAtOnce sends all of them at the same time.
func (s *scene) deliverAtOnce(all []githubsim.Webhook) {
	s.t.Helper()
	begin := make(chan struct{})
	var group sync.WaitGroup
	for _, w := range all {
		group.Go(func() {
			<-begin
			if status, err := s.deliver(w); err != nil || status != http.StatusOK {
				s.t.Errorf("the webhook %s was answered %d, %v", w.Event, status, err)
			}
		})
	}
	close(begin)
	group.Wait()
}

// alive asks /livez again and again until the function it returns is called,
// which says how often that was. It judges as a kubelet does by default: an answer
// that takes a second is none, and the third in a row that is none is the end
// (Kubernetes docs: "Configure Liveness, Readiness and Startup Probes"); but a
// wrong answer is the end at once.
func (s *scene) alive() (end func() int) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	url, asked := "http://"+s.program.addr+"/livez", 0
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for late := 0; ctx.Err() == nil; asked++ {
			err := live(s.t.Context(), url)
			if errors.Is(err, context.DeadlineExceeded) && late < 2 {
				late++
				continue
			}
			if err != nil {
				s.t.Errorf("alive? %v", err)
				return
			}
			late = 0
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() int {
		cancel()
		done.Wait()
		return asked
	}
}

// live asks once.
func live(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err == nil && (answer.StatusCode != http.StatusOK || string(text) != "ok\n") {
		err = fmt.Errorf("answered %d %q", answer.StatusCode, text)
	}
	return err
}

// clones counts the program's fetches that want the newest main and have nothing.
func (s *scene) clones() *atomic.Int64 {
	var n atomic.Int64
	s.t.Cleanup(s.sim.OnRequest(func(r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != "x-access-token" || !strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
			return
		}
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		if r.Header.Get("Content-Encoding") == "gzip" {
			plain, err := gzip.NewReader(bytes.NewReader(sent))
			if err == nil {
				sent, err = io.ReadAll(plain)
			}
			if err != nil {
				s.t.Errorf("git sends what cannot be read: %v", err)
			}
		}
		refs, err := s.sim.Refs(s.full())
		if err != nil {
			s.t.Error(err)
		}
		if bytes.Contains(sent, []byte("want "+refs["refs/heads/main"])) && !bytes.Contains(sent, []byte("have ")) {
			n.Add(1)
		}
	}))
	return &n
}

// deployPipelines are services that follow dev, and such that follow what build
// jobs say.
const deployPipelines = `version: 1
limits: {open: 100, per_hour: 1000, per_environment: 100}
environments:
  dev:  {verify: none}
  prod: {from: dev}
  live: {source: {dispatch: $name-built, version: tag}}
pipelines:
  apps:
    for_each: apps/$name
    path: apps/$name/$env
    environments: [dev, prod]
    promote: {images: "*"}
  jobs:
    for_each: jobs/$name/$env
    path: jobs/$name/$env
    environments: [live]
    promote: {values: tag, in: values.yaml}
`

// TestSixteenDeploysRightAfterARestart: the process before died while it cloned,
// and left what such a process leaves. Sixteen pushes and sixteen dispatches come
// in the same instant, while the program starts.
func TestSixteenDeploysRightAfterARestart(t *testing.T) {
	t.Parallel()
	const deploys = 16
	image := func(tag string) string { return "images:\n  - name: app\n    newTag: " + tag + "\n" }
	name := func(n int) string { return fmt.Sprintf("app%02d", n) }
	files := map[string]string{".github/promobot.yml": deployPipelines}
	for n := range deploys {
		for _, e := range []string{"dev", "prod"} {
			files["apps/"+name(n)+"/"+e+"/kustomization.yaml"] = image("1.0.0")
		}
		files["jobs/"+name(n)+"/live/values.yaml"] = "tag: 1.0.0\n"
	}
	s := newScene(t, sceneOptions{files: files})
	s.installed(3 * deploys)
	s.stop()
	s.leaveAsKilled()

	webhooks := s.hold("push", func() {
		for n := range deploys {
			s.meanwhile("dev: "+name(n), map[string]string{"apps/" + name(n) + "/dev/kustomization.yaml": image("1.1.0")})
		}
	})
	webhooks = append(webhooks, s.hold("repository_dispatch", func() {
		for n := range deploys {
			if err := s.sim.Dispatch(s.full(), "ana", name(n)+"-built", map[string]string{"tag": "1.1.0"}); err != nil {
				t.Fatal(err)
			}
		}
	})...)
	if len(webhooks) != 2*deploys {
		t.Fatalf("%d webhooks, want %d", len(webhooks), 2*deploys)
	}
	clones := s.clones()
	// The fetches of the letters' run and the repository's meet.
	s.sim.SetLatency(10*time.Millisecond, 100*time.Millisecond)
	s.start()
	lived := s.alive()
	s.deliverAtOnce(webhooks)
	s.wait("every deploy has its pull request", func() bool { return len(s.open()) == 2*deploys })
	s.settle()
	asked := lived()

	if n := clones.Load(); n != 1 {
		t.Errorf("it cloned %d times, want once", n)
	}
	if n := s.metric(`promobot_git_seconds_count{kind="clone",result="ok"}`); n != 1 {
		t.Errorf("it says that it cloned %v times, want once", n)
	}
	for _, result := range []string{"failed", "lease_lost"} {
		if n := s.metric(`promobot_runs_total{result="` + result + `"}`); n != 0 {
			t.Errorf("%v runs are %s", n, result)
		}
	}
	for n := range deploys {
		for env, path := range map[string]string{"apps/" + name(n) + "/prod": "apps/" + name(n) + "/prod/kustomization.yaml", "jobs/" + name(n) + "/live": "jobs/" + name(n) + "/live/values.yaml"} {
			want := map[string]string{"apps": image("1.1.0"), "jobs": "tag: 1.1.0\n"}[env[:4]]
			if got := string(s.bare("cat-file", "blob", s.open()[env].HeadSHA+":"+path)); got != want {
				t.Errorf("%s proposes %q, want %q", env, got, want)
			}
		}
	}
	if n := len(s.pulls()); n != 2*deploys {
		t.Errorf("%d pull requests, want %d: %s", n, 2*deploys, s.describe())
	}
	if n := s.metric("promobot_runs_total{result=\"done\"}"); n > deploys {
		t.Errorf("%v runs for %d deploys that came at once", n, 2*deploys)
	}
	if n := s.metric(`promobot_base_window_seconds_count{deliver="pull_request"}`); n == 0 {
		t.Error("no base window was measured")
	}
	t.Logf("%v runs; asked %d times whether it lives", s.metric(`promobot_runs_total{result="done"}`), asked)
	s.wantQuiet()
}

// leaveAsKilled makes the folder of mirrors what a process leaves that was killed
// while it cloned: half a clone, and a mirror that is nothing but locks.
func (s *scene) leaveAsKilled() {
	s.t.Helper()
	mirrors, err := filepath.Glob(filepath.Join(s.data, "mirrors", "*.git"))
	if err != nil || len(mirrors) != 1 {
		s.t.Fatalf("the mirrors are %v, %v", mirrors, err)
	}
	if err := os.RemoveAll(mirrors[0]); err != nil {
		s.t.Fatal(err)
	}
	left := map[string]string{"mirrors/sealed": "a stranger's\n"}
	for _, lock := range []string{"index.lock", "packed-refs.lock", "shallow.lock", "config.lock", "refs/heads/main.lock"} {
		left[filepath.Join("mirrors", filepath.Base(mirrors[0]), lock)] = ""
	}
	half := filepath.Join("mirrors", filepath.Base(mirrors[0])+".half")
	left[filepath.Join(half, "HEAD")] = "ref: refs/heads/main\n"
	left[filepath.Join(half, "config.lock")] = ""
	left[filepath.Join(half, "objects", "pack", "tmp_pack_x1")] = "PACK\x00\x00"
	if err := writeFiles(s.data, left); err != nil {
		s.t.Fatal(err)
	}
}

// countingGit is a git that writes down when each of its processes begins and
// ends; peak tells how many there were at a time.
func countingGit(t *testing.T) (path string, peak func() (most, all int)) {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	path = filepath.Join(dir, "git")
	// The question for git's version has no seat: readiness asks it, whatever waits.
	script := "#!/bin/sh\n" +
		"case $1 in --version) exec '" + git + "' --version;; esac\n" +
		"echo + $$ >>'" + log + "'\n'" + git + "' \"$@\"\nstatus=$?\necho - $$ >>'" + log + "'\nexit $status\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, func() (most, all int) {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		// One that was killed, as soon as nobody wanted its answer any more, wrote
		// no end: it counts among all, and not among those at a time.
		var begun []string
		ends := map[int]bool{}     // by the index of a line, of those that begin
		latest := map[string]int{} // numbers are used again
		for line := range strings.Lines(string(text)) {
			sign, pid, _ := strings.Cut(line, " ")
			if i, runs := latest[pid]; sign == "-" && runs {
				ends[i] = true
			}
			latest[pid] = len(begun)
			begun = append(begun, sign)
		}
		now := 0
		for i, sign := range begun {
			switch {
			case sign == "-":
				now--
				continue
			case ends[i]:
				now++
				most = max(most, now)
			}
			all++
		}
		return most, all
	}
}

// TestFiveHundredWakesOverFiftyRepositories: ten webhooks for each of fifty
// repositories, all at once, on a program that knows none of them.
func TestFiveHundredWakesOverFiftyRepositories(t *testing.T) {
	t.Parallel()
	const repositories, each, workers, processes = 50, 10, 8, 6
	pipeline := "start: reconcile\n" + shopAuto
	at := func(env string) string { return "envs/" + env + "/values.yaml" }
	files := shopFiles(strings.Replace(pipeline, "mode: auto", "mode: propose", 1), "dev", "prod")
	s := newScene(t, sceneOptions{files: files})
	all := []*checkout{s.checkout}
	for n := 1; n < repositories; n++ {
		all = append(all, newCheckout(t, s.sim, fmt.Sprintf("gitops-%02d", n), sceneOptions{files: files}))
	}
	changed := shopValues("1.1.0")
	s.hook("127.0.0.1:1") // nothing is sent there: all is held
	webhooks := s.hold("push", func() {
		for _, c := range all {
			if _, err := s.sim.Commit(t.Context(), c.full(), "ana", "main", "dev: 1.1.0", map[string]*string{at("dev"): &changed}); err != nil {
				t.Fatal(err)
			}
		}
	})
	if len(webhooks) != repositories {
		t.Fatalf("%d webhooks, want %d", len(webhooks), repositories)
	}
	var storm []githubsim.Webhook
	for range each {
		storm = append(storm, webhooks...)
	}
	git, peak := countingGit(t)
	s.settings = func(c *Config) {
		c.Queue.Debounce = 300 * time.Millisecond
		c.Workers, c.Git.Processes, c.Git.Path = workers, processes, git
	}
	s.start()
	begun := time.Now()
	s.deliverAtOnce(storm)
	took := time.Since(begun)
	goroutines, keys := 0, 0
	proposed := func() int {
		keys = max(keys, s.keys())
		n := 0
		for _, c := range all {
			n += len(c.open())
		}
		if n > 0 && n < repositories { // the storm is over, its work is not
			goroutines = max(goroutines, s.goroutines())
		}
		return n
	}
	for n := each; n <= repositories; n += each { // a busy machine takes long, but goes on
		s.wait(fmt.Sprintf("%d repositories have their pull requests", n), func() bool { return proposed() >= n })
	}
	s.settle()
	ended := time.Since(begun)

	for _, c := range all {
		p, there := c.open()["shop/prod"]
		if !there || len(c.pulls()) != 1 {
			t.Errorf("%s: %s", c.full(), c.describe())
			continue
		}
		if diff := cmp.Diff(changed, string(c.bare("cat-file", "blob", p.HeadSHA+":"+at("prod")))); diff != "" {
			t.Errorf("%s proposes (-want +got):\n%s", c.full(), diff)
		}
	}
	for _, result := range []string{"failed", "lease_lost"} {
		if n := s.metric(`promobot_runs_total{result="` + result + `"}`); n != 0 {
			t.Errorf("%v runs are %s", n, result)
		}
	}
	runs := s.metric(`promobot_runs_total{result="done"}`)
	if runs < repositories || runs > 4*repositories {
		t.Errorf("%v runs for %d wakes of %d repositories", runs, len(storm), repositories)
	}
	if n := s.metric(`promobot_git_seconds_count{kind="clone",result="ok"}`); n != repositories {
		t.Errorf("%v clones of %d repositories", n, repositories)
	}
	most, processesRun := peak()
	if most > processes || most < 2 {
		t.Errorf("%d git processes at a time, want at most %d", most, processes)
	}
	if keys > repositories {
		t.Errorf("%d keys in the queue for %d repositories", keys, repositories)
	}
	if goroutines == 0 || goroutines > len(storm)/2 {
		t.Errorf("%d goroutines of the program work for %d webhooks that were answered", goroutines, len(storm))
	}
	t.Logf("%d webhooks answered in %v, all done in %v: %v runs, at most %d of %d git processes at a time, %d keys, %d goroutines",
		len(storm), took.Round(time.Millisecond), ended.Round(time.Millisecond), runs, most, processesRun, keys, goroutines)
}
