package githubsim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
)

func TestStatuses(t *testing.T) {
	w := newWorld(t)
	w.drained()
	post := func(context, state string) {
		t.Helper()
		_, _, err := w.bot.Repositories.CreateStatus(t.Context(), "acme", "shop", w.head, &github.RepoStatus{
			State: &state, Context: &context, Description: new("d"), TargetURL: new("https://ci.example.com/1"),
		})
		w.must(err)
	}
	combined := func() string {
		t.Helper()
		got, _, err := w.bot.Repositories.GetCombinedStatus(t.Context(), "acme", "shop", "main", nil)
		w.must(err)
		return fmt.Sprintf("%s %d", got.GetState(), got.GetTotalCount())
	}
	steps := []struct {
		name           string
		context, state string
		want           string
	}{
		{name: "one pending", context: "a", state: "pending", want: "pending 1"},
		{name: "the same passes", context: "a", state: "success", want: "success 1"},
		{name: "another fails", context: "b", state: "error", want: "failure 2"},
		{name: "a third is pending", context: "c", state: "pending", want: "failure 3"},
	}
	if got := combined(); got != "pending 0" {
		t.Errorf("combined %q without statuses, want pending 0: absence is not green", got)
	}
	for _, step := range steps {
		post(step.context, step.state)
		if got := combined(); got != step.want {
			t.Errorf("%s: combined %q, want %q", step.name, got, step.want)
		}
	}
	all, _, err := w.bot.Repositories.ListStatuses(t.Context(), "acme", "shop", w.head, &github.ListOptions{PerPage: 2})
	w.must(err)
	if len(all) != 2 || all[0].GetContext() != "c" {
		t.Errorf("statuses %v, want the two newest, c first", all)
	}
	if diff := cmp.Diff([]string{"status", "status", "status", "status"}, names(w.drained())); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
	_, resp, _ := w.bot.Repositories.CreateStatus(t.Context(), "acme", "shop", strings.Repeat("1", 40), &github.RepoStatus{State: new("success")})
	if statusOf(resp) != 422 {
		t.Errorf("a status of an unknown commit: %d, want 422", statusOf(resp))
	}
}

func TestDeployments(t *testing.T) {
	w := newWorld(t)
	w.drained()
	deploy := func() *github.Deployment {
		t.Helper()
		d, _, err := w.bot.Repositories.CreateDeployment(t.Context(), "acme", "shop", &github.DeploymentRequest{
			Ref: new("main"), AutoMerge: new(false), RequiredContexts: &[]string{},
			Environment: new("qa"), Payload: map[string]string{"a": "b"},
		})
		w.must(err)
		return d
	}
	finish := func(d *github.Deployment) {
		t.Helper()
		_, _, err := w.bot.Repositories.CreateDeploymentStatus(t.Context(), "acme", "shop", d.GetID(), &github.DeploymentStatusRequest{
			State: new("success"), EnvironmentURL: new("https://qa.example.com"), Description: new("up"),
		})
		w.must(err)
	}
	first := deploy()
	finish(first)
	finish(deploy())
	if diff := cmp.Diff([]string{
		"deployment created", "deployment_status created", "deployment created", "deployment_status created", "deployment_status created",
	}, names(w.drained())); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
	statuses, _, err := w.bot.Repositories.ListDeploymentStatuses(t.Context(), "acme", "shop", first.GetID(), nil)
	w.must(err)
	if len(statuses) != 2 || statuses[0].GetState() != "inactive" {
		t.Errorf("statuses of the first %v, want it inactive since the second succeeded", statuses)
	}
	list, _, err := w.bot.Repositories.ListDeployments(t.Context(), "acme", "shop", &github.DeploymentsListOptions{Environment: "qa", SHA: w.head})
	w.must(err)
	if len(list) != 2 || list[1].GetID() != first.GetID() {
		t.Errorf("deployments %v, want two, the newest first", list)
	}
	w.check("build", "completed", "failure")
	_, resp, _ := w.bot.Repositories.CreateDeployment(t.Context(), "acme", "shop", &github.DeploymentRequest{Ref: new("main"), AutoMerge: new(false)})
	if statusOf(resp) != 409 {
		t.Errorf("deploying with a failed check and required_contexts not empty: %d, want 409", statusOf(resp))
	}
}

