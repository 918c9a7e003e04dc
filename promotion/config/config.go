// Package config is the pipeline file, .github/promobot.yml: parsed strictly,
// checked with line, column and remedy, and resolved over the files of a
// repository into pipelines of environments with their effective settings.
//
// It is pure: bytes and path lists in, values and problems out.
package config

import (
	"fmt"

	"github.com/promobot/promobot/promotion/content"
)

// Path is where the pipeline file stands on the default branch.
const Path = ".github/promobot.yml"

// Mode is how far promobot goes in an environment; a lower one wins.
type Mode int

// The modes, from the most careful to the most capable.
const (
	Observe Mode = iota + 1 // decisions on checks and pages only
	Propose                 // pull requests that people merge
	Auto                    // promobot merges
)

// Problem is one thing wrong with a pipeline file.
type Problem struct {
	File         string
	Line, Column int    // 1-based
	Message      string // what is wrong, in the file's own words
	Remedy       string // what to write instead
}

// Error is "file:line:column: message (remedy)".
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Remedy != "" {
		s += "; " + p.Remedy
	}
	return s
}

// Problems are all that is wrong with a pipeline file, in the file's order.
type Problems []Problem

// Source is where a setting was said: a line of the pipeline file, or 0 for a default.
type Source struct {
	Line int
	What string // such as "environments.staging.mode", "overrides[0].mode" or "default"
}

// Setting is one effective setting of an environment, for `promobot explain`.
type Setting struct {
	Key, Value string
	// Template is the value as written, where it is one with variables; it is the
	// same in all pipelines of a for_each.
	Template string
	From     Source
}

// Limits bound what promobot opens.
type Limits struct {
	Open           int // open promotion pull requests in the repository
	PerHour        int // promotions claimed in the repository within an hour
	PerEnvironment int // open promotion pull requests of one environment over all pipelines
}

// Pipeline is one flow of environments, after for_each.
type Pipeline struct {
	// Key identifies the pipeline in the repository: the name in the file, and
	// for for_each the values joined to it by slashes, as services/checkout.
	// It may hold any bytes that a folder's name may (c++, spaces).
	Key string
	// Group is the name in the file; Title is the short name for people: the
	// values of for_each, or the group.
	Group, Title string
	Line         int
	// Environments are in topological order: every one after those it is from
	// and after. Optional ones that the pipeline has not are left out.
	Environments []Environment
}

// Environment is one environment of one pipeline with its effective settings.
type Environment struct {
	Name  string
	From  []string // upstreams, optional absent ones replaced by theirs; empty for a first environment
	After []string // order without content
	Mode  Mode
	// Verified is true when nothing has to be verified here: a landing counts as
	// verified when it has landed. That is so with verify: none, and where
	// nothing is said of verify, below which no mode is auto. It is false where
	// Verify says what must hold.
	Verified bool
	Optional bool
	// Verify is what must hold after a landing; nil where Verified.
	Verify *Verify
	// OnFailure is the failure policy, in its order; never empty. Where no step of
	// it applies, halt does.
	OnFailure []Step
	// Rollback is the mode of rollbacks: Propose or Auto, or Observe where nothing
	// may be written.
	Rollback Mode
	// Windows must all be open for a promotion to land.
	Windows []Window
	// Approval says that a person other than the author has to approve.
	Approval bool
	// Right is the least that commands about this environment ask for.
	Right Right
	// Present is false when the environment has no file for this pipeline.
	// Blocked says why nothing can be promoted here, with what to do: an absent
	// environment that is not optional, say.
	Present   bool
	Blocked   string
	Reconcile bool // start: reconcile
	Place     content.Place
	Allow     []content.Kind
	Limit     int      // limits.per_environment: open promotions of this environment over all pipelines
	Never     []string // defaults and the file's: globs of files and value paths
	Labels    []string
	Assignees []string
	Reviewers []string // logins; org/team for teams
	Title     string   // templates; empty for the built-in ones
	Body      string
	// Branch is the branch it stands on, "" for the default branch; Read is the
	// branch its content comes from, "" for its upstreams' places.
	Branch, Read string
	// Revision says where a commit's revision is written; the zero value: the
	// revision is the commit.
	Revision RevisionAt
	Source   *VersionSource // what brings new versions here; nil: pushes to its path
	Managed  bool           // managed: elsewhere; promobot learns what runs here and never writes
	Deliver  Deliver
	Merge    MergeBy
	Method   string // merge, squash or rebase; "" for the first that is allowed
	Newer    Newer
	Batch    Batch
	// VerifiedCommits says that GitHub makes and signs the commits.
	VerifiedCommits bool
	// Records says that what lands is recorded as GitHub deployments.
	Records  bool
	Line     int
	Settings []Setting
}

// RevisionAt is a value in a file of the environment that names the revision
// (a hydrator's drySha): the file's path relative to the place, the value's path.
type RevisionAt struct{ In, Value string }

// VersionSource is what brings new versions to an environment.
type VersionSource struct {
	Kind       SourceKind
	Repository string // owner/name, for releases and tags
	Pattern    string // glob of tag names; "" for all
	Prefix     string // cut off from a tag's name to make the version: "v"
	Prerelease bool   // pre-releases count too
	Type       string // event_type of the repository_dispatch
	Version    string // path of the version in its client_payload, keys joined by dots
	Line       int
}

// SourceKind is where versions come from.
type SourceKind string

// The kinds of sources.
const (
	Release  SourceKind = "release"
	Tag      SourceKind = "tag"
	Dispatch SourceKind = "dispatch"
)

// Deliver is how a promotion reaches the branch.
type Deliver string

// The ways of delivery.
const (
	ByPullRequest Deliver = "pull_request"
	ByPush        Deliver = "push"
)

// MergeBy is who merges a pull request when promobot may.
type MergeBy string

// Who can merge.
const (
	MergeByPromobot MergeBy = "promobot"
	MergeByGitHub   MergeBy = "github" // auto-merge
	MergeByQueue    MergeBy = "queue"  // the merge queue
)

// Newer is what happens to an open promotion when something newer comes.
type Newer string

// What can happen when something newer comes.
const (
	NewerUpdates    Newer = "update"    // the open pull request moves on to it
	NewerSupersedes Newer = "supersede" // the open one is closed, a new one opened
	NewerQueues     Newer = "queue"     // one after the other, none left out
)
