package githubsim

// Accounts and repositories as GitHub shows them. The many URLs of a
// repository are required by its description, so they are all here.

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"
)

// stamp is a time as GitHub writes it; null for none.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// nodeID is the id of an object in GraphQL.
func nodeID(kind string, id any) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%03d:%s%v", len(kind), kind, id))
}

// orNull is null for an empty string.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// escapePath escapes each segment of a path, keeping its slashes.
func escapePath(path string) string {
	segments := strings.Split(path, "/")
	for i, seg := range segments {
		segments[i] = url.PathEscape(seg)
	}
	return strings.Join(segments, "/")
}

// api is a URL of the REST API.
func (s *Server) api(format string, args ...any) string {
	return s.url + "/api/v3" + fmt.Sprintf(format, args...)
}

// api is a URL of the repository in the REST API.
func (r *repository) api(s *Server, format string, args ...any) string {
	return s.url + "/api/v3/repos/" + r.fullName() + fmt.Sprintf(format, args...)
}

// html is a URL of one of the repository's pages.
func (r *repository) html(s *Server, format string, args ...any) string {
	return s.url + "/" + r.fullName() + fmt.Sprintf(format, args...)
}

// userOrNull is a user or null.
func (s *Server) userOrNull(u *user) any {
	if u == nil {
		return nil
	}
	return s.userJSON(u)
}

// userJSON is a simple-user.
func (s *Server) userJSON(u *user) obj {
	login := url.PathEscape(u.login)
	self := s.url + "/api/v3/users/" + login
	page := s.url + "/" + login
	if u.kind == kindBot {
		page = s.url + "/apps/" + strings.TrimSuffix(login, "%5Bbot%5D")
	}
	return obj{
		"login":               u.login,
		"id":                  u.id,
		"node_id":             nodeID(u.kind, u.id),
		"avatar_url":          fmt.Sprintf("%s/avatars/u/%d", s.url, u.id),
		"gravatar_id":         "",
		"url":                 self,
		"html_url":            page,
		"followers_url":       self + "/followers",
		"following_url":       self + "/following{/other_user}",
		"gists_url":           self + "/gists{/gist_id}",
		"starred_url":         self + "/starred{/owner}{/repo}",
		"subscriptions_url":   self + "/subscriptions",
		"organizations_url":   self + "/orgs",
		"repos_url":           self + "/repos",
		"events_url":          self + "/events{/privacy}",
		"received_events_url": self + "/received_events",
		"type":                u.kind,
		"user_view_type":      "public",
		"site_admin":          false,
	}
}

// organizationJSON is an organization-simple, as webhooks carry it.
func (s *Server) organizationJSON(u *user) obj {
	self := s.url + "/api/v3/orgs/" + url.PathEscape(u.login)
	return obj{
		"login":              u.login,
		"id":                 u.id,
		"node_id":            nodeID(u.kind, u.id),
		"url":                self,
		"repos_url":          self + "/repos",
		"events_url":         self + "/events",
		"hooks_url":          self + "/hooks",
		"issues_url":         self + "/issues",
		"members_url":        self + "/members{/member}",
		"public_members_url": self + "/public_members{/member}",
		"avatar_url":         fmt.Sprintf("%s/avatars/u/%d", s.url, u.id),
		"description":        u.name,
	}
}

// repositoryURLs are the parts below a repository's own URL.
var repositoryURLs = map[string]string{
	"archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}",
	"blobs_url": "/git/blobs{/sha}", "branches_url": "/branches{/branch}",
	"collaborators_url": "/collaborators{/collaborator}", "comments_url": "/comments{/number}",
	"commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
	"contents_url": "/contents/{+path}", "contributors_url": "/contributors",
	"deployments_url": "/deployments", "downloads_url": "/downloads", "events_url": "/events",
	"forks_url": "/forks", "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}",
	"git_tags_url": "/git/tags{/sha}", "hooks_url": "/hooks",
	"issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
	"issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}",
	"languages_url": "/languages", "merges_url": "/merges", "milestones_url": "/milestones{/number}",
	"notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
	"releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
	"subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags",
	"teams_url": "/teams", "trees_url": "/git/trees{/sha}",
}

// repositoryJSON is a repository with all its fields.
func (s *Server) repositoryJSON(r *repository) obj {
	self, page := r.api(s, ""), r.html(s, "")
	host := strings.TrimPrefix(strings.TrimPrefix(s.url, "http://"), "https://")
	open := 0
	for _, i := range r.issues {
		if !i.closed {
			open++
		}
	}
	out := make(obj, 110)
	for name, tail := range repositoryURLs {
		out[name] = self + tail
	}
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	maps.Copy(out, (obj{
		"id": r.id, "node_id": nodeID("Repository", r.id), "name": r.name, "full_name": r.fullName(),
		"private": r.private, "visibility": visibility, "owner": s.userJSON(r.owner),
		"description": orNull(r.description), "fork": false, "url": self, "html_url": page,
		"git_url": "git://" + host + "/" + r.fullName() + ".git", "ssh_url": "git@" + host + ":" + r.fullName() + ".git",
		"clone_url": page + ".git", "svn_url": page, "mirror_url": nil, "homepage": nil, "language": nil,
		"license": nil, "forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0,
		"size": 0, "default_branch": r.defaultBranch, "open_issues": open, "open_issues_count": open,
		"is_template": false, "topics": []string{}, "has_issues": true, "has_projects": true, "has_wiki": false,
		"has_pages": false, "has_downloads": true, "has_discussions": false, "archived": r.archived,
		"disabled": false, "pushed_at": stamp(r.pushedAt), "created_at": stamp(r.createdAt),
		"updated_at": stamp(r.updatedAt), "allow_forking": true, "web_commit_signoff_required": false,
	}))
	return out
}

// repositoryHookJSON is a repository as webhooks carry it.
func (s *Server) repositoryHookJSON(r *repository) obj { return s.repositoryJSON(r) }

// mergeSettings are the fields that only those who may push see.
func (r *repository) mergeSettings() obj {
	return obj{
		"allow_merge_commit": r.allowMerge, "allow_squash_merge": r.allowSquash, "allow_rebase_merge": r.allowRebase,
		"allow_auto_merge": r.allowAutoMerge, "delete_branch_on_merge": r.deleteBranchOnMerge,
		"allow_update_branch": r.allowUpdateBranch, "use_squash_pr_title_as_default": false,
		"squash_merge_commit_title": "COMMIT_OR_PR_TITLE", "squash_merge_commit_message": "COMMIT_MESSAGES",
		"merge_commit_title": "MERGE_MESSAGE", "merge_commit_message": "PR_TITLE",
	}
}
