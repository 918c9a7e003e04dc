package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/reconcile"
)

// sentCheck is what of a check run's body the tests look at.
type sentCheck struct {
	Name       string
	HeadSHA    string `json:"head_sha"`
	Status     string
	Conclusion *string
	ExternalID *string `json:"external_id"`
	Output     struct {
		Title, Summary, Text string
		Annotations          []obj
	}
}

func (s *server) sentChecks() []sentCheck {
	s.t.Helper()
	var out []sentCheck
	for _, r := range s.seen("") {
		if !strings.Contains(r.line, "/check-runs") || strings.HasPrefix(r.line, "GET ") {
			continue
		}
		var c sentCheck
		if err := json.Unmarshal([]byte(r.body), &c); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// Fifty annotations a call; the run is known by its external id only once all
// are there.
func TestAnnotationsInBatches(t *testing.T) {
	s := newServer(t)
	s.on("POST /repos/acme/shop/check-runs", answer(http.StatusCreated, obj{"id": 5}))
	s.on("PATCH /repos/acme/shop/check-runs/5", answer(http.StatusOK, obj{"id": 5}))
	c := reconcile.CheckRun{Commit: head, Status: "completed", Conclusion: "failure", ExternalID: "hash", Title: "t", Summary: "s"}
	for i := range 120 {
		c.Annotations = append(c.Annotations, reconcile.Annotation{Path: ".github/promobot.yml", Line: i, Message: fmt.Sprint(i)})
	}
	id, err := s.repository().WriteCheckRun(t.Context(), c)
	if err != nil || id != 5 {
		t.Fatalf("id %d, %v", id, err)
	}
	var got []string
	seen := map[string]bool{}
	for _, one := range s.sentChecks() {
		external := "-"
		if one.ExternalID != nil {
			external = *one.ExternalID
		}
		got = append(got, fmt.Sprint(one.Name, " ", one.HeadSHA != "", " ", len(one.Output.Annotations), " ", external))
		for _, a := range one.Output.Annotations {
			seen[fmt.Sprint(a["message"], a["annotation_level"])] = true
			if a["start_line"].(float64) < 1 {
				t.Errorf("annotation on line %v", a["start_line"])
			}
		}
	}
	if diff := cmp.Diff([]string{"promobot true 50 -", "promobot false 50 -", "promobot false 20 hash"}, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if len(seen) != 120 {
		t.Errorf("%d annotations were sent, want 120", len(seen))
	}
}

// What broke off in the middle is written on, not anew.
func TestAnnotationsBrokenOff(t *testing.T) {
	s := newServer(t)
	s.on("POST /repos/acme/shop/check-runs", answer(http.StatusCreated, obj{"id": 5}))
	s.on("PATCH /repos/acme/shop/check-runs/5", answer(http.StatusBadGateway, ""))
	c := reconcile.CheckRun{Commit: head, Status: "completed", Conclusion: "failure", Title: "t", Annotations: make([]reconcile.Annotation, 51)}
	for i := range c.Annotations {
		c.Annotations[i] = reconcile.Annotation{Path: "f", Line: 1, Message: "m"}
	}
	id, err := s.repository().WriteCheckRun(t.Context(), c)
	if id != 5 || kind(err) != "no answer" {
		t.Errorf("id %d, %v; want 5 and no answer", id, err)
	}
}

func TestCheckRunInProgressHasNoConclusion(t *testing.T) {
	s := newServer(t)
	s.on("PATCH /repos/acme/shop/check-runs/5", answer(http.StatusOK, obj{"id": 5}))
	c := reconcile.CheckRun{ID: 5, Commit: head, Status: "in_progress", Conclusion: "neutral", Title: "t"}
	if _, err := s.repository().WriteCheckRun(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := s.sentChecks()[0].Conclusion; got != nil {
		t.Errorf("conclusion %q was sent, which completes the run", *got)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	long := strings.Repeat("Ünïcödé line\n", 9000)
	tests := []struct {
		name, text string
		ends       string
	}{
		{"short", "all of it", "all of it"},
		{"exact", strings.Repeat("x", 65535), "xxx"},
		{"lines", long, "Ünïcödé line\n\n… the rest is left out: GitHub shows no more.\n"},
		{"one line", strings.Repeat("é", 65535), "é\n\n… the rest is left out: GitHub shows no more.\n"},
		{"in a block of code", "text\n````yaml\n```\n" + long, "line\n````\n\n… the rest is left out: GitHub shows no more.\n"},
		{"after a block of code", "```\ncode\n```\n" + long, "line\n\n… the rest is left out: GitHub shows no more.\n"},
		{"in a block of tildes", "  ~~~\n```\n" + long, "line\n~~~\n\n… the rest is left out: GitHub shows no more.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.on("POST /repos/acme/shop/check-runs", answer(http.StatusCreated, obj{"id": 5}))
			c := reconcile.CheckRun{Commit: head, Status: "completed", Conclusion: "neutral", Title: strings.Repeat("é", 300), Summary: tt.text, Text: tt.text}
			if _, err := s.repository().WriteCheckRun(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			out := s.sentChecks()[0].Output
			for _, text := range []string{out.Summary, out.Text} {
				if len(text) > 65535 || !strings.HasSuffix(text, tt.ends) || strings.ContainsRune(text, '\uFFFD') {
					t.Errorf("%d bytes that end in %q, want at most 65535 that end in %q", len(text), text[max(0, len(text)-90):], tt.ends)
				}
			}
			if len(out.Title) > 255 || !strings.HasSuffix(out.Title, "é…") {
				t.Errorf("title of %d bytes, %q", len(out.Title), out.Title)
			}
		})
	}
}

// Other Apps' runs are not promobot's, whatever their name.
func TestCheckRunsOfOthers(t *testing.T) {
	s := newServer(t)
	run := func(id, app int) obj {
		return obj{
			"id": id, "name": "promobot", "head_sha": head, "status": "completed", "conclusion": "neutral", "external_id": "h",
			"app": obj{"id": app}, "details_url": "https://p.test", "output": obj{"title": "t", "summary": "s", "text": nil},
		}
	}
	s.on("GET /repos/acme/shop/commits/"+head+"/check-runs", answer(http.StatusOK,
		obj{"total_count": 2, "check_runs": []obj{run(1, appID), run(2, 15368)}}))
	got, err := s.repository().CheckRuns(t.Context(), head)
	if err != nil {
		t.Fatal(err)
	}
	want := []reconcile.CheckRun{{ID: 1, Name: "promobot", Commit: head, Status: "completed", Conclusion: "neutral", ExternalID: "h", Title: "t", Summary: "s"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("check runs (-want +got):\n%s", diff)
	}
}

// Buttons are said with every write, since GitHub keeps those that are left out,
// and what it would refuse does not reach it.
func TestButtonsComeAndGo(t *testing.T) {
	s := newServer(t)
	s.on("POST /repos/acme/shop/check-runs", answer(http.StatusCreated, obj{"id": 5}))
	s.on("PATCH /repos/acme/shop/check-runs/5", answer(http.StatusOK, obj{"id": 5}))
	c := reconcile.CheckRun{Commit: head, Status: "completed", Conclusion: "neutral", Title: "t", Summary: "s", Actions: []reconcile.CheckAction{
		{Label: "Roll back prod-eu", Description: "1.42.0 → 1.40.0, by pull request", Identifier: "rollback:0123456789a"},
		{Label: "Hold production-europe", Description: "too long a label", Identifier: "hold:0123456789abcde"},
		{Label: strings.Repeat("é", 20), Description: strings.Repeat("→", 40), Identifier: "hold:0123456789abcde"},
	}}
	repository := s.repository()
	for _, actions := range [][]reconcile.CheckAction{c.Actions, nil} {
		c.Actions = actions
		id, err := repository.WriteCheckRun(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		c.ID = id
	}
	var got []string
	for _, r := range s.seen("") {
		var sent struct {
			Actions *[]struct{ Label, Description, Identifier string }
		}
		if err := json.Unmarshal([]byte(r.body), &sent); err != nil || !strings.Contains(r.line, "/check-runs") {
			continue
		}
		if sent.Actions == nil {
			t.Fatalf("%s says nothing of buttons: %s", r.line, r.body)
		}
		for _, a := range *sent.Actions {
			got = append(got, a.Label+" "+a.Identifier)
		}
		got = append(got, "-")
	}
	want := []string{"Roll back prod-eu rollback:0123456789a", strings.Repeat("é", 20) + " hold:0123456789abcde", "-", "-"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("buttons sent (-want +got):\n%s", diff)
	}
}
