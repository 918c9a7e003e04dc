package github_test

// Comments and rights against the simulator.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
)

// talking is a world with a pull request, an issue, and people who may say
// something there.
func talking(t *testing.T, more map[string]string) (w *world, pull, issue int) {
	t.Helper()
	w = newWorldOf(t, more)
	for _, login := range []string{"mona", "rita"} {
		w.must(w.CreateUser(login))
	}
	w.must(w.SetRole(shop, "mona", "maintain"))
	w.must(w.SetRole(shop, "rita", "read"))
	pull, _ = w.open("promobot/shop/qa/1")
	i, _, err := w.olga.Issues.Create(t.Context(), "acme", "shop", &gh.IssueRequest{Title: new("About promotions")})
	w.must(err)
	return w, pull, i.GetNumber()
}

func (w *world) say(login string, number int, body string) int64 {
	w.t.Helper()
	id, err := w.WriteComment(shop, login, number, body)
	w.must(err)
	return id
}

func TestCommentsAreRead(t *testing.T) {
	w, pull, issue := talking(t, map[string]string{"issues": "write"})
	ctx := t.Context()
	begun := w.clock.Now()
	hostile := "/promobot hold prod <script>alert(1)</script> ${{ secrets.X }}\r\n\x00\u202eevil @everyone"
	first := w.say("rita", pull, hostile)
	w.clock.advance(time.Minute)
	second := w.say("mona", issue, "/promobot resume prod")
	w.clock.advance(time.Minute)
	w.must(w.EditComment(shop, "rita", first, hostile+"!"))
	answer, err := w.repo.WriteComment(ctx, pull, "Held.")
	w.must(err)
	at := func(minutes int) time.Time { return begun.Add(time.Duration(minutes) * time.Minute) }
	page := func(kind string, number int, id int64) string {
		return fmt.Sprintf("%s/acme/shop/%s/%d#issuecomment-%d", w.URL, kind, number, id)
	}
	ritas := promotion.Comment{ID: first, Issue: pull, Pull: true, Body: hostile + "!", URL: page("pull", pull, first), Author: "rita", Created: at(0), Edited: true}
	monas := promotion.Comment{ID: second, Issue: issue, Body: "/promobot resume prod", URL: page("issues", issue, second), Author: "mona", Created: at(1)}
	ours := promotion.Comment{ID: answer, Issue: pull, Pull: true, Body: "Held.", URL: page("pull", pull, answer), Author: "promobot[bot]", Bot: true, ByApp: true, Created: at(2)}
	lists := []struct {
		name string
		read func() ([]promotion.Comment, error)
		want []promotion.Comment
	}{
		{"all", func() ([]promotion.Comment, error) { return w.repo.CommentsSince(ctx, time.Time{}) }, []promotion.Comment{ritas, monas, ours}},
		{"since", func() ([]promotion.Comment, error) { return w.repo.CommentsSince(ctx, at(2)) }, []promotion.Comment{ritas, ours}},
		{"later", func() ([]promotion.Comment, error) { return w.repo.CommentsSince(ctx, at(3)) }, nil},
		{"of one", func() ([]promotion.Comment, error) { return w.repo.CommentsOn(ctx, issue, at(0)) }, []promotion.Comment{monas}},
		{"of one, later", func() ([]promotion.Comment, error) { return w.repo.CommentsOn(ctx, issue, at(2)) }, nil},
	}
	for _, l := range lists {
		got, err := l.read()
		w.must(err)
		if diff := cmp.Diff(l.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", l.name, diff)
		}
	}
	got, err := w.repo.Comment(ctx, first)
	w.must(err)
	if diff := cmp.Diff(ritas, got); diff != "" {
		t.Errorf("comment (-want +got):\n%s", diff)
	}
	w.must(w.DeleteComment(shop, "rita", first))
	for name, err := range map[string]error{
		"read": func() error { _, err := w.repo.Comment(ctx, first); return err }(),
		"edit": w.repo.EditComment(ctx, first, "x"), "react": w.repo.React(ctx, first, "eyes"),
		"list":  func() error { _, err := w.repo.CommentsOn(ctx, 999, begun); return err }(),
		"write": func() error { _, err := w.repo.WriteComment(ctx, 999, "x"); return err }(),
	} {
		if kind(err) != "not found" {
			t.Errorf("%s: %v, want not found", name, err)
		}
	}
}

