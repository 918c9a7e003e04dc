package main

// Each button of the check runs end to end: pressed by wes, whose role is too low
// for production; then by who may, twice in a row and with each webhook told
// three times; then to a program that remembers nothing. One effect in the ledger.

import (
	order "cmp"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// buttonCase is a button as it is pressed in a shop.
type buttonCase struct {
	do       string
	pipeline string
	// prepare brings the shop to where the button is shown, and says on which
	// commit's check run, and for which open pull request: 0 for none.
	prepare func(s *scene) (commit string, number int)
	by      string // who presses it; ana when empty
	// holds is its effect.
	holds func(s *scene) bool
}

// guardedShop is a shop whose production is for those who maintain it.
func guardedShop(pipeline string) string {
	return strings.Replace(pipeline, "{from: dev", "{from: dev, right: maintain", 1)
}

// openedHead is a shop with an open promotion, and its head.
func openedHead(s *scene) (string, int) {
	p := s.proposed(s.release("2.0.0"))
	return p.HeadSHA, p.Number
}

// tells has ana command by a comment on the promotion's pull request, and waits.
func (s *scene) tells(number int, command string) {
	s.t.Helper()
	before := s.answers(number)
	s.comments(number, "/promobot "+command)
	s.wait("it is answered", func() bool { return s.answers(number) > before })
	s.settle()
}

var buttonCases = []buttonCase{
	{
		do: "approve", pipeline: needsApproval, prepare: openedHead, by: "mai", // ana wrote it
		holds: func(s *scene) bool {
			return s.read("envs/prod/values.yaml") == shopValues("2.0.0") && len(s.pulls()) == 1
		},
	},
	{
		do: "hold", pipeline: shopPropose, prepare: openedHead,
		holds: func(s *scene) bool { return s.held(shopProd) && s.ledgers()[shopProd].Hold.By == "ana" },
	},
	{
		do: "resume", pipeline: shopPropose,
		prepare: func(s *scene) (string, int) {
			_, number := openedHead(s)
			s.tells(number, "hold prod")
			return s.open()[shopProd].HeadSHA, number
		},
		holds: func(s *scene) bool { return !s.held(shopProd) && len(s.open()) == 1 },
	},
	{
		do: "promote", pipeline: shopPropose,
		prepare: func(s *scene) (string, int) {
			revision := s.release("2.0.0")
			s.setState(s.proposed(revision).Number, "closed")
			s.wait("the veto is recorded", func() bool { return s.status() == state.Vetoed })
			s.settle()
			return revision, 0
		},
		holds: func(s *scene) bool { return len(s.open()) == 1 && len(s.pulls()) == 2 },
	},
	{
		do: "rollback", pipeline: shopAuto,
		prepare: func(s *scene) (string, int) {
			delivered(s)
			return s.ledgers()[shopProd].Landing.Revision, 0
		},
		holds: func(s *scene) bool {
			return s.read("envs/prod/values.yaml") == shopValues("1.0.0") && len(s.pulls()) == 2 && s.held(shopProd)
		},
	},
	{
		do: "retry", pipeline: shopAuto,
		prepare: func(s *scene) (string, int) {
			number := delivered(s)
			l := s.ledgers()[shopProd].Landing
			s.tells(number, "rollback prod")
			s.wait("it is taken back", func() bool { return s.ledgers()[shopProd].Landing.Reverts == l.ID })
			s.settle()
			s.tells(number, "resume prod")
			return l.Revision, 0
		},
		holds: func(s *scene) bool {
			return s.read("envs/prod/values.yaml") == shopValues("2.0.0") && len(s.pulls()) == 3
		},
	},
}

// button waits until the check run on a commit shows a button, and returns it.
func (s *scene) button(commit, do string) (run int64, identifier string) {
	s.t.Helper()
	find := func() bool {
		c := s.check(commit)
		for _, a := range c.Actions {
			if strings.HasPrefix(a, do+":") {
				run, identifier = c.ID, a
			}
		}
		return identifier != ""
	}
	s.wait("the check run has the button "+do, find)
	return run, identifier
}

func (s *scene) press(login string, run int64, identifier string) {
	s.t.Helper()
	if err := s.sim.PressButton(s.full(), login, run, identifier); err != nil {
		s.t.Fatal(err)
	}
}

func TestEachButton(t *testing.T) {
	t.Parallel()
	for _, c := range buttonCases {
		t.Run(c.do, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sceneOptions{files: shopFiles(guardedShop(c.pipeline), "dev", "prod")})
			s.person("wes", "write")
			s.person("mai", "maintain")
			s.installed(2)
			commit, number := c.prepare(s)
			run, identifier := s.button(commit, c.do)
			s.settle()
			before, refs, told := s.heardOf(), s.refs(), 0
			if number > 0 {
				told = s.answers(number)
			}

			s.press("wes", run, identifier)
			if number > 0 {
				if says := s.answered(number, told+1); !strings.Contains(says, "it asks for the role maintain") || !strings.Contains(says, "wes") {
					t.Errorf("wes is answered:\n%s", says)
				}
			}
			s.settle()
			if d := cmp.Diff(refs, s.refs()); d != "" {
				t.Fatalf("a press that is not allowed has an effect (-before +after):\n%s", d)
			}

			s.sim.InjectHook(githubsim.HookFault{Event: "check_run", Effect: githubsim.DuplicatedWebhook(3)})
			by := order.Or(c.by, "ana")
			s.press(by, run, identifier)
			s.press(by, run, identifier)
			s.wait("its effect", func() bool { return c.holds(s) })
			s.settle()
			want := maps.Clone(before)
			want[shopProd]++
			if d := cmp.Diff(want, s.heardOf()); d != "" {
				t.Errorf("what the ledgers have heard (-want +got):\n%s", d)
			}
			if h := s.ledgers()[shopProd].Heard[0]; h.Command != c.do || h.Comment >= 0 {
				t.Errorf("it is recorded as %+v", h)
			}
			s.restartsLater()
			if d := cmp.Diff(want, s.heardOf()); d != "" || !c.holds(s) {
				t.Errorf("after the program began anew, the ledgers have heard (-want +got):\n%s", d)
			}
		})
	}
}

