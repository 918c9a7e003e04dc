package main

// The command as a process of its own, and what signals do to it.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
)

// serveChild is the environment variable that makes the test binary "promobot
// serve" with one repository, whose work goes on for a minute unless it is
// cancelled, or for ever ("stubborn").
const serveChild = "TEST_SERVE_CHILD"

func serveAsChild() {
	manner := os.Getenv(serveChild)
	if manner == "" {
		return
	}
	command := newServeCommand(func(context.Context, Config, zerolog.Logger, prometheus.Registerer) (Parts, error) {
		return Parts{
			App: &testApp{repositories: []handlers.Repository{repository(1)}},
			Reconcile: func(ctx context.Context, _ handlers.Repository) (time.Time, error) {
				fmt.Fprintln(os.Stderr, "working")
				if manner == "stubborn" {
					select {}
				}
				select {
				case <-ctx.Done():
				case <-time.After(patience):
				}
				return time.Time{}, ctx.Err()
			},
		}, nil
	})
	command.SetArgs(nil)
	if err := command.ExecuteContext(context.Background()); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func TestServeAndSignals(t *testing.T) {
	cases := []struct {
		name    string
		manner  string
		grace   string
		signals []syscall.Signal
		killed  bool // by the last signal; else it exits with 0
	}{
		{"SIGTERM stops it well", "obedient", "10ms", []syscall.Signal{syscall.SIGTERM}, false},
		{"SIGINT stops it well", "obedient", "10ms", []syscall.Signal{syscall.SIGINT}, false},
		{"a second signal ends it at once", "stubborn", "1m", []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			binary, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			child := exec.CommandContext(ctx, binary)
			child.Env = append(append(os.Environ(), required()...), serveChild+"="+c.manner,
				"PROMOBOT_DATA_DIR="+t.TempDir(), "PROMOBOT_SERVER_ADDRESS=127.0.0.1:0", "PROMOBOT_STOP_GRACE="+c.grace)
			out, err := child.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			sent := 0
			for lines.Scan() {
				line := lines.Text()
				// The first is sent when it works, the second when it said it stops.
				if line == "working" || strings.Contains(line, "promobot stops") && sent < len(c.signals) {
					if err := child.Process.Signal(c.signals[sent]); err != nil {
						t.Fatal(err)
					}
					sent++
				}
			}
			err = child.Wait()
			var exit *exec.ExitError
			byLast := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == c.signals[len(c.signals)-1]
			if sent != len(c.signals) || ctx.Err() != nil || c.killed && !byLast || !c.killed && err != nil {
				t.Errorf("%d signals sent; ended with %v", sent, err)
			}
		})
	}
}
