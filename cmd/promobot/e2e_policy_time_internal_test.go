package main

// What the passing of time brings: timeouts, soaks, windows and holidays. Long
// times pass by the program's clock, which the scene puts forward; a push that is
// none of the program's business, or its start, has it look at the clock again.

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// TestTimeout: nothing speaks for or against what landed until its time is over.
func TestTimeout(t *testing.T) {
	for _, c := range []struct {
		name, staging string
		want          state.Outcome
		after         func(s *scene, landed state.Landing, revision string)
	}{
		{"fails", "verify: {checks: deploy, red_for: 1s, timeout: 1h}, on_failure: rollback", state.Failed, func(s *scene, landed state.Landing, _ string) {
			s.takenBack(shopStaging, landed)
		}},
		{"fails, of a kind that the policy does not take back", "verify: {checks: deploy, red_for: 1s, timeout: 1h}, on_failure: {rollback: {when: verification}}", state.Failed, func(s *scene, landed state.Landing, _ string) {
			s.wantHeld(shopStaging, landed, "a person has to look")
		}},
		{"passes", "verify: {checks: deploy, red_for: 1s, timeout: 1h, on_timeout: pass}, on_failure: rollback", state.Verified, func(s *scene, _ state.Landing, revision string) {
			s.landing(shopProd, revision)
		}},
		{"holds", "verify: {checks: deploy, red_for: 1s, timeout: 1h, on_timeout: hold}, on_failure: rollback", state.GivenUp, func(s *scene, landed state.Landing, _ string) {
			s.settle()
			if st := s.ledgers()[shopStaging]; st.Hold == nil || s.reverts(landed) > 0 || st.Landing.Commit != landed.Commit {
				s.t.Errorf("hold %+v, %s", st.Hold, s.describe())
			}
			s.wantQuiet()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := watchedShop(t, c.staging, "")
			revision := s.release("2.0.0")
			landed := s.landing(shopStaging, revision)
			s.ahead.Add(int64(59 * time.Minute))
			s.wake()
			s.settle()
			if st := s.ledgers()[shopStaging]; len(st.Verdicts) > 0 || st.Hold != nil || s.ledgers()[shopProd].Promotion != nil {
				t.Fatalf("before its time is over: %+v, hold %+v", st.Verdicts, st.Hold)
			}
			s.ahead.Add(int64(2 * time.Minute))
			s.wake()
			if v := s.verdictOn(shopStaging, landed); v.Outcome != c.want || !strings.Contains(v.Reason, "after 1h check deploy has not reported yet") {
				t.Errorf("the verdict is %s: %s; want %s", v.Outcome, v.Reason, c.want)
			}
			c.after(s, landed, revision)
		})
	}
}

// soaking is the shop whose staging has to hold for an hour, with what has landed
// there and is green.
func soaking(t *testing.T, more string) (s *scene, revision string, landed state.Landing) {
	t.Helper()
	s = watchedShop(t, "verify: {checks: deploy, red_for: 1s, soak: 1h, timeout: 3h"+more+"}, on_failure: rollback", "")
	revision = s.release("2.0.0")
	landed = s.landing(shopStaging, revision)
	s.greens(landed)
	return s, revision, landed
}

// greens reports that what landed in staging is good, and waits until that is seen.
func (s *scene) greens(landed state.Landing) {
	s.t.Helper()
	s.deploys(landed.Commit, "success")
	s.wait("it soaks", func() bool {
		w := s.ledgers()[shopStaging].Watch
		return w != nil && w.Landing == landed.Commit && !w.Holding.IsZero()
	})
	s.settle()
}

// TestSoakOverARestart: the program is away for most of the hour and has forgotten
// everything; since when all held stands in the ledger, and the end comes by itself.
func TestSoakOverARestart(t *testing.T) {
	t.Parallel()
	s, revision, landed := soaking(t, "")
	since := s.ledgers()[shopStaging].Watch.Holding
	s.stop()
	s.forget()
	s.ahead.Store(int64(time.Until(since.Add(time.Hour - 2*time.Second))))
	s.start()
	s.landing(shopProd, revision)
	v := s.verdictOn(shopStaging, landed)
	if !v.Since.Equal(since) || v.Time.Before(since.Add(time.Hour)) || v.Outcome != state.Verified {
		t.Errorf("held since %s, verdict %s at %s since %s", since, v.Outcome, v.Time, v.Since)
	}
}