// TestPressWhileTheProgramIsDown: GitHub does not tell it again; the next start finds
// it among the deliveries that failed, also without anything of its own.
func TestPressWhileTheProgramIsDown(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]bool{"stopped": false, "with nothing left": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sceneOptions{files: shopFiles(guardedShop(shopPropose), "dev", "prod")})
			s.person("wes", "write")
			s.installed(2)
			commit, number := openedHead(s)
			run, identifier := s.button(commit, "hold")
			s.settle()
			s.press("wes", run, identifier)
			s.answered(number, 1)
			s.settle()
			s.stop()
			if forget {
				s.forget()
			}
			s.press("ana", run, identifier)
			if err := s.sim.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.start()
			s.wait("prod is held", func() bool { return s.held(shopProd) })
			s.settle()
			if h := s.ledgers()[shopProd].Hold; h.By != "ana" {
				t.Errorf("the hold is %+v", h)
			}
			if n := s.metric(`promobot_letters_total{cause="sweep"}`); n != 1 {
				t.Errorf("the sweep found %v letters, want ana's alone", n)
			}
			s.wantQuiet()
			if n := s.answers(number); n != 1 {
				t.Errorf("%d answers, want wes's alone", n)
			}
		})
	}
}

// TestAButtonOfWhatWasThen: a button that is pressed on a page which nobody has
// refreshed takes nothing newer back, and Re-run shows what stands now.
func TestAButtonOfWhatWasThen(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopAuto, "dev", "prod")})
	s.installed(2)
	delivered(s)
	old := s.ledgers()[shopProd].Landing.Revision
	run, identifier := s.button(old, "rollback")
	newer := s.release("3.0.0")
	s.wait("it has landed", func() bool { return s.landed(newer, shopProd) })
	s.settle()
	before := s.refs()
	s.press("ana", run, identifier)
	s.settle()
	if d := cmp.Diff(before, s.refs()); d != "" {
		t.Errorf("the old button has an effect (-before +after):\n%s", d)
	}
	s.again(old, run)
	for _, a := range s.check(old).Actions {
		if strings.HasPrefix(a, "rollback:") {
			t.Errorf("the check run of what was replaced still offers %s", a)
		}
	}
	s.again(newer, s.check(newer).ID) // what says already what is so
	if c := s.check(newer); c.Status != "completed" || len(c.Actions) == 0 {
		t.Errorf("Re-run has taken its buttons away: %+v", c)
	}
}

// again presses Re-run, and holds that GitHub does not wait for an answer any more.
func (s *scene) again(commit string, run int64) {
	s.t.Helper()
	before := s.check(commit).Writes
	if err := s.sim.RerunCheck(s.full(), "ana", run); err != nil {
		s.t.Fatal(err)
	}
	s.settle()
	if s.check(commit).Writes == before {
		s.t.Error("Re-run is not answered: GitHub goes on to show the suite as queued")
	}
}

// TestAnEnvironmentIsTakenOut: what a check run said of an environment that the
// pipeline file does not have any more goes, though the revision has long landed.
func TestAnEnvironmentIsTakenOut(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopMany, "dev", "prod-eu", "prod-us")})
	s.installed(3)
	revision := s.release("2.0.0")
	s.wait("it has landed in both", func() bool { return s.landed(revision, "shop/prod-eu", "shop/prod-us") })
	s.settle()
	if title := s.check(revision).Title; title != "dev ✓ · prod-eu ✓ · prod-us ✓" {
		t.Fatalf("the title is %q", title)
	}
	s.ahead.Add(int64(3 * time.Hour)) // past the time that its check run is looked after
	s.push("prod-us is closed", map[string]string{".github/promobot.yml": strings.Replace(shopMany, "  prod-us: {from: dev, mode: auto}\n", "", 1)})
	s.wait("the check run says so", func() bool { return s.check(revision).Title == "dev ✓ · prod-eu ✓" })
	s.settle()
}
