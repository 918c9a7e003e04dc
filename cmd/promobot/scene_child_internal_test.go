package main

// The real command as a process of its own, so that a scene can kill it.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// sceneChild is the environment variable that makes the test binary "promobot
// serve", the real one, with its clock so far ahead.
const sceneChild = "TEST_SCENE_CHILD"

func sceneAsChild() {
	text := os.Getenv(sceneChild)
	if text == "" {
		return
	}
	ahead, err := time.ParseDuration(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	command := newServeCommand(func(ctx context.Context, c Config, log zerolog.Logger, metrics prometheus.Registerer) (Parts, error) {
		return wireAhead(ctx, func() time.Duration { return ahead }, c, log, metrics)
	})
	command.SetArgs(nil)
	if err := command.ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is the program as a process.
type child struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended and its output is read
}

// startChild runs the program as a process of its own and points GitHub's
// webhooks at it. It ends with kill, or with the test.
func (s *scene) startChild() *child {
	s.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	c := s.config()
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), binary)
	cmd.Env = append(os.Environ(), sceneChild+"="+time.Duration(s.ahead.Load()).String(),
		"PROMOBOT_SERVER_ADDRESS="+c.Server.Address, "PROMOBOT_DATA_DIR="+c.DataDir, "PROMOBOT_QUEUE_DEBOUNCE="+c.Queue.Debounce.String(),
		"PROMOBOT_ONBOARDING="+c.Onboarding,
		"PROMOBOT_GITHUB_API_URL="+c.GitHub.APIURL, "PROMOBOT_GITHUB_APP_ID="+fmt.Sprint(c.GitHub.AppID),
		"PROMOBOT_GITHUB_PRIVATE_KEY="+c.GitHub.PrivateKey.Reveal(), "PROMOBOT_GITHUB_WEBHOOK_SECRET="+c.GitHub.WebhookSecret.Reveal(),
		"PROMOBOT_LIMITS_WRITES_PER_MINUTE=0", "PROMOBOT_LIMITS_PUSHES_PER_MINUTE=0")
	out, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	p := &child{cmd: cmd, gone: make(chan struct{})}
	address := make(chan string, 1)
	go func() {
		defer close(p.gone)
		defer close(address)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line struct{ Message, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && strings.Contains(line.Message, "promobot serves") {
				address <- line.Address
			}
			_, _ = s.log.Write(append(bytes.Clone(lines.Bytes()), '\n')) // a buffer
		}
		_ = cmd.Wait() // it is killed
	}()
	s.t.Cleanup(p.kill)
	addr := <-address
	if addr == "" {
		s.t.Fatalf("the program does not start:\n%s", tail(s.log.String(), 10))
	}
	s.program = &started{addr: addr, stop: p.kill, done: make(chan error, 1)}
	s.program.done <- nil
	s.hook(addr)
	return p
}

// kill ends the process with SIGKILL, and waits for its end.
func (p *child) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // it may have ended
	<-p.gone
}
