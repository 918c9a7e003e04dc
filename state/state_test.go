package state_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/promobot/promobot/state"
)

func keys(t testing.TB, secrets ...string) state.Keys {
	t.Helper()
	var bs [][]byte
	for _, s := range secrets {
		bs = append(bs, []byte(s))
	}
	k, err := state.NewKeys(bs...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sample() state.Entry {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	p := state.Promotion{
		ID: strings.Repeat("ab", 32), Status: state.Opened, Revision: strings.Repeat("1", 40), Origin: "qa", Attempt: 1,
		From: "qa", Landing: strings.Repeat("1", 40), Base: strings.Repeat("2", 40), Commit: strings.Repeat("3", 40),
		Branch: "promobot/app/staging/1-ab", Expected: "d", Claimed: at, PullRequest: 7, URL: "https://github.com/o/r/pull/7",
	}
	return state.Entry{
		Kind:     state.KindOpened,
		Sentence: "staging: opened #7",
		State: state.Environment{
			Version: 1, Sequence: 3,
			Baseline:  state.Baseline{Commit: strings.Repeat("0", 40), Time: at},
			Position:  map[string]state.Position{"qa": {Commit: strings.Repeat("0", 40)}},
			Promotion: &p,
			Claims:    []time.Time{at},
		},
		Trailers: p.Trailers("app", "staging"),
	}
}

func TestEntryRoundTrip(t *testing.T) {
	at := state.Place{Repository: 9, Ref: state.Ref("app", "staging"), Parents: []string{"p1", "p2"}}
	e := sample()
	m, err := keys(t, "new", "old").Encode(at, e, "n1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys(t, "newer", "new").Decode(at, m+"\n")
	if err != nil {
		t.Fatalf("an older key still counts while it is listed: %v", err)
	}
	if d := cmp.Diff(e.State, got.State); d != "" {
		t.Error(d)
	}
	if got.Kind != e.Kind || got.Sentence != e.Sentence {
		t.Errorf("got %q %q", got.Kind, got.Sentence)
	}
	if ts := state.ParseTrailers(m); ts[state.TrailerID] != e.State.Promotion.ID || ts[state.TrailerPullRequest] != e.State.Promotion.URL {
		t.Errorf("trailers: %v", ts)
	}
	peeked, err := state.Peek(m)
	if err != nil || peeked.State.Sequence != 3 {
		t.Errorf("peek: %v %v", peeked, err)
	}
}

func TestEntryRefused(t *testing.T) {
	at := state.Place{Repository: 9, Ref: state.Ref("app", "staging"), Parents: []string{"p1"}}
	k := keys(t, "secret")
	m, err := k.Encode(at, sample(), "n1")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		at      state.Place
		message string
		keys    state.Keys
		want    error
	}{
		"another repository":  {state.Place{Repository: 8, Ref: at.Ref, Parents: at.Parents}, m, k, state.ErrSignature},
		"another environment": {state.Place{Repository: 9, Ref: state.Ref("app", "prod"), Parents: at.Parents}, m, k, state.ErrSignature},
		"another parent":      {state.Place{Repository: 9, Ref: at.Ref, Parents: []string{"p9"}}, m, k, state.ErrSignature},
		"an added parent":     {state.Place{Repository: 9, Ref: at.Ref, Parents: []string{"p1", "p2"}}, m, k, state.ErrSignature},
		"another key":         {at, m, keys(t, "other"), state.ErrSignature},
		"an edited state":     {at, strings.Replace(m, `"n":3`, `"n":4`, 1), k, state.ErrSignature},
		"an edited sentence":  {at, "x" + m, k, state.ErrSignature},
		"no signature":        {at, "hello", k, state.ErrFormat},
		"a broken signature":  {at, m + "zz", k, state.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.keys.Decode(c.at, c.message); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := state.NewKeys(); err == nil {
		t.Error("no key at all must be refused")
	}
}

func TestNamesSurviveGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("git is needed")
	}
	for _, name := range []string{"app", "services/c++", "a b", "-x", ".hidden", "x.lock", "a..b", "ünï", "", "a@{b", "q?*[", "x.", "a\nb", "=41"} {
		t.Run(name, func(t *testing.T) {
			for _, ref := range []string{state.Ref(name, name), "refs/heads/" + state.Branch(name, name, name, strings.Repeat("f", 64))} {
				if out, err := exec.CommandContext(t.Context(), "git", "check-ref-format", ref).CombinedOutput(); err != nil {
					t.Errorf("git refuses %q: %s", ref, out)
				}
			}
			p, e, err := state.ParseRef(state.Ref(name, name))
			if err != nil || p != name || e != name {
				t.Errorf("got %q %q %v", p, e, err)
			}
		})
	}
}

func TestEscapeIsOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "name")
		e := state.Escape(s)
		if strings.ContainsAny(e, "/ ~^:?*[\\%") || strings.HasPrefix(e, ".") || strings.HasSuffix(e, ".lock") || strings.Contains(e, "..") {
			t.Fatalf("%q escapes to %q", s, e)
		}
		if got, err := state.Unescape(e); err != nil || got != s {
			t.Fatalf("%q came back as %q, %v", s, got, err)
		}
	})
}

func TestIDSeparatesParts(t *testing.T) {
	if state.ID(1, "a", "bc", "r", "l", 1) == state.ID(1, "ab", "c", "r", "l", 1) {
		t.Error("parts run into each other")
	}
	if state.ID(1, "a", "b", "r", "l", 1) == state.ID(1, "a", "b", "r", "l", 2) {
		t.Error("attempts share an id")
	}
}

func TestTrailersCannotBeForged(t *testing.T) {
	p := state.Promotion{ID: "good", Revision: "x\nPromotion-Id: evil", Attempt: 1}
	ts := state.ParseTrailers("subject\n\n" + state.FormatTrailers(p.Trailers("a\r\nPromotion-Id: evil", "b")))
	if ts[state.TrailerID] != "good" {
		t.Errorf("got %q", ts[state.TrailerID])
	}
	if state.ParseTrailers("subject\n\nsome text\nPromotion-Id: x") != nil {
		t.Error("a paragraph of prose is no trailers")
	}
}

func FuzzDecode(f *testing.F) {
	k, err := state.NewKeys([]byte("secret"))
	if err != nil {
		f.Fatal(err)
	}
	at := state.Place{Repository: 9, Ref: state.Ref("app", "staging")}
	m, err := k.Encode(at, sample(), "n")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m)
	f.Add("a\n\n{}\n\nPromobot-Entry: x\nPromobot-Signature: 00")
	f.Fuzz(func(t *testing.T, message string) {
		if _, err := k.Decode(at, message); err == nil && strings.TrimRight(message, "\n") != m {
			t.Fatalf("decoded what was never signed: %q", message)
		}
		_, _ = state.Peek(message)
		_ = state.ParseTrailers(message)
	})
}