func TestCommentsAndReactions(t *testing.T) {
	w := newWorld(t)
	mona, rita := w.UserClient("mona"), w.UserClient("rita")
	issue, _, err := mona.Issues.Create(t.Context(), "acme", "shop", &github.IssueRequest{
		Title: new("Promote"), Labels: &[]string{"promotion"}, Assignees: &[]string{"mona", "nobody"},
	})
	w.must(err)
	if len(issue.Labels) != 1 || len(issue.Assignees) != 1 {
		t.Errorf("issue with labels %v and assignees %v, want one each", issue.Labels, issue.Assignees)
	}
	n := issue.GetNumber()
	w.drained()
	first, _, err := rita.Issues.CreateComment(t.Context(), "acme", "shop", n, &github.IssueComment{Body: new("/hold")})
	w.must(err)
	if first.GetAuthorAssociation() != "COLLABORATOR" {
		t.Errorf("association %q of a reader, want COLLABORATOR", first.GetAuthorAssociation())
	}
	w.clock.advance(time.Minute)
	inside, err := w.Comments("acme/shop", n)
	w.must(err)
	if len(inside) != 1 || inside[0].Body != "/hold" || inside[0].Author != "rita" {
		t.Errorf("comments %+v, want /hold by rita", inside)
	}
	since := w.clock.Now().Truncate(time.Second)
	second, _, err := w.bot.Issues.CreateComment(t.Context(), "acme", "shop", n, &github.IssueComment{Body: new("Held.")})
	w.must(err)
	_, resp, err := w.bot.Reactions.CreateIssueCommentReaction(t.Context(), "acme", "shop", first.GetID(), "eyes")
	w.must(err)
	_, again, err := w.bot.Reactions.CreateIssueCommentReaction(t.Context(), "acme", "shop", first.GetID(), "eyes")
	w.must(err)
	if statusOf(resp) != 201 || statusOf(again) != 200 {
		t.Errorf("reacting twice: %d and %d, want 201 and 200", statusOf(resp), statusOf(again))
	}
	list, _, err := w.bot.Issues.ListComments(t.Context(), "acme", "shop", n, &github.IssueListCommentsOptions{Since: &since})
	w.must(err)
	if len(list) != 1 || list[0].GetID() != second.GetID() {
		t.Errorf("comments since %v: %v, want only the second", since, list)
	}
	all, _, err := w.bot.Issues.ListComments(t.Context(), "acme", "shop", 0, &github.IssueListCommentsOptions{Sort: new("updated"), Direction: new("desc")})
	w.must(err)
	if len(all) != 2 || all[0].GetID() != second.GetID() || all[1].Reactions.GetEyes() != 1 {
		t.Errorf("comments of the repository %v, want both, the second first", all)
	}
	_, resp, _ = rita.Issues.EditComment(t.Context(), "acme", "shop", second.GetID(), &github.IssueComment{Body: new("mine now")})
	if statusOf(resp) != 403 {
		t.Errorf("a reader edits the bot's comment: %d, want 403", statusOf(resp))
	}
	_, _, err = w.bot.Issues.EditComment(t.Context(), "acme", "shop", second.GetID(), &github.IssueComment{Body: new("Held by rita.")})
	w.must(err)
	_, err = rita.Issues.DeleteComment(t.Context(), "acme", "shop", first.GetID())
	w.must(err)
	got := w.drained()
	if diff := cmp.Diff([]string{"issue_comment created", "issue_comment created", "issue_comment edited", "issue_comment deleted"}, names(got)); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
	_, resp, err = rita.Issues.CreateComment(t.Context(), "acme", "shop", n, &github.IssueComment{Body: new(strings.Repeat("x", 65537))})
	if statusOf(resp) != 422 || !strings.Contains(err.Error(), "body is too long (maximum is 65536 characters)") {
		t.Errorf("a long comment: %d %v, want 422", statusOf(resp), err)
	}
	_, resp, _ = w.UserClient("tom").Issues.ListComments(t.Context(), "acme", "shop", n, nil)
	if statusOf(resp) != 404 {
		t.Errorf("a stranger lists comments of a private repository: %d, want 404", statusOf(resp))
	}
}

