package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
)

const dispatchBody = `{"action":"app-built","branch":"main","client_payload":{"image":{"tag":"v1.2.3"}},` +
	`"sender":{"login":"ana"},"installation":{"id":3},"repository":{"id":42,"full_name":"acme/deploy"}}`

const guid = "5e6b2d90-0000-11ef-8000-000000000000" // that of delivery

func TestDispatchBecomesALetter(t *testing.T) {
	f := newFront(t)
	status, text := f.answer(delivery(t.Context(), "repository_dispatch", []byte(dispatchBody)))
	if status != http.StatusOK || !strings.Contains(text, "kept") {
		t.Errorf("answered %d %q", status, text)
	}
	want := map[handlers.Repository][]handlers.Letter{deploy: {{
		ID: guid, Kind: handlers.DispatchLetter, Body: []byte(`{"type":"app-built","client_payload":{"image":{"tag":"v1.2.3"}}}`),
	}}}
	if diff := cmp.Diff(want, f.posted); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
	if len(f.woken) > 0 {
		t.Errorf("the repository is woken before its letter: %v", f.woken)
	}
	got, err := handlers.ParseDispatch(f.posted[deploy][0].Body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(handlers.Dispatch{Type: "app-built", Payload: json.RawMessage(`{"image":{"tag":"v1.2.3"}}`)}, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	for name, want := range map[string]map[string]float64{
		"promobot_webhook_events_total": {"repository_dispatch kept": 1},
		"promobot_letters_total":        {"webhook": 1},
	} {
		if diff := cmp.Diff(want, counted(t, f.registry, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDispatchesThatAreNone(t *testing.T) {
	cases := []struct {
		name   string
		body   string
		change func(*http.Request)
		fail   error
		status int
	}{
		{"without a payload of its own", strings.Replace(dispatchBody, `{"image":{"tag":"v1.2.3"}}`, "null", 1), nil, nil, 200},
		{"no delivery's id", dispatchBody, func(r *http.Request) { r.Header.Del("X-GitHub-Delivery") }, nil, 400},
		{"an odd delivery's id", dispatchBody, func(r *http.Request) { r.Header.Set("X-GitHub-Delivery", "a/../b") }, nil, 400},
		{"a long delivery's id", dispatchBody, func(r *http.Request) { r.Header.Set("X-GitHub-Delivery", strings.Repeat("a", 101)) }, nil, 400},
		{"no repository", `{"action":"x","installation":{"id":3}}`, nil, nil, 400},
		{"a repository's own webhook", strings.Replace(dispatchBody, `"installation":{"id":3},`, "", 1), nil, nil, 202},
		{"it cannot be stored", dispatchBody, nil, errors.New("disk full"), 503},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t)
			f.fail = c.fail
			r := delivery(t.Context(), "repository_dispatch", []byte(c.body))
			if c.change != nil {
				c.change(r)
			}
			status, text := f.answer(r)
			if status != c.status {
				t.Errorf("answered %d %q, want %d", status, text, c.status)
			}
			if kept := len(f.posted) > 0; kept != (c.status == 200) {
				t.Errorf("kept: %v", f.posted)
			}
			if len(f.woken) > 0 {
				t.Errorf("woken: %v", f.woken)
			}
		})
	}
}

func TestFollowersAreWoken(t *testing.T) {
	const common = `"installation":{"id":3},"repository":{"id":42,"full_name":"acme/deploy"}`
	first := handlers.Repository{InstallationID: 3, ID: 7, Owner: "acme", Name: "gitops"}
	second := handlers.Repository{InstallationID: 4, ID: 8, Owner: "other", Name: "gitops"}
	cases := []struct {
		name, event string
		body        []byte
		follow      bool
	}{
		{"a release", "release", bodyOf(`{"action":"published",%s}`, common), true},
		{"a release is taken back", "release", bodyOf(`{"action":"deleted",%s}`, common), true},
		{"a tag", "create", bodyOf(`{"ref_type":"tag","ref":"v1",%s}`, common), true},
		{"a tag goes", "delete", bodyOf(`{"ref_type":"tag","ref":"v1",%s}`, common), true},
		{"a tag moves", "push", bodyOf(`{"ref":"refs/tags/v1",%s}`, common), true},
		{"a branch", "create", bodyOf(`{"ref_type":"branch","ref":"refs/tags/v1",%s}`, common), false},
		{"a push to a branch", "push", bodyOf(`{"ref":"refs/heads/main",%s}`, common), false},
		{"a status", "status", bodyOf(`{"state":"success",%s}`, common), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t)
			f.followers = map[string][]handlers.Repository{
				"acme/deploy": {first, deploy, second}, // it may follow itself
				"acme/other":  {{InstallationID: 3, ID: 9, Owner: "acme", Name: "nobody"}},
			}
			if status, text := f.answer(delivery(t.Context(), c.event, c.body)); status != http.StatusOK {
				t.Fatalf("answered %d %s", status, text)
			}
			want := []handlers.Repository{deploy}
			if c.follow {
				want = append(want, first, second)
			}
			if diff := cmp.Diff(want, f.woken); diff != "" {
				t.Errorf("woken (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLettersHaveAKeyOfTheirOwn(t *testing.T) {
	if deploy.LettersKey() == deploy.Key() {
		t.Fatal("letters wait behind promotions")
	}
	if got, is, err := handlers.ParseLettersKey(deploy.LettersKey(), deploy.Note()); err != nil || !is || got != deploy {
		t.Errorf("it came back as %+v, %v, %v", got, is, err)
	}
	if _, is, err := handlers.ParseLettersKey(deploy.Key(), deploy.Note()); is || err != nil {
		t.Errorf("a repository's key is taken for that of its letters: %v", err)
	}
	if _, is, err := handlers.ParseLettersKey("letters/x", deploy.Note()); !is || err == nil {
		t.Errorf("taken: %v, %v", is, err)
	}
}

// pile is GitHub's list of deliveries, and the queue's memory.
type pile struct {
	recorder
	listed   []handlers.Delivery
	since    time.Time
	failed   bool
	payloads map[int64]string
	read     []int64
	known    []string
	looked   time.Time
	down     error
	comments commentsLooked
}

func (p *pile) Deliveries(_ context.Context, wanted func(event, action string) bool, since time.Time, failed bool) ([]handlers.Delivery, error) {
	p.since, p.failed = since, failed
	for event, want := range map[[2]string]bool{
		{"repository_dispatch", "built"}: true, {"check_run", "requested_action"}: true, {"check_run", "rerequested"}: true,
		{"check_suite", "rerequested"}: true, {"check_run", "completed"}: false, {"push", ""}: false, {"issue_comment", "created"}: false,
	} {
		if wanted(event[0], event[1]) != want {
			return nil, fmt.Errorf("%v: wanted is %v", event, !want)
		}
	}
	return p.listed, p.down
}

func (p *pile) DeliveryPayload(_ context.Context, number int64) ([]byte, error) {
	p.read = append(p.read, number)
	payload, there := p.payloads[number]
	if !there {
		return nil, errors.New("502")
	}
	return []byte(payload), nil
}

func (p *pile) Known(_ context.Context, r handlers.Repository, ids ...string) ([]string, error) {
	var known []string
	for _, id := range ids {
		if r.ID == deploy.ID && slices.Contains(p.known, id) {
			known = append(known, id)
		}
	}
	return known, nil
}

func (p *pile) Looked(context.Context) (time.Time, error) { return p.looked, nil }

func (p *pile) SetLooked(_ context.Context, until time.Time) error {
	p.looked = until
	return nil
}

func (p *pile) CommentsLooked(_ context.Context, r handlers.Repository) (time.Time, error) {
	return p.comments.of(r), p.comments.fail
}

func (p *pile) SetCommentsLooked(_ context.Context, r handlers.Repository, until time.Time) error {
	p.comments.set(r, until)
	return nil
}

func (p *pile) look(t *testing.T) (counted map[string]float64, err error) {
	t.Helper()
	registry := prometheus.NewRegistry()
	m := handlers.Missed{Deliveries: p, Mail: p, AppID: 7, Metrics: handlers.NewMetrics(registry), Log: zerolog.Nop()}
	err = m.Look(t.Context(), nil)
	return countedIn(t, registry), err
}

func countedIn(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	return counted(t, registry, "promobot_letters_total")
}

func TestMissedDispatchesAreFound(t *testing.T) {
	now := time.Now()
	at := func(n int) time.Time { return now.Add(time.Duration(n) * time.Minute).UTC() }
	p := &pile{
		listed: []handlers.Delivery{ // newest first
			{Number: 4, ID: "new", Event: "repository_dispatch", At: at(-1), RepositoryID: 42},
			{Number: 3, ID: "known", Event: "repository_dispatch", At: at(-2), RepositoryID: 42},
			{Number: 2, ID: "odd", Event: "repository_dispatch", At: at(-3), RepositoryID: 42},
			{Number: 1, ID: "old", Event: "repository_dispatch", At: at(-4), RepositoryID: 42},
		},
		payloads: map[int64]string{
			4: dispatchBody, 1: strings.Replace(dispatchBody, "v1.2.3", "v1.2.2", 1),
			2: `{"action":"x","installation":{"id":3}}`,
		},
		known: []string{"known"},
	}
	counted, err := p.look(t)
	if err != nil {
		t.Fatal(err)
	}
	body := func(tag string) []byte {
		return []byte(`{"type":"app-built","client_payload":{"image":{"tag":"` + tag + `"}}}`)
	}
	want := map[handlers.Repository][]handlers.Letter{deploy: {
		{ID: "old", Kind: handlers.DispatchLetter, Body: body("v1.2.2"), At: at(-4)},
		{ID: "new", Kind: handlers.DispatchLetter, Body: body("v1.2.3"), At: at(-1)},
	}}
	if diff := cmp.Diff(want, p.posted); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{1, 2, 4}, p.read); diff != "" {
		t.Errorf("payloads read (-want +got):\n%s", diff)
	}
	if counted["sweep"] != 2 {
		t.Errorf("counted %v", counted)
	}
	if p.failed || now.Sub(p.since) < 71*time.Hour {
		t.Errorf("a queue that never looked asks only for failed ones (%v), or not for all that is listed (%v)", p.failed, p.since)
	}
	first := p.looked
	if _, err := p.look(t); err != nil {
		t.Fatal(err)
	}
	if back := first.Sub(p.since); !p.failed || back < 10*time.Minute || back > 2*time.Hour {
		t.Errorf("the second look asks for failed ones: %v, from %v before the first", p.failed, back)
	}
}

// TestMissedPressesAreFound: those that did not arrive, and only those; a press on
// another App's check run is none.
func TestMissedPressesAreFound(t *testing.T) {
	at := time.Now().Add(-2 * time.Minute).UTC()
	again := `{"action":"rerequested","check_suite":{"head_sha":"` + strings.Repeat("a", 40) + `","app":{"id":7}},"sender":{"login":"ana","type":"User"},"installation":{"id":3},"repository":{"id":42,"full_name":"acme/deploy"}}`
	p := &pile{
		listed: []handlers.Delivery{
			{Number: 4, ID: "suite", Event: "check_suite", Failed: true, At: at, RepositoryID: 42},
			{Number: 3, ID: "another-app", Event: "check_run", Failed: true, At: at, RepositoryID: 42},
			{Number: 2, ID: "arrived", Event: "check_run", At: at, RepositoryID: 42},
			{Number: 1, ID: "missed", Event: "check_run", Failed: true, At: at, RepositoryID: 42},
		},
		payloads: map[int64]string{1: pressBody, 2: pressBody, 3: strings.Replace(pressBody, `"app":{"id":7}`, `"app":{"id":8}`, 1), 4: again},
	}
	if _, err := p.look(t); err != nil {
		t.Fatal(err)
	}
	got := map[string]handlers.Letter{}
	for _, l := range p.posted[deploy] {
		got[l.ID] = l
	}
	if len(got) != 2 || got["missed"].Kind != handlers.PressLetter || got["suite"].Kind != handlers.AgainLetter || !got["missed"].At.Equal(at) {
		t.Fatalf("posted %+v", p.posted[deploy])
	}
	if press, err := handlers.ParsePress(got["missed"].Body); err != nil || press.By != "ana" || press.Command != "rollback" || !press.At.IsZero() {
		t.Errorf("it is %+v, %v", press, err)
	}
}

// TestMissedDispatchesThatCannotBeRead: the others are kept, and the next look
// looks there again.
func TestMissedDispatchesThatCannotBeRead(t *testing.T) {
	p := &pile{
		listed: []handlers.Delivery{
			{Number: 1, ID: "unreadable", Event: "repository_dispatch", At: time.Now(), RepositoryID: 42},
			{Number: 2, ID: "readable", Event: "repository_dispatch", At: time.Now(), RepositoryID: 42},
		},
		payloads: map[int64]string{2: dispatchBody},
	}
	if _, err := p.look(t); err == nil || !p.looked.IsZero() {
		t.Errorf("a look that saw not all is taken for one that did: %v, %v", err, p.looked)
	}
	if len(p.posted[deploy]) != 1 {
		t.Errorf("posted %v", p.posted)
	}
	p.down = errors.New("502")
	if _, err := p.look(t); err == nil || !p.looked.IsZero() {
		t.Errorf("a list that cannot be read is taken for empty: %v", err)
	}
}
