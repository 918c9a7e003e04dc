package doctor_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion/doctor"
	"github.com/promobot/promobot/promotion/registration"
)

// finding is the only one of a report that is not well, if there is one.
func finding(t *testing.T, all []doctor.Finding, grade doctor.Grade, says, mend string) {
	t.Helper()
	var bad []doctor.Finding
	for _, f := range all {
		if f.Says == "" || strings.HasSuffix(f.Says, ".") || f.Subject == "" || f.About == "" {
			t.Errorf("%+v is no sentence without its end", f)
		}
		if f.Grade != doctor.Well {
			bad = append(bad, f)
			if f.Mend == "" {
				t.Errorf("nothing says how to mend %+v", f)
			}
		}
	}
	switch {
	case grade == doctor.Well:
		if len(bad) > 0 {
			t.Errorf("all should be well: %+v", bad)
		}
	case len(bad) != 1:
		t.Errorf("%d findings, want one: %+v", len(bad), bad)
	case bad[0].Grade != grade || !strings.Contains(bad[0].Says, says) || !strings.Contains(bad[0].Mend+" "+bad[0].At, mend):
		t.Errorf("got %+v\nwant %s, %q, to be mended by %q", bad[0], grade, says, mend)
	}
	if doctor.Sick(all) != (grade == doctor.Wrong) {
		t.Errorf("sick: %v, with a finding that is %s", doctor.Sick(all), grade)
	}
}

func TestMachine(t *testing.T) {
	for _, c := range []struct {
		name       string
		change     func(*doctor.Machine)
		grade      doctor.Grade
		says, mend string
	}{
		{"well", func(*doctor.Machine) {}, doctor.Well, "", ""},
		{"configured by the environment", func(m *doctor.Machine) { m.Config = "" }, doctor.Well, "", ""},
		{"no git", func(m *doctor.Machine) { m.GitBad = "git is git 2.30" }, doctor.Wrong, "git is git 2.30", "2.39 or newer"},
		{"no data folder", func(m *doctor.Machine) { m.DataBad = "/data is no folder" }, doctor.Wrong, "is no folder", "data_dir"},
		{"a full disk", func(m *doctor.Machine) { m.Free = 5e6 }, doctor.Wrong, "5 MB left", "make room"},
		{"a nearly full disk", func(m *doctor.Machine) { m.Free = 5e8 }, doctor.Doubtful, "500 MB left", "make room"},
		{"a disk that mirrors could fill", func(m *doctor.Machine) { m.Keeps = 200e9 }, doctor.Doubtful, "mirrors may take 200.0 GB", "git.max_disk"},
		{"a disk of which nothing is told", func(m *doctor.Machine) { m.Free = -1 }, doctor.Well, "", ""},
		{"not running", func(m *doctor.Machine) { m.Running = nil }, doctor.Doubtful, "no promobot answers at 127.0.0.1:8080", "promobot serve"},
		{"not ready", func(m *doctor.Machine) { m.Running = &doctor.Running{Says: "github"} }, doctor.Wrong, "not ready: github", "/readyz"},
		{"work that waits", func(m *doctor.Machine) { m.Running.Oldest = 6 * time.Minute }, doctor.Wrong, "waited for 6m0s", "workers"},
		{"a run that failed", func(m *doctor.Machine) { m.Running.Failing = 1 }, doctor.Doubtful, "failed for 1 repository", "log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := doctor.Machine{
				Config: "config.yml", Git: "2.47.0", DataDir: "/data", Free: 100e9, Keeps: 10e9,
				Running: &doctor.Running{Ready: true, Oldest: time.Second}, Address: "127.0.0.1:8080",
			}
			c.change(&m)
			finding(t, doctor.JudgeMachine(m), c.grade, c.says, c.mend)
		})
	}
}