func TestIssueClosedBy(t *testing.T) {
	w := newWorld(t)
	mona := w.UserClient("mona")
	issue, _, err := mona.Issues.Create(t.Context(), "acme", "shop", &github.IssueRequest{Title: new("Promote")})
	w.must(err)
	_, _, err = mona.Issues.Edit(t.Context(), "acme", "shop", issue.GetNumber(), &github.IssueRequest{State: new("closed")})
	w.must(err)
	got, _, err := w.bot.Issues.Get(t.Context(), "acme", "shop", issue.GetNumber())
	w.must(err)
	if got.GetState() != "closed" || got.GetClosedBy().GetLogin() != "mona" {
		t.Errorf("issue %s closed by %q, want closed by mona", got.GetState(), got.GetClosedBy().GetLogin())
	}
}

func TestLabels(t *testing.T) {
	w := newWorld(t)
	issue, _, err := w.bot.Issues.Create(t.Context(), "acme", "shop", &github.IssueRequest{Title: new("x")})
	w.must(err)
	n := issue.GetNumber()
	_, _, err = w.bot.Issues.CreateLabel(t.Context(), "acme", "shop", &github.Label{Name: new("bug: yes/no"), Color: new("ff0000")})
	w.must(err)
	_, resp, _ := w.bot.Issues.CreateLabel(t.Context(), "acme", "shop", &github.Label{Name: new("BUG: yes/no")})
	if statusOf(resp) != 422 {
		t.Errorf("a label twice: %d, want 422", statusOf(resp))
	}
	_, _, err = w.bot.Issues.AddLabelsToIssue(t.Context(), "acme", "shop", n, []string{"bug: yes/no", "fresh"})
	w.must(err)
	_, err = w.bot.Issues.RemoveLabelForIssue(t.Context(), "acme", "shop", n, "fresh")
	w.must(err)
	resp, _ = w.bot.Issues.RemoveLabelForIssue(t.Context(), "acme", "shop", n, "fresh")
	if statusOf(resp) != 404 {
		t.Errorf("removing a label twice: %d, want 404", statusOf(resp))
	}
	list, _, err := w.bot.Issues.ListLabels(t.Context(), "acme", "shop", nil)
	w.must(err)
	var got []string
	for _, l := range list {
		got = append(got, l.GetName())
	}
	if diff := cmp.Diff([]string{"bug: yes/no", "fresh"}, got); diff != "" {
		t.Errorf("labels of the repository (-want +got):\n%s", diff)
	}
	replaced, _, err := w.bot.Issues.ReplaceLabelsForIssue(t.Context(), "acme", "shop", n, []string{"fresh"})
	w.must(err)
	if len(replaced) != 1 || replaced[0].GetName() != "fresh" {
		t.Errorf("labels %v, want fresh only", replaced)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	w.must(w.SetCustomRole("acme/shop", "tom", "deployer", "write"))
	tests := []struct{ login, permission, role string }{
		{"olga", "admin", "admin"},
		{"mona", "write", "maintain"},
		{"rita", "read", "read"},
		{"tom", "write", "deployer"},
	}
	for _, tt := range tests {
		t.Run(tt.login, func(t *testing.T) {
			got, _, err := w.bot.Repositories.GetPermissionLevel(t.Context(), "acme", "shop", tt.login)
			w.must(err)
			if got.GetPermission() != tt.permission || got.GetUser().GetRoleName() != tt.role {
				t.Errorf("permission %q, role %q, want %q and %q", got.GetPermission(), got.GetUser().GetRoleName(), tt.permission, tt.role)
			}
		})
	}
	people, _, err := w.bot.Repositories.ListCollaborators(t.Context(), "acme", "shop", &github.ListCollaboratorsOptions{Permission: "push"})
	w.must(err)
	var got []string
	for _, u := range people {
		got = append(got, u.GetLogin())
	}
	if diff := cmp.Diff([]string{"olga", "mona", "tom"}, got); diff != "" {
		t.Errorf("who may push (-want +got):\n%s", diff)
	}
	w.must(w.CreateTeam("acme", "Release managers", "mona"))
	for login, want := range map[string]int{"mona": 200, "rita": 404} {
		_, resp, _ := w.bot.Teams.GetTeamMembershipBySlug(t.Context(), "acme", "release-managers", login)
		if statusOf(resp) != want {
			t.Errorf("membership of %s: %d, want %d", login, statusOf(resp), want)
		}
	}
	_, _, err = w.bot.Teams.GetTeamBySlug(t.Context(), "acme", "release-managers")
	w.must(err)
	m, _, err := w.bot.Organizations.GetOrgMembership(t.Context(), "olga", "acme")
	w.must(err)
	if m.GetRole() != "admin" {
		t.Errorf("olga is %q, want admin", m.GetRole())
	}
}

func TestReleasesAndTags(t *testing.T) {
	w := newWorld(t)
	w.drained()
	mona, rita := w.UserClient("mona"), w.UserClient("rita")
	draft, _, err := mona.Repositories.CreateRelease(t.Context(), "acme", "shop", &github.RepositoryRelease{
		TagName: new("v1.0.0"), Name: new("One"), Draft: new(true),
	})
	w.must(err)
	if list, _, err := rita.Repositories.ListReleases(t.Context(), "acme", "shop", nil); err != nil || len(list) != 0 {
		t.Errorf("a reader sees the draft: %v, %v", list, err)
	}
	_, _, err = mona.Repositories.EditRelease(t.Context(), "acme", "shop", draft.GetID(), &github.RepositoryRelease{Draft: new(false)})
	w.must(err)
	_, _, err = mona.Repositories.CreateRelease(t.Context(), "acme", "shop", &github.RepositoryRelease{TagName: new("v1.1.0-rc1"), Prerelease: new(true)})
	w.must(err)
	if diff := cmp.Diff([]string{
		"release created", "create", "push", "release published", "release released",
		"create", "push", "release created", "release published", "release prereleased",
	}, names(w.drained())); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
	latest, _, err := rita.Repositories.GetLatestRelease(t.Context(), "acme", "shop")
	w.must(err)
	if latest.GetTagName() != "v1.0.0" {
		t.Errorf("latest %q, want v1.0.0: a pre-release is none", latest.GetTagName())
	}
	_, _, err = rita.Repositories.GetReleaseByTag(t.Context(), "acme", "shop", "v1.1.0-rc1")
	w.must(err)
	tags, _, err := rita.Repositories.ListTags(t.Context(), "acme", "shop", nil)
	w.must(err)
	if len(tags) != 2 || tags[0].GetName() != "v1.1.0-rc1" || tags[1].GetCommit().GetSHA() != w.head {
		t.Errorf("tags %v, want both at %s", tags, w.head)
	}
	_, resp, _ := mona.Repositories.CreateRelease(t.Context(), "acme", "shop", &github.RepositoryRelease{TagName: new("v1.0.0")})
	if statusOf(resp) != 422 {
		t.Errorf("a second release of a tag: %d, want 422", statusOf(resp))
	}
	_, resp, _ = mona.Repositories.CreateRelease(t.Context(), "acme", "shop", &github.RepositoryRelease{TagName: new("no..tag")})
	if statusOf(resp) != 422 {
		t.Errorf("an impossible tag: %d, want 422", statusOf(resp))
	}
}

func TestRepositoryDispatch(t *testing.T) {
	ten := json.RawMessage(`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1}`)
	big := json.RawMessage(`{"k":"` + strings.Repeat("x", 64<<10) + `"}`)
	tests := []struct {
		name    string
		payload *json.RawMessage
		want    int
	}{
		{name: "with a payload", payload: &ten, want: 204},
		{name: "without", want: 204},
		{name: "over 64 KB", payload: &big, want: 422},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.drained()
			_, resp, _ := w.bot.Repositories.Dispatch(t.Context(), "acme", "shop", github.DispatchRequestOptions{EventType: "promote", ClientPayload: tt.payload})
			if statusOf(resp) != tt.want {
				t.Errorf("answer %d, want %d", statusOf(resp), tt.want)
			}
			wanted := []string{}
			if tt.want == 204 {
				wanted = []string{"repository_dispatch promote"}
			}
			if diff := cmp.Diff(wanted, names(w.drained())); diff != "" {
				t.Errorf("webhooks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepositoryDispatchRefusesManyKeys(t *testing.T) {
	w := looseWorld(t)
	payload := json.RawMessage(`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1}`)
	_, resp, err := w.bot.Repositories.Dispatch(t.Context(), "acme", "shop", github.DispatchRequestOptions{EventType: "promote", ClientPayload: &payload})
	if statusOf(resp) != 422 || !strings.Contains(err.Error(), "No more than 10 properties are allowed; 11 were supplied.") {
		t.Errorf("answer %d %v, want 422", statusOf(resp), err)
	}
}
