package githubsim_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestPeopleComment(t *testing.T) {
	w := newWorld(t)
	w.branchWith("b", file("a.txt", "1\n"))
	number := w.pull("b").GetNumber()
	w.drained()
	id, err := w.WriteComment("acme/shop", "rita", number, "/promobot hold qa")
	w.must(err)
	w.must(w.EditComment("acme/shop", "rita", id, "/promobot hold prod"))
	w.must(w.EditComment("acme/shop", "mona", id, "by who may write"))
	w.must(w.ReactTo("acme/shop", "mona", id, "eyes"))
	w.must(w.ReactTo("acme/shop", "mona", id, "eyes"))
	bots, err := w.WriteComment("acme/shop", "promobot[bot]", number, "done")
	w.must(err)
	got, err := w.Comments("acme/shop", number)
	w.must(err)
	want := []githubsim.CommentState{
		{ID: id, Author: "rita", Body: "by who may write", Reactions: []string{"mona eyes"}},
		{ID: bots, Author: "promobot[bot]", Body: "done"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
	if err := w.EditComment("acme/shop", "rita", bots, "mine now"); err == nil {
		t.Error("a reader edited what another wrote")
	}
	if err := w.ReactTo("acme/shop", "rita", id, "shrug"); err == nil {
		t.Error("GitHub knows no such reaction")
	}
	w.must(w.DeleteComment("acme/shop", "rita", id))
	if _, err := w.WriteComment("acme/shop", "rita", 99, "x"); err == nil {
		t.Error("a comment on nothing")
	}
	if diff := cmp.Diff([]string{
		"issue_comment created", "issue_comment edited", "issue_comment edited", "issue_comment created", "issue_comment deleted",
	}, names(w.drained())); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
}

func TestOthersDeploy(t *testing.T) {
	w := newWorld(t)
	argo, err := w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "argocd", Permissions: map[string]string{"deployments": "write"}})
	w.must(err)
	_, err = w.Install(argo.ID, "acme")
	w.must(err)
	w.drained()
	id, err := w.Deploy("acme/shop", "argocd[bot]", githubsim.DeployOptions{Ref: w.head, Environment: "qa"})
	w.must(err)
	w.must(w.SetDeployment("acme/shop", "argocd[bot]", id, githubsim.DeployStatus{State: "success", Description: "synced", LogURL: "https://argo.example.com/1"}))
	if err := w.SetDeployment("acme/shop", "argocd[bot]", id, githubsim.DeployStatus{State: "fine"}); err == nil {
		t.Error("GitHub knows no such state")
	}
	if _, err := w.Deploy("acme/shop", "argocd[bot]", githubsim.DeployOptions{Ref: "gone", Environment: "qa"}); err == nil {
		t.Error("deployed what is not there")
	}
	list, _, err := w.bot.Repositories.ListDeployments(t.Context(), "acme", "shop", &github.DeploymentsListOptions{SHA: w.head})
	w.must(err)
	if len(list) != 1 || list[0].GetCreator().GetLogin() != "argocd[bot]" || list[0].GetEnvironment() != "qa" {
		t.Errorf("deployments %v, want one to qa by argocd[bot]", list)
	}
	if diff := cmp.Diff([]string{"deployment created", "deployment_status created"}, names(w.drained())); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
}

func TestTeamsAndRoles(t *testing.T) {
	w := newWorld(t)
	w.must(w.CreateTeam("acme", "On call", "mona"))
	for _, tt := range []struct {
		login string
		as    githubsim.TeamMembership
		want  string
	}{
		{"mona", githubsim.ActiveMember, "active member"},
		{"mona", githubsim.TeamMaintainer, "active maintainer"},
		{"rita", githubsim.PendingMember, "pending member"},
		{"mona", githubsim.NoMember, ""},
	} {
		w.must(w.SetTeamMember("acme", "on-call", tt.login, tt.as))
		got := ""
		m, resp, err := w.bot.Teams.GetTeamMembershipBySlug(t.Context(), "acme", "on-call", tt.login)
		if err == nil {
			got = m.GetState() + " " + m.GetRole()
		} else if statusOf(resp) != 404 {
			t.Error(err)
		}
		if got != tt.want {
			t.Errorf("%s as %s is %q, want %q", tt.login, tt.as, got, tt.want)
		}
	}
	role := func() string {
		var answer struct {
			Permission string `json:"permission"`
			RoleName   string `json:"role_name"`
		}
		req, err := w.bot.NewRequest("GET", "repos/acme/shop/collaborators/rita/permission", nil)
		w.must(err)
		_, err = w.bot.Do(t.Context(), req, &answer)
		w.must(err)
		return answer.RoleName + " " + answer.Permission
	}
	w.must(w.SetCustomRole("acme/shop", "rita", "release-manager", "maintain"))
	if got := role(); got != "release-manager write" {
		t.Errorf("with a custom role: %s", got)
	}
	w.must(w.SetRole("acme/shop", "rita", "triage"))
	if got := role(); got != "triage read" {
		t.Errorf("with a role of GitHub's after it: %s", got)
	}
}
