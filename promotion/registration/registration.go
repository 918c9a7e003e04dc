// Package registration is what promobot's GitHub App is registered with: its
// permissions and events, each with its reason, in one list that the manifest,
// the documents and the doctor share.
//
// It is pure. GitHub's names are those of "Permissions required for GitHub Apps"
// and "Webhook events and payloads" (GitHub Docs).
package registration

import (
	"slices"
	"strings"
)

// Level is how far a permission goes.
type Level string

// The levels.
const (
	Read  Level = "read"
	Write Level = "write"
)

// Covers says whether a granted level is enough for a wanted one. Of levels that
// are not known, such as admin, it is taken that they are.
func (l Level) Covers(wanted Level) bool {
	return l == wanted || l != "" && l != Read
}

// Words are the level as GitHub's pages write it.
func (l Level) Words() string {
	if l == Write {
		return "read and write"
	}
	return "read"
}

// Permission is one that the App asks for.
type Permission struct {
	Name  string // as the API names it: pull_requests
	Title string // as GitHub's pages name it: Pull requests
	Level Level
	Why   string // what promobot does with it, a sentence without its end
	// Option is what it is needed for, when that is not all that promobot does:
	// the name of an Option.
	Option string
	// Organization says that it is one of the organization's permissions.
	Organization bool
	Events       []string // that it lets the App hear of
}

// Option is something that needs more permissions, and that not everyone uses.
type Option struct {
	Name  string
	Title string // what it is, for people
}

// Options are in the order in which people are asked.
var Options = []Option{
	{"teams", "Rights of commands name teams"},
	{"run", "A failure policy starts workflows (`run`)"},
	{"queue", "Promotions are merged by a merge queue (`merge: queue`)"},
	{"workflows", "Files under `.github/workflows` are promoted"},
	{"deployments", "Landings are recorded as GitHub deployments (`deployments: record`)"},
}

// permissions are all, the least that everyone needs first.
var permissions = []Permission{
	{Name: "metadata", Title: "Metadata", Level: Read, Why: "sees the repository's name and its branch rules; GitHub gives it to every App", Events: []string{"repository"}},
	{
		Name: "contents", Title: "Contents", Level: Write, Why: "reads the repository, pushes ledgers and branches, merges",
		Events: []string{"push", "create", "delete", "release", "repository_dispatch"},
	},
	{
		Name: "pull_requests", Title: "Pull requests", Level: Write, Why: "opens, updates and merges promotions",
		Events: []string{"pull_request", "pull_request_review"},
	},
	{Name: "checks", Title: "Checks", Level: Write, Why: "shows on commits where a revision is, and reads the checks that speak for it", Events: []string{"check_run", "check_suite"}},
	{
		Name: "issues", Title: "Issues", Level: Write,
		Why:    "reads commands in comments and answers them, sees who closed a pull request, calls people where what failed needs them",
		Events: []string{"issue_comment"},
	},
	{Name: "statuses", Title: "Commit statuses", Level: Read, Why: "reads what verifies a landing, and the statuses that are required before a merge", Events: []string{"status"}},
	{Name: "deployments", Title: "Deployments", Level: Read, Why: "reads what verifies a landing, where that is a deployment", Events: []string{"deployment_status"}},
	{Name: "actions", Title: "Actions", Level: Read, Why: "reads what verifies a landing, where that is a workflow", Events: []string{"workflow_run"}},
	{Name: "members", Title: "Members", Level: Read, Organization: true, Why: "sees who is in the teams that the rights of commands name", Option: "teams"},
	{Name: "actions", Title: "Actions", Level: Write, Why: "starts the workflow of a `run` step", Option: "run"},
	{Name: "merge_queues", Title: "Merge queues", Level: Read, Why: "hears of the queue's groups", Option: "queue", Events: []string{"merge_group"}},
	{Name: "workflows", Title: "Workflows", Level: Write, Why: "pushes changes of workflow files, which GitHub refuses otherwise", Option: "workflows"},
	{Name: "deployments", Title: "Deployments", Level: Write, Why: "makes deployments and their statuses", Option: "deployments"},
}

// Permissions are the least that promobot needs with these options, one of each
// name, in the order of the list.
func Permissions(options ...string) []Permission {
	var out []Permission
	for _, p := range permissions {
		if p.Option != "" && !slices.Contains(options, p.Option) {
			continue
		}
		at := slices.IndexFunc(out, func(known Permission) bool { return known.Name == p.Name })
		if at < 0 {
			out = append(out, p)
			continue
		}
		// The same with a higher level: both reasons hold.
		out[at].Level, out[at].Why = p.Level, out[at].Why+"; "+p.Why
		out[at].Events = slices.Concat(out[at].Events, p.Events)
	}
	return out
}

// All are the permissions as they are listed, those of options last.
func All() []Permission { return slices.Clone(permissions) }

// Events are those that the App subscribes to with these options. GitHub sends
// those about installations to every App.
func Events(options ...string) []string {
	var out []string
	for _, p := range Permissions(options...) {
		out = append(out, p.Events...)
	}
	return out
}

// OptionTitle is an option's title; "" for one that there is not.
func OptionTitle(name string) string {
	for _, o := range Options {
		if o.Name == name {
			return o.Title
		}
	}
	return ""
}

// Table is the list as a Markdown table, for the documents.
func Table() string {
	var b strings.Builder
	b.WriteString("| permission | level | what promobot does with it | events |\n| --- | --- | --- | --- |\n")
	for _, p := range permissions {
		title := p.Title
		if p.Organization {
			title += " (of the organization)"
		}
		why := p.Why
		if p.Option != "" {
			why = "*only if:* " + lowerFirst(OptionTitle(p.Option)) + ". " + upperFirst(why)
		}
		events := "–"
		if len(p.Events) > 0 {
			events = "`" + strings.Join(p.Events, "`, `") + "`"
		}
		b.WriteString("| " + title + " | " + p.Level.Words() + " | " + why + " | " + events + " |\n")
	}
	return b.String()
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
