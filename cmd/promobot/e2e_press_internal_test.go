package main

// Presses of buttons, as letters: by who may and by who may not, twice, by a
// program that remembers nothing, and with GitHub failing at each request in turn.
// One effect in the ledger, one answer.

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
	"github.com/promobot/promobot/state/queue"
)

// presser runs the scene's parts by hand: no server, no queue.
type presser struct {
	*scene
	parts Parts
	at    handlers.Repository
}

func (s *scene) presser() *presser {
	s.t.Helper()
	parts, err := wireAt(s.t.Context(), s.now, s.config(), zerolog.New(s.log), prometheus.NewRegistry())
	if err != nil {
		s.t.Fatal(err)
	}
	repo, _, err := s.ana.Repositories.Get(s.t.Context(), sceneOwner, s.name)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &presser{scene: s, parts: parts, at: handlers.Repository{InstallationID: s.installation, ID: repo.GetID(), Owner: sceneOwner, Name: s.name}}
	s.t.Cleanup(p.close)
	return p
}

func (p *presser) close() {
	if p.parts.Close == nil {
		return
	}
	if err := p.parts.Close(); err != nil {
		p.t.Error(err)
	}
	p.parts.Close = nil
}

// look looks at the repository until there is nothing to do.
func (p *presser) look() {
	p.t.Helper()
	for range 20 {
		next, err := p.parts.Reconcile(p.t.Context(), p.at)
		if err != nil {
			p.t.Fatal(err)
		}
		if next.IsZero() {
			return
		}
		p.ahead.Add(int64(max(0, next.Sub(p.now())) + time.Millisecond))
	}
	p.t.Fatal("it never comes to rest")
}

// press delivers presses, as the program does: what waits to be in force is
// delivered again after a look. It returns the answers to them, by their ids.
func (p *presser) press(letters ...queue.Letter) (map[string]view.Answer, error) {
	p.t.Helper()
	err := p.parts.Deliver(p.t.Context(), p.at, letters)
	for tries := 0; errors.Is(err, promotion.ErrPending) && tries < 5; tries++ {
		if _, err = p.parts.Reconcile(p.t.Context(), p.at); err == nil {
			err = p.parts.Deliver(p.t.Context(), p.at, letters)
		}
	}
	all, read := p.parts.Views.Answers(p.t.Context(), p.at.ID, time.Time{})
	if read != nil {
		p.t.Fatal(read)
	}
	out := map[string]view.Answer{}
	for _, a := range all {
		out[a.ID] = a
	}
	return out, err
}

func (p *presser) letter(id string, press handlers.Press) queue.Letter {
	p.t.Helper()
	if press.At.IsZero() {
		press.At = p.now()
	}
	body, err := json.Marshal(press)
	if err != nil {
		p.t.Fatal(err)
	}
	return queue.Letter{ID: id, Kind: handlers.PressLetter, Body: body, At: press.At}
}

// pressedShop has an open promotion to prod.
func pressedShop(t *testing.T) *presser {
	s := newScene(t, sceneOptions{files: shopFiles(shopPropose, "dev", "prod")})
	s.person("rea", "read")
	s.person("mai", "maintain")
	p := s.presser()
	p.look()
	s.release("2.0.0")
	p.look()
	if s.pull(1).Number != 1 || s.status() != state.Opened {
		t.Fatal("nothing is open")
	}
	return p
}