func TestCommentsOnSeveralPages(t *testing.T) {
	w, pull, _ := talking(t, nil)
	var want []int64
	for i := range 205 {
		want = append(want, w.say("rita", pull, fmt.Sprint(i)))
	}
	for _, read := range []func() ([]promotion.Comment, error){
		func() ([]promotion.Comment, error) { return w.repo.CommentsSince(t.Context(), w.clock.Now()) },
		func() ([]promotion.Comment, error) { return w.repo.CommentsOn(t.Context(), pull, w.clock.Now()) },
	} {
		list, err := read()
		w.must(err)
		var got []int64
		for _, c := range list {
			got = append(got, c.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d comments, want all %d in their order", len(got), len(want))
		}
	}
}

// A reaction is shown once however often it is asked for, and others' are not
// taken for ours.
func TestReactions(t *testing.T) {
	w, pull, _ := talking(t, nil)
	ctx := t.Context()
	id := w.say("mona", pull, "/promobot status")
	reacted := func() bool {
		t.Helper()
		c, err := w.repo.Comment(ctx, id)
		w.must(err)
		return c.Reacted
	}
	w.must(w.ReactTo(shop, "rita", id, "eyes"))
	if reacted() {
		t.Error("rita's reaction is taken for promobot's")
	}
	for range 2 {
		w.must(w.repo.React(ctx, id, "eyes"))
	}
	w.must(w.repo.React(ctx, id, "+1"))
	if !reacted() {
		t.Error("promobot's reaction is not seen")
	}
	list, err := w.Comments(shop, pull)
	w.must(err)
	if diff := cmp.Diff([]string{"rita eyes", "promobot[bot] eyes", "promobot[bot] +1"}, list[0].Reactions); diff != "" {
		t.Errorf("reactions (-want +got):\n%s", diff)
	}
}

func TestCommentsAreWritten(t *testing.T) {
	w, pull, issue := talking(t, nil)
	ctx := t.Context()
	id, err := w.repo.WriteComment(ctx, pull, "one")
	w.must(err)
	w.must(w.repo.EditComment(ctx, id, strings.Repeat("é", 40000)))
	list, err := w.Comments(shop, pull)
	w.must(err)
	if len(list) != 1 || !strings.HasSuffix(list[0].Body, "GitHub shows no more.\n") || len(list[0].Body) > 65536 {
		t.Errorf("comments %d, the first of %d bytes", len(list), len(list[0].Body))
	}
	if _, err := w.repo.WriteComment(ctx, pull, ""); kind(err) != "refused" {
		t.Errorf("an empty comment: %v", err)
	}
	if _, err := w.repo.CommentsOn(ctx, 0, time.Time{}); kind(err) != "refused" {
		t.Errorf("the comments on nothing: %v", err)
	}
	said := w.say("rita", issue, "/promobot help")
	_, err = w.repo.WriteComment(ctx, issue, "help")
	for name, err := range map[string]error{"commenting": err, "editing": w.repo.EditComment(ctx, said, "x"), "reacting": w.repo.React(ctx, said, "eyes")} {
		refusedWith(t, "issues: write", err)
		if err != nil && !strings.Contains(err.Error(), "not accessible by integration") {
			t.Errorf("%s: %v, without GitHub's words", name, err)
		}
	}
}

func TestPermissions(t *testing.T) {
	w, _, _ := talking(t, nil)
	w.must(w.CreateUser("tom_corp"))
	w.must(w.CreateUser("sue"))
	w.must(w.SetRole(shop, "sue", "triage"))
	w.must(w.CreateUser("cara"))
	w.must(w.SetCustomRole(shop, "cara", "release-manager", "write"))
	bot := w.otherApp("argocd")
	for login, want := range map[string]promotion.Permission{
		"olga":       {Role: "admin", Folded: "admin"},
		"MONA":       {Role: "maintain", Folded: "write"},
		"sue":        {Role: "triage", Folded: "read"},
		"rita":       {Role: "read", Folded: "read"},
		"cara":       {Role: "release-manager", Folded: "write"},
		"tom_corp":   {Role: "none", Folded: "none"},
		"nobody":     {Role: "none", Folded: "none"},
		bot:          {Role: "none", Folded: "none"},
		"../../olga": {Role: "none", Folded: "none"},
		"":           {Role: "none", Folded: "none"},
	} {
		got, err := w.repo.Permission(t.Context(), login)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", login, err, diff)
		}
	}
	w.must(w.DeleteRepository(shop))
	if got, err := w.repo.Permission(t.Context(), "olga"); err == nil {
		t.Errorf("of a repository that is gone: %+v", got)
	}
}

func TestTeams(t *testing.T) {
	w, _, _ := talking(t, map[string]string{"members": "read"})
	w.must(w.CreateTeam("acme", "On Call", "mona"))
	w.must(w.SetTeamMember("acme", "on-call", "rita", githubsim.PendingMember))
	w.must(w.SetTeamMember("acme", "on-call", "olga", githubsim.TeamMaintainer))
	tests := []struct {
		name, login, team string
		in                bool
		want              string
	}{
		{"a member", "mona", "acme/on-call", true, "none"},
		{"a maintainer, in other letters", "Olga", "ACME/On-Call", true, "none"},
		{"with an at sign", "mona", "@acme/on-call", true, "none"},
		{"invited only", "rita", "acme/on-call", false, "none"},
		{"nobody", "nobody", "acme/on-call", false, "none"},
		{"no login", "../mona", "acme/on-call", false, "none"},
		{"no such team", "mona", "acme/gone", false, "none"},
		{"another organisation's", "mona", "beta/on-call", false, "refused"},
		{"no team", "mona", "on-call", false, "refused"},
		{"a path", "mona", "acme/../orgs", false, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := w.repo.InTeam(t.Context(), tt.login, tt.team)
			if in != tt.in || kind(err) != tt.want {
				t.Errorf("%v, %v; want %v, %s", in, err, tt.in, tt.want)
			}
		})
	}
}