// TestSoakBeginsAnew: what turns red for a moment has held from then on only.
func TestSoakBeginsAnew(t *testing.T) {
	t.Parallel()
	s, _, landed := soaking(t, "")
	first := s.ledgers()[shopStaging].Watch.Holding
	s.ahead.Add(int64(50 * time.Minute))
	s.deploys(landed.Commit, "pending")
	s.wait("it does not hold any more", func() bool { return s.ledgers()[shopStaging].Watch.Holding.IsZero() })
	s.greens(landed)
	s.ahead.Add(int64(50 * time.Minute))
	s.wake()
	s.settle()
	if v := s.ledgers()[shopStaging].Verdicts; len(v) > 0 {
		t.Fatalf("it held since %s, with a break, and is %+v", first, v)
	}
	s.ahead.Add(int64(11 * time.Minute))
	s.wake()
	if v := s.verdictOn(shopStaging, landed); v.Outcome != state.Verified || !v.Since.After(first.Add(49*time.Minute)) {
		t.Errorf("verdict %s since %s", v.Outcome, v.Since)
	}
}

// TestWhileSoaking: what is newer waits, and says for what, or lands and begins
// the soak anew, which is said when it happens again and again.
func TestWhileSoaking(t *testing.T) {
	t.Run("hold", func(t *testing.T) {
		t.Parallel()
		s, revision, landed := soaking(t, "")
		newer := s.release("2.1.0")
		s.wait("the newer one is proposed", func() bool { return s.open()[shopStaging].Number != 0 })
		s.settle()
		p := s.open()[shopStaging]
		if c := s.check(p.HeadSHA); p.Merged || !strings.Contains(c.Title+c.Summary+c.Text, "what landed before it comes first") {
			t.Errorf("#%d merged %v, its check run: %+v", p.Number, p.Merged, c)
		}
		s.ahead.Add(int64(time.Hour))
		s.wake()
		s.landing(shopProd, revision)
		if v := s.verdictOn(shopStaging, landed); v.Outcome != state.Verified {
			t.Errorf("verdict %+v", v)
		}
		s.landing(shopStaging, newer)
	})
	t.Run("continue", func(t *testing.T) {
		t.Parallel()
		s, _, _ := soaking(t, ", while_soaking: continue")
		var revision string
		var landed state.Landing
		for _, tag := range []string{"2.1.0", "2.2.0", "2.3.0"} {
			s.ahead.Add(int64(40 * time.Minute))
			revision = s.release(tag)
			landed = s.landing(shopStaging, revision)
			s.greens(landed)
		}
		if w := s.ledgers()[shopStaging].Watch; w.Restarted != 3 {
			t.Errorf("what is watched: %+v", w)
		}
		if c := s.check(revision); !strings.Contains(c.Summary+c.Text, "newer landings have ended its soak 3 times before") {
			t.Errorf("the check run does not say that the soak is restarted all the time: %+v", c)
		}
		s.ahead.Add(int64(time.Hour))
		s.wake()
		prod := s.landing(shopProd, revision)
		if got := s.read(inProd); got != shopValues("2.3.0") || s.ledgers()[shopProd].Promotion.Attempt != 1 {
			t.Errorf("prod landed %+v with\n%s", prod, got)
		}
		if ps := s.promotions()[shopProd]; len(ps) != 1 {
			t.Errorf("%d promotions to prod, want only the one that soaked: %s", len(ps), s.describe())
		}
	})
}

const officeHours = `version: 1
environments:
  dev:  {verify: none}
  prod: {from: dev, mode: auto, window: office}
windows:
  office: {allow: "Mon-Thu 09:00-16:00", zone: Europe/Berlin, holidays: ops/holidays.ics}
pipelines:
  shop:
    path: envs/$env
    promote: {values: image.tag, in: values.yaml}
`