func TestPresses(t *testing.T) {
	t.Parallel()
	p := pressedShop(t)
	must := func(letters ...queue.Letter) map[string]view.Answer {
		t.Helper()
		a, err := p.press(letters...)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	wantHeard := func(n int) {
		t.Helper()
		if got := p.heardOf()[shopProd]; got != n {
			t.Fatalf("prod's ledger has heard %d commands, want %d", got, n)
		}
	}

	// Who may not.
	a := must(p.letter("page-1", handlers.Press{By: "rea", Command: "hold prod", Where: "page"}))["page-1"]
	if a.Done || a.By != "rea" || !strings.Contains(strings.Join(a.Says, " "), "it asks for the role write") || a.Environment != shopProd {
		t.Errorf("a reader is answered %+v", a)
	}
	if n := p.answers(1); n != 0 {
		t.Errorf("%d comments tell of a page's button", n)
	}
	onCheck := p.letter("delivery-1", handlers.Press{By: "rea", Command: "cancel", Issue: 1, Where: "check run"})
	must(onCheck)
	must(onCheck)
	if said := p.said(1); len(said) != 1 || !strings.Contains(said[0], "@rea") || !strings.Contains(said[0], "it asks for the role write") {
		t.Errorf("a reader who pressed a check run's button is told %q", said)
	}
	wantHeard(0)

	// Who may, twice; and once more by a program that remembers nothing.
	early := p.letter("early", handlers.Press{By: "mai", Command: "resume prod", Where: "page"})
	p.ahead.Add(int64(time.Second))
	hold := p.letter("page-2", handlers.Press{By: "mai", Command: "hold prod the database moves", Where: "page"})
	first := must(hold, hold)["page-2"]
	wantHeard(1)
	if h := p.ledgers()[shopProd].Hold; h == nil || h.By != "mai" || !strings.Contains(h.Reason, "the database moves") || !first.Done {
		t.Fatalf("the hold is %+v, the answer %+v", h, first)
	}
	p.close()
	p.forget()
	p = p.presser()
	second := must(hold)["page-2"]
	if d := cmp.Diff(first, second, cmpopts.EquateApproxTime(time.Minute)); d != "" {
		t.Errorf("told again it is answered otherwise (-before +after):\n%s", d)
	}
	wantHeard(1)

	// What was asked for before that and arrives after it.
	if a := must(early)["early"]; a.Done || !strings.Contains(strings.Join(a.Says, " "), "a later command (hold)") {
		t.Errorf("a late resume is answered %+v", a)
	}
	for name, press := range map[string]handlers.Press{
		"more than an hour ago":  {By: "mai", Command: "resume prod", Where: "page", At: p.now().Add(-61 * time.Minute)},
		"a button gives one":     {By: "mai", Command: "resume prod\n/promobot hold dev", Where: "page"},
		"goes with a comment":    {By: "mai", Command: "status", Where: "page"},
		"has changed since":      {By: "mai", Command: "resume", Button: "resume:0123456789ab", Where: "page"},
		"it asks for the role":   {By: "nobody-there", Command: "resume prod", Where: "page"},
		"no such environment":    {By: "mai", Command: "resume prd", Where: "page"},
		"asks for the role writ": {By: "rea", Command: "resume all", Where: "page"},
	} {
		if a := must(p.letter(name, press))[name]; a.Done || !strings.Contains(strings.Join(a.Says, " "), name) {
			t.Errorf("%s: answered %+v", name, a)
		}
	}
	wantHeard(1)
	p.look()

	// The page's own button: what it is about is named by its identifier.
	e, err := p.parts.Views.Repository(t.Context(), p.at.ID)
	if err != nil || e == nil {
		t.Fatalf("nothing is shown: %v", err)
	}
	prod := e.Pipelines[0].Environments[1]
	if len(prod.Actions) == 0 || prod.Actions[0].Name != "resume" {
		t.Fatalf("a held environment's actions are %+v", prod.Actions)
	}
	resume := prod.Actions[0]
	if a := must(p.letter("page-3", handlers.Press{By: "mai", Command: resume.Command, Button: resume.Button, Where: "page"}))["page-3"]; !a.Done {
		t.Errorf("the button is answered %+v", a)
	}
	wantHeard(2)
	if p.held(shopProd) {
		t.Error("prod is still held")
	}
	if a := must(p.letter("page-4", handlers.Press{By: "mai", Command: resume.Command, Button: resume.Button, Where: "page"}))["page-4"]; a.Done {
		t.Errorf("the same button of an old page is answered %+v", a)
	}
	wantHeard(2)
}

// TestHoldIsAnsweredInForce: a hold's effect is an entry at once; it is answered when
// a merge that was asked for before would be refused, or can be under way no more.
func TestHoldIsAnsweredInForce(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(p *presser){
		"a new head": func(p *presser) {
			before := p.pull(1).HeadSHA
			if _, err := p.parts.Reconcile(p.t.Context(), p.at); err != nil || p.pull(1).HeadSHA == before {
				p.t.Errorf("after the look the head is %s, and was %s: %v", p.pull(1).HeadSHA, before, err)
			}
		},
		"the time is over": func(p *presser) { p.ahead.Add(int64(promotion.Bound)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pressedShop(t)
			comment := p.write("mai", 1, "/promobot hold prod")
			letter := queue.Letter{ID: "told", Kind: handlers.CommentLetter, Body: fmt.Appendf(nil, `{"comment":%d}`, comment), At: p.now()}
			if err := p.parts.Deliver(t.Context(), p.at, []queue.Letter{letter}); !errors.Is(err, promotion.ErrPending) || !p.held(shopProd) || p.answers(1) != 0 {
				t.Fatalf("held %v, with %d answers: %v", p.held(shopProd), p.answers(1), err)
			}
			after(p)
			if err := p.parts.Deliver(t.Context(), p.at, []queue.Letter{letter}); err != nil || p.answers(1) != 1 {
				t.Errorf("then it has %d answers: %v", p.answers(1), err)
			}
		})
	}
}

// TestPressWhileGitHubFails: each request of a press fails in turn, before or after
// its effect; told again, there is one effect.
func TestPressWhileGitHubFails(t *testing.T) {
	t.Parallel()
	p := pressedShop(t)
	failures := 0
	for n := 1; ; n++ {
		if n > 60 {
			t.Fatal("a press never goes through")
		}
		before := p.heardOf()[shopProd]
		command := "hold prod"
		if p.held(shopProd) {
			command = "resume prod"
		}
		p.ahead.Add(int64(time.Second))
		letter := p.letter("press-"+strings.Repeat("x", n), handlers.Press{By: "mai", Command: command, Where: "page"})
		remove := p.sim.Inject(githubsim.Fault{By: sceneBot, Occurrences: []int{n}, Times: 1, Effect: githubsim.BadGateway()})
		_, err := p.press(letter)
		remove()
		if err != nil {
			failures++
			if _, err := p.press(letter); err != nil {
				t.Fatalf("request %d: told again: %v", n, err)
			}
		}
		if got := p.heardOf()[shopProd]; got != before+1 {
			t.Fatalf("request %d: the ledger has heard %d, want %d", n, got, before+1)
		}
		if err == nil && n > 8 {
			break
		}
	}
	if failures < 3 {
		t.Errorf("only %d requests failed", failures)
	}
}
