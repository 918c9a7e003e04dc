package main

// The script that teams write first: for each promotion a fresh shallow clone,
// an edit, a commit, a push, and a pull request or, when it pushes to the base
// branch itself, pull --rebase and another try until it gets through.

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// scripting is a number of scripts on one repository.
type scripting struct {
	w          *world
	repository string
	token      string
	dir        string
	// change gives the file that a script edits, and what it replaces by what.
	change func(job int) (path, old, new string)

	mu        sync.Mutex
	running   map[int]bool // pids of git
	processor time.Duration
}

func (w *world) scripting(repository string, change func(job int) (path, old, new string)) (*scripting, error) {
	token, err := w.sim.UserToken(person)
	return &scripting{
		w: w, repository: repository, token: token, dir: filepath.Join(w.dir, "clones"),
		change: change, running: map[int]bool{},
	}, err
}

// pids are the git processes under way.
func (s *scripting) pids() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int
	for pid := range s.running {
		out = append(out, pid)
	}
	return out
}

// all runs a script for each job, so many at a time.
func (s *scripting) all(ctx context.Context, jobs, atATime int, one func(context.Context, int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan int)
	var workers sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range min(jobs, atATime) {
		workers.Go(func() {
			for job := range next {
				if err := one(ctx, job); err != nil {
					mu.Lock()
					failed = errors.Join(failed, fmt.Errorf("script %d: %w", job, err))
					mu.Unlock()
					cancel()
				}
			}
		})
	}
	for job := range jobs {
		select {
		case next <- job:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	if failed == nil {
		return ctx.Err()
	}
	return failed
}

func (s *scripting) url() string { return s.w.sim.URL() + "/" + full(s.repository) + ".git" }

// git runs one of a script's git processes.
func (s *scripting) git(ctx context.Context, job int, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	scope := "http." + s.w.sim.URL() + "/.extraHeader"
	cmd.Env = append(plainEnvironment(), "GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0="+scope, "GIT_CONFIG_VALUE_0=Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(person+":"+s.token)),
		"GIT_CONFIG_KEY_1="+scope, fmt.Sprintf("GIT_CONFIG_VALUE_1=%s: script %d", scriptHeader, job))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.running[cmd.Process.Pid] = true
	s.mu.Unlock()
	err := cmd.Wait()
	s.mu.Lock()
	delete(s.running, cmd.Process.Pid)
	s.processor += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(said.String()))
	}
	return nil
}

// commit clones, edits and commits.
func (s *scripting) commit(ctx context.Context, job int) (dir string, err error) {
	dir = filepath.Join(s.dir, fmt.Sprint(job))
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return dir, err
	}
	if err := s.git(ctx, job, s.dir, "clone", "--quiet", "--depth", "1", s.url(), dir); err != nil {
		return dir, err
	}
	path, from, to := s.change(job)
	at := filepath.Join(dir, filepath.FromSlash(path))
	text, err := os.ReadFile(at)
	if err != nil {
		return dir, err
	}
	if bytes.Count(text, []byte(from)) != 1 {
		return dir, fmt.Errorf("%s does not hold %q once", path, from)
	}
	if err := os.WriteFile(at, bytes.Replace(text, []byte(from), []byte(to), 1), 0o644); err != nil {
		return dir, err
	}
	return dir, s.git(ctx, job, dir, "commit", "--quiet", "--all", "--message", "Promote "+path)
}

// propose promotes by pull request.
func (s *scripting) propose(ctx context.Context, job int) (err error) {
	dir, err := s.commit(ctx, job)
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err != nil {
		return err
	}
	branch := fmt.Sprintf("promote-%d-%d", job, time.Now().UnixNano())
	if err := s.git(ctx, job, dir, "push", "--quiet", "origin", "HEAD:refs/heads/"+branch); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"title": "Promote " + service(job), "head": branch, "base": "main"})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.w.sim.URL()+"/api/v3/repos/"+full(s.repository)+"/pulls", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set(scriptHeader, fmt.Sprintf("script %d", job))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("create pull request: %s: %s", resp.Status, answer)
	}
	return err
}

// tries is how often a script tries to push before it gives up.
const tries = 500

// deliver promotes by pushing to the base branch.
func (s *scripting) deliver(ctx context.Context, job int) (err error) {
	dir, err := s.commit(ctx, job)
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err != nil {
		return err
	}
	for range tries {
		if err = s.git(ctx, job, dir, "push", "--quiet", "origin", "HEAD:refs/heads/main"); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.git(ctx, job, dir, "pull", "--quiet", "--rebase", "origin", "main"); err != nil {
			return err
		}
	}
	return fmt.Errorf("%d tries were not enough: %w", tries, err)
}
