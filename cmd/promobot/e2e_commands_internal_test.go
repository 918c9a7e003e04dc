package main

// Each comment command end to end: given by a reader, who may not; by ana, who
// may, told three times by webhooks, to a program that is killed between effect
// and answer; and told once more to one that remembers nothing. One effect in the
// ledgers, one answer, and that answer is held against its golden file
// (UPDATE_GOLDEN=1 rewrites them).

import (
	order "cmp"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// shopMany has production in two places.
const shopMany = `version: 1
limits: {per_hour: 1000}
environments:
  dev:     {verify: none}
  prod-eu: {from: dev, mode: auto}
  prod-us: {from: dev, mode: auto}
pipelines:
  shop:
    path: envs/$env
    promote: {values: image.tag, in: values.yaml}
`

// commandCase is a command as it is given in a shop.
type commandCase struct {
	name     string
	pipeline string
	// prepare brings the shop to where the command is given, and says on which pull request.
	prepare func(s *scene) (number int)
	text    string
	by      string // ana, when empty
	reader  bool   // who only reads may give it, too
	// heard are the environments whose ledgers it has its effect in.
	heard []string
	// holds is its effect.
	holds func(s *scene) bool
}

// opened is a shop with an open promotion to prod.
func opened(s *scene) int { return s.proposed(s.release("2.0.0")).Number }

// delivered is a shop in which prod has a promotion.
func delivered(s *scene) int {
	revision := s.release("2.0.0")
	s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
	s.settle()
	return s.ledgers()[shopProd].Landing.PullRequest
}

// needsApproval is a shop whose production waits for a person's command.
var needsApproval = strings.Replace(shopAuto, "mode: auto", "mode: auto, approval: required", 1)

func (s *scene) held(key string) bool { return s.ledgers()[key].Hold != nil }

func unchanged(*scene) bool { return true }

var commandCases = []commandCase{
	{name: "help", pipeline: shopPropose, prepare: opened, text: "help rollback", reader: true, holds: unchanged},
	{name: "status", pipeline: shopPropose, prepare: opened, text: "status", reader: true, holds: unchanged},
	{name: "plan", pipeline: shopPropose, prepare: opened, text: "plan", reader: true, holds: unchanged},
	{
		name: "promote", pipeline: shopPropose, text: "promote prod", heard: []string{shopProd},
		prepare: func(s *scene) int {
			n := opened(s)
			s.setState(n, "closed")
			s.wait("the veto is recorded", func() bool { return s.status() == state.Vetoed })
			s.settle()
			return n
		},
		holds: func(s *scene) bool { return len(s.open()) == 1 && len(s.pulls()) == 2 },
	},
	{
		name: "retry", pipeline: shopPropose, text: "retry", heard: []string{shopProd},
		prepare: func(s *scene) int {
			n := opened(s)
			s.setState(n, "closed")
			s.wait("the veto is recorded", func() bool { return s.status() == state.Vetoed })
			s.settle()
			return n
		},
		holds: func(s *scene) bool { return len(s.open()) == 1 && len(s.pulls()) == 2 },
	},
	{
		name: "rollback", pipeline: shopAuto, text: "rollback prod", heard: []string{shopProd}, prepare: delivered,
		holds: func(s *scene) bool {
			return s.read("envs/prod/values.yaml") == shopValues("1.0.0") && len(s.pulls()) == 2 && s.held(shopProd)
		},
	},
	{
		name: "hold", pipeline: shopPropose, text: "hold prod the database moves", heard: []string{shopProd}, prepare: opened,
		holds: func(s *scene) bool {
			h := s.ledgers()[shopProd].Hold
			return h != nil && h.By == "ana" && strings.Contains(h.Reason, "the database moves") && h.Until.IsZero()
		},
	},
	{
		name: "hold-until", pipeline: shopPropose, text: "hold prod --until 2h", heard: []string{shopProd}, prepare: opened,
		holds: func(s *scene) bool {
			h := s.ledgers()[shopProd].Hold
			return h != nil && h.Until.Sub(h.Since).Round(time.Minute) == 2*time.Hour
		},
	},
	{
		name: "hold-pattern", pipeline: shopMany, text: "hold prod-*", heard: []string{"shop/prod-eu", "shop/prod-us"}, prepare: func(s *scene) int { return s.issue() },
		holds: func(s *scene) bool { return s.held("shop/prod-eu") && s.held("shop/prod-us") && !s.held("shop/dev") },
	},
	{
		name: "hold-all", pipeline: shopMany, text: "hold all", heard: []string{"shop/dev", "shop/prod-eu", "shop/prod-us"}, prepare: func(s *scene) int { return s.issue() },
		holds: func(s *scene) bool { return s.held("shop/prod-eu") && s.held("shop/prod-us") },
	},
	{
		name: "resume", pipeline: shopAuto, text: "resume prod", heard: []string{shopProd},
		prepare: func(s *scene) int {
			n := s.issue()
			s.comments(n, "/promobot hold prod")
			s.wait("prod is held", func() bool { return s.held(shopProd) && s.answers(n) == 1 })
			s.settle()
			s.release("2.0.0")
			s.settle()
			return n
		},
		holds: func(s *scene) bool {
			return !s.held(shopProd) && s.read("envs/prod/values.yaml") == shopValues("2.0.0") && s.status() == state.Landed
		},
	},
	{
		name: "approve", pipeline: needsApproval, text: "approve", by: "mai", heard: []string{shopProd}, prepare: opened,
		holds: func(s *scene) bool { return s.pull(1).Merged && s.status() == state.Landed },
	},
	{
		name: "merge", pipeline: needsApproval, text: "merge --past approval", prepare: opened,
		holds: func(s *scene) bool { return s.pull(1).Open },
	},
	{
		name: "merge-confirmed", pipeline: needsApproval, text: "merge --past approval --confirm", heard: []string{shopProd}, prepare: opened,
		holds: func(s *scene) bool { return s.pull(1).Merged && s.status() == state.Landed },
	},
	{
		name: "skip", pipeline: shopPropose, text: "skip prod", heard: []string{shopProd}, prepare: opened,
		holds: func(s *scene) bool { return !s.pull(1).Open && !s.pull(1).Merged && len(s.pulls()) == 1 },
	},
	{
		name: "cancel", pipeline: shopPropose, text: "cancel", heard: []string{shopProd}, prepare: opened,
		holds: func(s *scene) bool { return !s.pull(1).Open && !s.pull(1).Merged && len(s.pulls()) == 1 },
	},
	{
		name: "rebuild", pipeline: shopPropose, text: "rebuild", heard: []string{shopProd},
		prepare: func(s *scene) int {
			p := s.proposed(s.release("2.0.0"))
			head := s.change(p.Head, "two more replicas", func(dir string) error {
				return writeFiles(dir, map[string]string{"envs/prod/values.yaml": strings.Replace(shopValues("2.0.0"), "replicas: 2", "replicas: 4", 1)})
			})
			s.wait("the check run says whose it is", func() bool { return s.check(head).Title != "" })
			s.settle()
			return p.Number
		},
		holds: func(s *scene) bool {
			return string(s.bare("cat-file", "blob", s.pull(1).HeadSHA+":envs/prod/values.yaml")) == shopValues("2.0.0") && s.pull(1).Open
		},
	},
	{name: "unknown", pipeline: shopPropose, prepare: opened, text: "promot prod", reader: true, holds: func(s *scene) bool { return s.pull(1).Open }},
}

// issue is an issue of ana's, for what is about no pull request.
func (s *scene) issue() int {
	s.t.Helper()
	p := s.propose("ana/notes", "notes", map[string]string{"notes.md": "to be told\n"})
	s.settle()
	return p.GetNumber()
}

// heardOf counts the effects of all comments' commands, by environment.
func (s *scene) heardOf() map[string]int {
	s.t.Helper()
	n := map[string]int{}
	for k, l := range s.ledgers() {
		for range l.Heard {
			n[k]++
		}
	}
	return n
}

// said are the answers there, oldest first.
func (s *scene) said(number int) (bodies []string) {
	s.t.Helper()
	all, err := s.sim.Comments(s.full(), number)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, one := range all {
		if one.Author == sceneBot {
			bodies = append(bodies, one.Body)
		}
	}
	return bodies
}

// write is somebody's comment.
func (s *scene) write(login string, number int, body string) (id int64) {
	s.t.Helper()
	id, err := s.sim.WriteComment(s.full(), login, number, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// person is somebody with a role in the repository.
func (s *scene) person(login, role string) {
	s.t.Helper()
	if err := s.sim.CreateUser(login); err != nil {
		s.t.Fatal(err)
	}
	if err := s.sim.SetRole(s.full(), login, role); err != nil {
		s.t.Fatal(err)
	}
}

// answered waits for so many answers there, and for rest, and returns the last.
func (s *scene) answered(number, n int) string {
	s.t.Helper()
	s.wait("it is answered", func() bool { return s.answers(number) >= n })
	s.settle()
	all := s.said(number)
	if len(all) != n {
		s.t.Fatalf("%d answers, want %d:\n%s", len(all), n, strings.Join(all, "\n---\n"))
	}
	return all[n-1]
}

// restartsLater is a program that remembers nothing, after the bound within which
// another may still be at work.
func (s *scene) restartsLater() {
	s.t.Helper()
	s.stop()
	s.forget()
	s.ahead.Add(int64(2 * promotion.Bound))
	s.start()
	s.settle()
}

func TestEachCommand(t *testing.T) {
	t.Parallel()
	for _, c := range commandCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			environments := []string{"dev", "prod"}
			if c.pipeline == shopMany {
				environments = []string{"dev", "prod-eu", "prod-us"}
			}
			s := newScene(t, sceneOptions{files: shopFiles(c.pipeline, environments...)})
			s.person("rea", "read")
			s.person("mai", "maintain")
			s.startChild()
			s.wait("every environment has its baseline", func() bool { return len(s.ledgers()) == len(environments) })
			s.settle()
			number := c.prepare(s)
			before, told := s.heardOf(), s.answers(number)

			s.write("rea", number, "/promobot "+c.text)
			denied := s.answered(number, told+1)
			if d := cmp.Diff(before, s.heardOf()); d != "" {
				t.Fatalf("a reader's command has an effect (-before +after):\n%s", d)
			}
			if c.reader != !strings.Contains(denied, "it asks for the role") {
				t.Errorf("a reader is answered:\n%s", denied)
			}

			s.sim.InjectHook(githubsim.HookFault{Event: "issue_comment", Effect: githubsim.DuplicatedWebhook(3)})
			killed := s.killedAnswering(number)
			s.write(order.Or(c.by, "ana"), number, "/promobot "+c.text)
			killed()
			answer := s.answered(number, told+2)
			s.wait("its effect", func() bool { return c.holds(s) })
			s.settle()
			want := maps.Clone(before)
			for _, k := range c.heard {
				want[k]++
			}
			if d := cmp.Diff(want, s.heardOf()); d != "" {
				t.Errorf("what the ledgers have heard (-want +got):\n%s", d)
			}
			s.restartsLater()
			if d := cmp.Diff(want, s.heardOf()); d != "" {
				t.Errorf("what the ledgers have heard when told again (-want +got):\n%s", d)
			}
			if !c.holds(s) {
				t.Error("its effect is gone when it is told again")
			}
			again := s.answered(number, told+2)
			if len(c.heard) > 0 && again != answer {
				t.Errorf("the answer is another when it is told again (-before +after):\n%s", cmp.Diff(answer, again))
			}
			s.golden("command-"+c.name, s.masked(denied)+"\n=====\n"+s.masked(answer))
		})
	}
}

