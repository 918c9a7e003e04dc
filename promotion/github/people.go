package github

// What people may do ("Get repository permissions for a user"; "Get team
// membership for a user"). GitHub's habits: permission folds maintain into write
// and triage into read; role_name may be a custom role's; a member who was
// invited and has not accepted is pending; 404 means no member and no team alike.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/promobot/promobot/promotion"
)

const nothing = "none"

var (
	// accountName is what GitHub allows as a login: of people, of an enterprise's
	// managed users (with _) and of Apps.
	accountName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\[bot\])?$`)
	// teamName is organisation/team, the team by its slug.
	teamName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
)

// Permission is what someone may do in the repository. Whoever GitHub does not
// know as a user, an App's bot among them, may do nothing.
func (r *Repository) Permission(ctx context.Context, login string) (promotion.Permission, error) {
	doing := fmt.Sprintf("reading what %q may do", cutLine(login, 100))
	none := promotion.Permission{Role: nothing, Folded: nothing}
	if !accountName.MatchString(login) {
		return none, nil
	}
	req, err := r.client.NewRequest(http.MethodGet, r.below("collaborators/"+url.PathEscape(login)+"/permission"), nil)
	if err != nil {
		return promotion.Permission{}, fmt.Errorf("%s: %w", doing, err)
	}
	var answer struct {
		Permission string   `json:"permission"`
		RoleName   string   `json:"role_name"`
		User       *account `json:"user"`
	}
	_, err = r.client.Do(ctx, req, &answer)
	switch err = r.certain(ctx, doing, err); {
	case errors.Is(err, promotion.ErrNotFound):
		return none, nil
	case err != nil:
		return promotion.Permission{}, err
	case answer.User != nil && !strings.EqualFold(answer.User.Login, login):
		return promotion.Permission{}, fmt.Errorf("%s: GitHub answered for %q", doing, cutLine(answer.User.Login, 100))
	case answer.Permission == "":
		return promotion.Permission{}, fmt.Errorf("%s: GitHub's answer names no permission", doing)
	}
	return promotion.Permission{Role: cmp.Or(answer.RoleName, answer.Permission), Folded: answer.Permission}, nil
}

// InTeam says whether someone is an active member of a team, organisation/slug;
// of a team that there is not, nobody is. *promotion.RefusedError: the App may
// not see the organisation's teams.
func (r *Repository) InTeam(ctx context.Context, login, team string) (bool, error) {
	doing := fmt.Sprintf("asking whether %q is in the team %q", cutLine(login, 100), cutLine(team, 100))
	team = strings.TrimPrefix(team, "@")
	if !teamName.MatchString(team) {
		return false, refusal(doing, "a team is named as organisation/team")
	}
	if !accountName.MatchString(login) {
		return false, nil
	}
	org, slug, _ := strings.Cut(team, "/")
	if owner, _ := r.Address(); !strings.EqualFold(owner, org) {
		return false, refusal(doing, fmt.Sprintf("promobot sees the teams of %s alone, whose repository this is", owner))
	}
	if err := r.may(ctx, doing, membersGranted, "read", "see who is in a team", "organization members"); err != nil {
		return false, err
	}
	req, err := r.client.NewRequest(http.MethodGet,
		fmt.Sprintf("orgs/%s/teams/%s/memberships/%s", url.PathEscape(org), url.PathEscape(slug), url.PathEscape(login)), nil)
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	var answer struct {
		State string `json:"state"`
	}
	_, err = r.client.Do(ctx, req, &answer)
	switch err = r.certain(ctx, doing, err); {
	case errors.Is(err, promotion.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case answer.State == "":
		return false, fmt.Errorf("%s: GitHub's answer does not say", doing)
	}
	return answer.State == "active", nil
}
