// The kill -9 part: the test binary runs itself as a child that works on the
// queue and says each step it had acknowledged; it is killed in the middle, and
// what it had been promised must be there.

package queuetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/state/queue"
)

// childStore is the environment variable that makes the test binary a child.
const childStore = "PROMOBOT_QUEUETEST_CHILD"

// Child does the child's work and exits, if this process is the suite's child;
// else it returns. TestMain calls it first.
func Child(open Open) {
	store := os.Getenv(childStore)
	if store == "" {
		return
	}
	fmt.Fprintln(os.Stderr, work(context.Background(), open, store))
	os.Exit(1) // the child ends only by being killed
}

// work wakes ever new keys, each with a letter, and, now and then, claims and
// finishes one. After each acknowledged step it prints one line.
func work(ctx context.Context, open Open, store string) error {
	q, err := open(ctx, store, queue.Options{Debounce: -1, Lease: Lease, Now: time.Now})
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		key := fmt.Sprintf("key/%d", n)
		if err := q.Wake(ctx, queue.Wake{Key: key, Letters: []queue.Letter{letter("1", key)}}); err != nil {
			return err
		}
		fmt.Println("woken", key)
		if n%3 != 0 {
			continue
		}
		item, ok, _, err := q.Claim(ctx)
		if err != nil || !ok {
			return fmt.Errorf("claim after a wake: %v, %w", ok, err)
		}
		fmt.Println("claimed", item.Key)
		if n%6 != 0 {
			continue // left claimed: killed in the middle of the work
		}
		// Said beforehand: if it is killed between the commit and the line, the
		// parent must not miss a key that was rightly finished.
		fmt.Println("finishing", item.Key)
		if err := q.Answered(ctx, item.Key, "1"); err != nil {
			return err
		}
		if err := q.Finish(ctx, item, queue.Outcome{}); err != nil {
			return err
		}
	}
}

func killed(t *testing.T, f *fixture) {
	if err := f.q.Close(); err != nil {
		t.Fatal(err)
	}
	f.q = nil
	mayBeDone, mustBeThere := map[string]bool{}, map[string]bool{}
	for _, line := range runAndKill(t, f.store, 200) {
		step, key, _ := strings.Cut(line, " ")
		switch step {
		case "woken":
			mustBeThere[key] = true
		case "finishing":
			mayBeDone[key] = true
		}
	}
	f.mu.Lock()
	f.now = time.Now().Add(2 * Lease)
	f.mu.Unlock()
	f.reopen()

	found := map[string]bool{}
	for {
		item, ok, _, err := f.q.Claim(t.Context())
		if err != nil {
			t.Fatalf("claim after the kill: %v", err)
		}
		if !ok {
			break
		}
		found[item.Key] = true
		letters, err := f.q.Letters(t.Context(), item.Key)
		if err != nil {
			t.Fatal(err)
		}
		if whole := len(letters) == 1 && string(letters[0].Body) == item.Key; !whole && !mayBeDone[item.Key] {
			t.Errorf("%s has lost its letter: %v", item.Key, letters)
		}
		f.answer(item.Key, "1")
		f.finish(item, queue.Outcome{})
	}
	for key := range mustBeThere {
		if !found[key] && !mayBeDone[key] {
			t.Errorf("%s was acknowledged and is lost", key)
		}
	}
	if len(mayBeDone) == 0 || len(found) < 100 {
		t.Fatalf("the child did too little to tell: %d finished, %d found", len(mayBeDone), len(found))
	}
}

// runAndKill runs the child, kills it after so many lines, and returns all it
// had said.
func runAndKill(t *testing.T, store string, lines int) []string {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, binary, "-test.run=^$")
	child.Env = append(os.Environ(), childStore+"="+store)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		said = append(said, scanner.Text())
		if len(said) == lines {
			if err := child.Process.Kill(); err != nil { // SIGKILL; the pipe still holds what it said since
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return said
}