// killedAnswering has the program killed as it answers there; killed waits for
// that, and starts it again when another may carry on what it had begun.
func (s *scene) killedAnswering(number int) (killed func()) {
	s.t.Helper()
	current, answer := s.program, fmt.Sprintf("/repos/%s/issues/%d/comments", s.full(), number)
	var dead atomic.Bool
	var once sync.Once
	died := make(chan struct{})
	remove := s.sim.OnRequest(func(r *http.Request) {
		if !s.outbound(r) {
			return
		}
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, answer) {
			dead.Store(true)
			once.Do(func() {
				current.stop()
				close(died)
			})
		}
		if dead.Load() {
			panic(http.ErrAbortHandler) // what it asks for gets nowhere any more
		}
	})
	return func() {
		s.t.Helper()
		select {
		case <-died:
		case <-time.After(scenePatience):
			s.t.Fatalf("it never answers:\n%s", tail(s.log.String(), 20))
		}
		remove()
		s.ahead.Add(int64(promotion.Bound + time.Second))
		s.startChild()
	}
}

var (
	maskedSHA   = regexp.MustCompile(`\b[0-9a-f]{40}\b`)
	maskedShort = regexp.MustCompile(`\b[0-9a-f]{7,12}\b`)
	maskedMark  = regexp.MustCompile(`promobot answers \d+`)
	maskedTime  = regexp.MustCompile(`\d{1,2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4} )?\d\d:\d\d UTC`)
)

