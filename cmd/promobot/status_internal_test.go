package main

// promobot status and promobot changes against the API itself, and against
// servers that are none.

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers/api"
	"github.com/promobot/promobot/promotion/view"
)

// oneShelf is what a server knows, and who may see it.
type oneShelf []view.Repository

func (s oneShelf) Repositories(context.Context) ([]view.Repository, error) { return s, nil }

func (s oneShelf) Visible(_ context.Context, r *http.Request, all []view.Repository) ([]view.Repository, error) {
	if r.Header.Get("Authorization") != "Bearer anas-token" {
		return nil, &api.SignInError{Reason: "GitHub does not take this token"}
	}
	return all, nil
}

func askedServer(t *testing.T) *httptest.Server {
	t.Helper()
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	shop := func(name string, e view.Environment) view.Environment {
		e.Pipeline, e.Name, e.Branch = "shop", name, "main"
		return e
	}
	shelf := oneShelf{
		{Version: 1, ID: 1, Owner: "acme", Name: "gitops", At: noon, Pipelines: []view.Pipeline{{Key: "shop", Title: "shop", Environments: []view.Environment{
			shop("dev", view.Environment{Standing: "source", Current: &view.Landing{Title: strings.Repeat("ab", 20), Since: noon.Add(-time.Hour)}}),
			shop("prod-eu", view.Environment{
				Standing: "proposed", Behind: 2, Needs: "merge #7, or close it", NeedsSince: noon,
				Current:   &view.Landing{Title: "1.0.0", Since: noon.Add(-48 * time.Hour), Baseline: true},
				Promotion: &view.Promotion{PullRequest: 7, Status: "opened"},
			}),
			shop("prod-us", view.Environment{
				Standing: "waiting", Behind: 2, Reason: "window office\x1b[31m", Until: noon.Add(21 * time.Hour),
				Hold: &view.Hold{By: "bo", Reason: "the database moves"}, Promotion: &view.Promotion{PullRequest: 8, Status: "opened"},
				Entries: []view.Entry{{Kind: "hold", Sentence: "bo holds it: the database moves", Time: noon.Add(-20 * time.Minute)}},
			}),
		}}}},
		{Version: 1, ID: 2, Owner: "acme", Name: "other", At: noon, Problems: []view.Problem{{Line: 3, Text: "line 3: there is no key x"}}},
	}
	s := httptest.NewServer(api.New(api.Options{Store: shelf, People: shelf, Now: func() time.Time { return noon }, Log: zerolog.Nop()}))
	t.Cleanup(s.Close)
	return s
}

// say runs a command line.
func say(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestStatusOfARunningPromobot(t *testing.T) {
	t.Setenv("GH_TOKEN", "anas-token")
	t.Setenv("PROMOBOT_SERVER", askedServer(t).URL)
	const all = `acme/other: line 3: there is no key x

acme/gitops  as of 2026-06-01 12:00Z
  PIPELINE  ENVIRONMENT  STANDS      SINCE                     BEHIND  STANDING  WHAT NEXT
  shop      dev          ababababab  2026-06-01 11:00Z         0       source
  shop      prod-eu      1.0.0       before 2026-05-30 12:00Z  2       proposed  you: merge #7, or close it
  shop      prod-us      -           -                         2       waiting   window office\x1b[31m; held by bo: the database moves; #8; until 2026-06-02 09:00Z
`
	for name, c := range map[string]struct {
		args string
		want string
	}{
		"all":            {"status", all},
		"no repository":  {"status acme/other", "acme/other: line 3: there is no key x\n"},
		"no environment": {"status acme/gitops --env qa", "there is no such environment that you can see\n"},
		"one pattern": {"status acme/gitops --env *eu", `acme/gitops  as of 2026-06-01 12:00Z
  PIPELINE  ENVIRONMENT  STANDS  SINCE                     BEHIND  STANDING  WHAT NEXT
  shop      prod-eu      1.0.0   before 2026-05-30 12:00Z  2       proposed  you: merge #7, or close it
`},
		"what needs someone": {"status acme/gitops --needs", `acme/gitops  as of 2026-06-01 12:00Z
  PIPELINE  ENVIRONMENT  STANDS  SINCE                     BEHIND  STANDING  WHAT NEXT
  shop      prod-eu      1.0.0   before 2026-05-30 12:00Z  2       proposed  you: merge #7, or close it
`},
		"nothing needs anyone": {"status acme/gitops --needs --env dev", "nothing needs a person\n"},
		"changes": {"changes --env prod* --since 2h", `WHEN               REPOSITORY   PIPELINE  ENVIRONMENT  WHAT
2026-06-01 11:40Z  acme/gitops  shop      prod-us      hold  bo holds it: the database moves
`},
		"no changes":    {"changes --since 10m", "nothing changed anywhere that you can see since 10m\n"},
		"none in these": {"changes --since 10m --env prod*", "nothing changed in prod* since 10m\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := say(t, strings.Fields(c.args)...)
			if diff := cmp.Diff(c.want, out); diff != "" || code != 0 || errs != "" {
				t.Errorf("exit %d, %s\n-want +got\n%s", code, errs, diff)
			}
		})
	}
	code, out, _ := say(t, "status", "--json", "--env", "prod-eu")
	var answer api.Status
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 || len(answer.Environments) != 1 || answer.Environments[0].PullRequest != 7 {
		t.Errorf("--json: exit %d, %v\n%s", code, err, out)
	}
	code, out, _ = say(t, "changes", "--json")
	var changed api.Changes
	if err := json.Unmarshal([]byte(out), &changed); err != nil || code != 0 || len(changed.Changes) != 2 {
		t.Errorf("changes --json: exit %d, %v\n%s", code, err, out)
	}
}