// granted is what an App of promobot's has.
func granted(uses ...string) map[string]string {
	out := map[string]string{}
	for _, p := range registration.Permissions(uses...) {
		out[p.Name] = string(p.Level)
	}
	return out
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func healthyApp() doctor.App {
	settings := "https://github.com/organizations/acme/settings/apps/promobot"
	return doctor.App{
		ID: 7, Slug: "promobot", Settings: settings, Install: "https://github.com/apps/promobot/installations/new",
		Permissions: granted(), Events: registration.Events(), Hook: &doctor.Hook{URL: "https://p.example/api/github/hook", Secret: true},
		Deliveries: []doctor.Delivery{{At: noon, Event: "push", Code: 200, Status: "OK"}},
		Installations: []doctor.Installation{{
			ID: 1, Account: "acme", Page: "https://github.com/organizations/acme/settings/installations/1", Permissions: granted(),
			Limit: &doctor.Limit{Limit: 5000, Remaining: 4000, Reset: noon},
		}},
	}
}

func TestApp(t *testing.T) {
	type change = func(*doctor.App)
	deliveries := func(codes ...int) change {
		return func(a *doctor.App) {
			a.Deliveries = nil
			for _, code := range codes {
				a.Deliveries = append(a.Deliveries, doctor.Delivery{At: noon, Event: "push", Code: code, Status: map[int]string{0: "timed out"}[code]})
			}
		}
	}
	for _, c := range []struct {
		name       string
		change     change
		uses       []string
		grade      doctor.Grade
		says, mend string
	}{
		{name: "well", change: func(*doctor.App) {}, grade: doctor.Well},
		{"another key", func(a *doctor.App) { a.Bad = "GitHub does not know it" }, nil, doctor.Wrong, "does not know it", "Private keys"},
		{"a fast clock", func(a *doctor.App) { a.Skew = 90 * time.Second }, nil, doctor.Wrong, "1m30s ahead of GitHub's", "NTP"},
		{"a slow clock", func(a *doctor.App) { a.Skew = -10 * time.Second }, nil, doctor.Doubtful, "10s off", "NTP"},
		{"no webhook", func(a *doctor.App) { a.Hook = nil }, nil, doctor.Wrong, "has no webhook", "/api/github/hook"},
		{"a webhook elsewhere", func(a *doctor.App) { a.Hook.URL = "https://p.example/hook" }, nil, doctor.Wrong, "https://p.example/hook", "mend the webhook's URL"},
		{"a webhook without a secret", func(a *doctor.App) { a.Hook.Secret = false }, nil, doctor.Wrong, "no secret", "webhook_secret_file"},
		{"a webhook in the clear", func(a *doctor.App) { a.Hook.URL = "http://p.example/api/github/hook" }, nil, doctor.Doubtful, "plain HTTP", "HTTPS"},
		{"an unverified certificate", func(a *doctor.App) { a.Hook.SkipsIdentity = true }, nil, doctor.Doubtful, "certificate of p.example", "SSL verification"},
		{"another public URL", func(a *doctor.App) { a.Public = "https://p.example.com" }, nil, doctor.Doubtful, "server.public_url is https://p.example.com", "outdated"},
		{"the same public URL", func(a *doctor.App) { a.Public = "https://p.example" }, nil, doctor.Well, "", ""},
		{"what is not accepted yet", func(a *doctor.App) {
			a.Installations[0].Permissions = maps.Clone(a.Installations[0].Permissions)
			a.Installations[0].Permissions["issues"] = "read"
		}, nil, doctor.Wrong, "acme has not accepted yet what the App asks for (Issues: read and write)", "settings/installations/1"},
		{"nothing delivered", deliveries(), nil, doctor.Doubtful, "no webhook in the last three days", "/advanced"},
		{"one lost, the newest there", deliveries(200, 502), nil, doctor.Doubtful, "1 of the last 2", "/advanced"},
		{"the ping lost, the newest there", func(a *doctor.App) {
			a.Deliveries = append(a.Deliveries, doctor.Delivery{At: noon, Event: "ping", Status: "failed to connect to host"})
		}, nil, doctor.Well, "", ""},
		{"out of reach", deliveries(0, 0, 200), nil, doctor.Wrong, "the last 2 webhooks did not arrive (push, 2026-03-02 12:00 UTC: timed out)", "firewall"},
		{"another secret", deliveries(401), nil, doctor.Wrong, "the last 1 webhook did not arrive", "webhook_secret_file"},
		{"something else answers", deliveries(404), nil, doctor.Wrong, "404", "lead /api/github/hook to promobot"},
		{"a proxy with a bound", deliveries(413), nil, doctor.Wrong, "413", "25 MB"},
		{"down", deliveries(503), nil, doctor.Wrong, "503", "is down"},
		{"another refusal", deliveries(400), nil, doctor.Wrong, "400", "log"},
		{"installed nowhere", func(a *doctor.App) { a.Installations = nil }, nil, doctor.Wrong, "installed nowhere", "installations/new"},
		{"suspended", func(a *doctor.App) { a.Installations[0].Suspended = true }, nil, doctor.Doubtful, "installation on acme is suspended", "settings/installations/1"},
		{"no requests left", func(a *doctor.App) { a.Installations[0].Limit.Remaining = 0 }, nil, doctor.Wrong, "none of acme's 5000 requests", "wait"},
		{"few requests left", func(a *doctor.App) { a.Installations[0].Limit.Remaining = 100 }, nil, doctor.Doubtful, "100 of acme's 5000", "promobot_github_requests_total"},
		{"more than is used", func(a *doctor.App) { a.Permissions["administration"] = "write" }, nil, doctor.Doubtful, "administration: write", "/permissions"},
		{"a higher level than is used", func(a *doctor.App) { a.Permissions["statuses"] = "write" }, nil, doctor.Doubtful, "statuses: write", "/permissions"},
		{"steps that run workflows", func(*doctor.App) {}, []string{"run"}, doctor.Wrong, "has only read of the permission Actions: read and write", "/permissions"},
		{"an option that is granted", func(a *doctor.App) { a.Permissions, a.Installations[0].Permissions = granted("run"), granted("run") }, []string{"run"}, doctor.Well, "", ""},
		{"an event that is missing", func(a *doctor.App) {
			a.Events = slices.DeleteFunc(slices.Clone(a.Events), func(e string) bool { return e == "check_run" || e == "issue_comment" })
		}, nil, doctor.Wrong, "does not hear of check_run, issue_comment", "Subscribe to events"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := healthyApp()
			c.change(&a)
			finding(t, doctor.JudgeApp(a, c.uses...), c.grade, c.says, c.mend)
		})
	}
	for name := range granted() {
		t.Run("without "+name, func(t *testing.T) {
			a := healthyApp()
			a.Permissions = maps.Clone(a.Permissions)
			delete(a.Permissions, name)
			title := registration.Permissions()[slices.IndexFunc(registration.Permissions(), func(p registration.Permission) bool { return p.Name == name })].Title
			finding(t, doctor.JudgeApp(a), doctor.Wrong, "the App has not the permission "+title, "/permissions")
		})
	}
}