// masked is an answer without what differs from run to run.
func (s *scene) masked(body string) string {
	body = strings.ReplaceAll(body, s.sim.URL, "https://github.example")
	body = maskedMark.ReplaceAllString(body, "promobot answers N")
	body = maskedTime.ReplaceAllString(body, "TIME")
	body = maskedSHA.ReplaceAllString(body, "SHA")
	return maskedShort.ReplaceAllString(body, "short")
}

// golden compares a text with its golden file.
func (s *scene) golden(name, got string) {
	s.t.Helper()
	at := filepath.Join("testdata", "e2e", name+".md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(at, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(at)
	if err != nil {
		s.t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		s.t.Errorf("the answers changed (-golden +now):\n%s", d)
	}
}

// TestWhoMayCommand: each right that a command can ask for.
func TestWhoMayCommand(t *testing.T) {
	t.Parallel()
	pipeline := strings.Replace(shopPropose, "prod: {from: dev}", "prod: {from: dev, right: maintain}", 1) +
		"commands: {rights: {rollback: acme/oncall, cancel: admin, rebuild: write}, bots: [\"helper[bot]\"]}\n"
	s := newScene(t, sceneOptions{files: shopFiles(pipeline, "dev", "prod")})
	s.person("rea", "read")
	s.person("wes", "write")
	s.person("mai", "maintain")
	s.person("adi", "admin")
	s.person("ona", "write")
	for _, failed := range []error{
		s.sim.SetRole(s.full(), "bo", "admin"), s.sim.CreateTeam(sceneOwner, "oncall", "ona"),
	} {
		if failed != nil {
			t.Fatal(failed)
		}
	}
	s.installed(2)
	number := opened(s)
	told := 0
	for _, c := range []struct {
		login, text string
		may         bool
		says        string
	}{
		{"rea", "hold prod", false, "maintain"},
		{"wes", "hold prod", false, "maintain"},
		{"wes", "hold all", false, "maintain"},
		{"wes", "hold dev", true, ""},
		{"mai", "hold prod", true, ""},
		{"wes", "resume prod", false, "maintain"},
		{"adi", "resume prod", true, ""},
		{"adi", "rollback prod", false, "team acme/oncall"},
		{"ona", "rollback prod", true, "was not promoted by promobot"}, // allowed; there is nothing
		{"mai", "cancel", false, "admin"},
		{"wes", "rebuild", true, ""},
	} {
		before := s.heardOf()
		s.write(c.login, number, "/promobot "+c.text)
		told++
		answer := s.answered(number, told)
		if denied := strings.Contains(answer, "it asks for"); denied == c.may || !strings.Contains(answer, c.says) || !strings.Contains(answer, c.login) {
			t.Errorf("%s: %s is answered, want allowed %v and %q:\n%s", c.login, c.text, c.may, c.says, answer)
		}
		if d := cmp.Diff(before, s.heardOf()); (d != "") != (c.may && c.says == "") {
			t.Errorf("%s: %s: the ledgers have heard (-before +after):\n%s", c.login, c.text, d)
		}
	}
	if got := slices.Sorted(maps.Keys(s.open())); fmt.Sprint(got) != "["+shopProd+"]" {
		t.Errorf("open: %v", got)
	}
}