func TestStatusOfWhatIsNot(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/moved"):
			http.Redirect(w, r, "https://elsewhere.example.com/", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/html"):
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>"))
		case strings.HasPrefix(r.URL.Path, "/broken"):
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("{"))
		case strings.HasPrefix(r.URL.Path, "/down"):
			w.WriteHeader(http.StatusBadGateway)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(other.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	ours := askedServer(t).URL
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte("anas-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args, token, server string
		code                int
		says                string
	}{
		"no server named":        {"status", "x", "", 2, "name it with --server"},
		"no token":               {"status", "", ours, 2, "put your GitHub token into GH_TOKEN"},
		"a token file":           {"status --token-file " + tokenFile, "", ours, 0, ""},
		"no token file":          {"status --token-file /nowhere/token", "", ours, 3, "no such file"},
		"a broken token":         {"changes", "two words", ours, 2, "no GitHub token"},
		"GitHub's no":            {"status", "stolen", ours, 3, "does not know you: GitHub does not take this token"},
		"not seen":               {"status acme/none", "anas-token", ours, 3, "knows no such repository"},
		"no name":                {"status gitops", "anas-token", ours, 2, "no OWNER/REPO"},
		"no name of a change":    {"changes --repository ../x", "anas-token", ours, 2, "no OWNER/REPO"},
		"a bad pattern":          {"status --env [", "anas-token", ours, 2, "is not a pattern"},
		"a bad since":            {"changes --since soon", "anas-token", ours, 2, "such as 30m"},
		"nobody there":           {"status", "anas-token", gone.URL, 3, "does not answer"},
		"not promobot":           {"status", "anas-token", other.URL, 3, "has no API"},
		"sent on":                {"status", "anas-token", other.URL + "/moved", 3, "sends on to https://elsewhere.example.com/"},
		"a page":                 {"status", "anas-token", other.URL + "/html", 3, "does not answer as promobot does"},
		"half an answer":         {"status", "anas-token", other.URL + "/broken", 3, "does not answer as this promobot understands"},
		"a proxy":                {"status", "anas-token", other.URL + "/down", 3, "502 Bad Gateway"},
		"in the open":            {"status", "anas-token", "http://promobot.example.com", 2, "use https"},
		"no URL":                 {"status", "anas-token", "promobot.example.com", 2, "is no URL"},
		"a secret in the URL":    {"status", "anas-token", "https://ana:anas-token@promobot.example.com", 2, "tokens stand in GH_TOKEN"},
		"a clone and a server":   {"status --repo . --server " + ours, "anas-token", ours, 2, "asks no server"},
		"a clone without ledger": {"status --repo " + readmeRepository(t), "", "", 3, "there are no ledgers in this clone"},
		"no clone":               {"status --repo " + t.TempDir(), "", "", 3, "git repository"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GH_TOKEN", c.token)
			t.Setenv("GITHUB_TOKEN", "")
			t.Setenv("PROMOBOT_SERVER", c.server)
			code, out, errs := say(t, strings.Fields(c.args)...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("exit %d: %s%s", code, out, errs)
			}
			if strings.Contains(errs+out, "anas-token") {
				t.Errorf("it tells the token: %s%s", out, errs)
			}
		})
	}
}