// holiday is an iCalendar file with one day.
func holiday(day time.Time) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//acme//holidays//EN\r\nBEGIN:VEVENT\r\nUID:1@acme.example\r\nDTSTAMP:20260101T000000Z\r\n" +
		"DTSTART;VALUE=DATE:" + day.Format("20060102") + "\r\nSUMMARY:Founders' day\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// TestWindow: on a Saturday it waits and says until when, for which a program that
// was stopped over the weekend comes in time; it merges by itself, not before.
func TestWindow(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		holiday int // days after that Saturday
		says    string
		opens   int // days after that Saturday
		deliver string
	}{
		{"on Monday", 100, "Mon 09:00 Europe/Berlin", 2, ""},
		{"on Tuesday, since Monday is a holiday", 2, "Tue 09:00 Europe/Berlin", 3, ""},
		{"by push", 100, "Mon 09:00 Europe/Berlin", 2, ", deliver: push"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			saturday := time.Now().In(berlin).AddDate(0, 0, 1)
			for saturday.Weekday() != time.Saturday {
				saturday = saturday.AddDate(0, 0, 1)
			}
			at := func(days, hour, minute, second int) time.Time {
				return time.Date(saturday.Year(), saturday.Month(), saturday.Day()+days, hour, minute, second, 0, berlin)
			}
			files := shopFiles(strings.Replace(officeHours, ", window", c.deliver+", window", 1), "dev", "prod")
			files["ops/holidays.ics"] = holiday(at(c.holiday, 0, 0, 0))
			s := newScene(t, sceneOptions{files: files})
			s.ahead.Store(int64(time.Until(at(0, 12, 0, 0))))
			var merged atomic.Pointer[time.Time]
			t.Cleanup(s.sim.OnRequest(func(r *http.Request) {
				if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/merge") {
					now := s.now()
					merged.Store(&now)
				}
			}))
			s.installed(2)
			revision := s.release("2.0.0")
			var p githubsim.PullState
			if c.deliver == "" {
				p = s.proposed(revision)
				if !strings.Contains(p.Body, "window `office`") {
					t.Errorf("the pull request does not say that it waits for a window:\n%s", p.Body)
				}
				if check := s.check(p.HeadSHA); !strings.Contains(check.Title+check.Summary+check.Text, c.says) {
					t.Errorf("its check run does not say %q: %+v", c.says, check)
				}
			}
			s.settle()
			if check := s.check(revision); !strings.Contains(check.Title+check.Summary+check.Text, c.says) {
				t.Errorf("the revision's check run does not say %q: %+v", c.says, check)
			}
			s.stop()
			if p.Number != 0 { // someone looks at its page meanwhile, so that GitHub knows whether it can be merged
				s.autoMerge(p.Number)
			}
			opens := at(c.opens, 9, 0, 0)
			s.ahead.Store(int64(time.Until(opens.Add(-3 * time.Second))))
			s.start()
			landed := s.landing(shopProd, revision)
			switch when := merged.Load(); {
			case c.deliver != "":
				if landed.Method != "push" {
					t.Errorf("it landed as %+v", landed)
				}
			case when == nil || when.Before(opens) || landed.By != sceneBot || landed.PullRequest != p.Number:
				t.Errorf("merged at %v by %s with #%d; the window opens at %s", when, landed.By, landed.PullRequest, opens)
			}
			if now := s.now(); now.Before(opens) {
				t.Errorf("it landed before %s", now)
			}
		})
	}
}

// TestHolidaysThatCannotBeRead: the window stays shut and says why, until the
// file can be read.
func TestHolidaysThatCannotBeRead(t *testing.T) {
	t.Parallel()
	pipeline := strings.Replace(officeHours, `"Mon-Thu 09:00-16:00"`, `"Mon-Sun"`, 1)
	s := shop(t, pipeline)
	revision := s.release("2.0.0")
	p := s.proposed(revision)
	if check := s.check(p.HeadSHA); !strings.Contains(check.Summary, "ops/holidays.ics cannot be read") {
		t.Errorf("the check run does not say that the holidays cannot be read: %+v", check)
	}
	s.push("holidays", map[string]string{"ops/holidays.ics": holiday(time.Now().AddDate(0, 0, 30))})
	s.landing(shopProd, revision)
}
