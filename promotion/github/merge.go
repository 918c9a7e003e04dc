package github

// Merging, and what it means that GitHub does not ("Merge a pull request",
// 405, and the same sentences in GraphQL's errors). A refusal is a sentence or,
// from rulesets, several. Rules:
//
//   - What passes by itself or by a review is a *promotion.WaitError; what a new
//     look can mend is promotion.ErrConflict; everything else, and every
//     sentence that is not known, is a *promotion.RefusedError.
//   - Of several sentences the gravest counts.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
)

// MergePullRequest merges if the head still is the expected one.
// promotion.ErrConflict: the head or the base moved ("Merge a pull request":
// 409, and 405 with "Base branch was modified"), or it cannot be merged as it
// is. *promotion.WaitError: a required check or review is missing, or GitHub
// has not worked out yet whether it can be merged.
func (r *Repository) MergePullRequest(ctx context.Context, m reconcile.MergeRequest) error {
	doing := fmt.Sprintf("merging #%d", m.Number)
	if m.Head == "" {
		return errNoHead(doing)
	}
	o := &gh.PullRequestOptions{SHA: m.Head, MergeMethod: m.Method, CommitTitle: m.Title}
	message := m.Message
	if m.Method == "rebase" { // keeps the commits' own messages
		o.CommitTitle, message = "", ""
	}
	owner, name := r.Address()
	answer, _, err := r.client.PullRequests.Merge(ctx, owner, name, m.Number, message, o)
	var accepted *gh.AcceptedError
	var refused *gh.ErrorResponse
	switch {
	case errors.As(err, &accepted):
		return fmt.Errorf("%s: GitHub says that it will be merged, later", doing)
	case errors.As(err, &refused) && unexplained(refused):
		return r.whyNot(ctx, doing, m, words(refused))
	case err != nil:
		return explain(doing, err)
	case answer.Merged == nil:
		return fmt.Errorf("%s: GitHub does not say whether it is merged", doing)
	case !answer.GetMerged():
		return refusal(doing, cutLine(answer.GetMessage(), maxWords))
	}
	return nil
}

func errNoHead(doing string) error {
	return fmt.Errorf("%s: without the head that was decided on, anything could be merged", doing)
}

// unexplained tells whether GitHub refuses to merge and does not say why: for
// what is in conflict, closed, merged, or not worked out yet, it only says that
// it is not mergeable.
func unexplained(answer *gh.ErrorResponse) bool {
	return answer.Response != nil && answer.Response.StatusCode == http.StatusMethodNotAllowed &&
		strings.Contains(strings.ToLower(answer.Message), "is not mergeable")
}

// whyNot looks at what GitHub calls not mergeable.
func (r *Repository) whyNot(ctx context.Context, doing string, m reconcile.MergeRequest, said string) error {
	owner, name := r.Address()
	p, _, err := r.client.PullRequests.Get(ctx, owner, name, m.Number)
	if err != nil {
		return r.certain(ctx, doing+": looking why GitHub says "+said, err)
	}
	state := p.GetMergeableState()
	switch {
	case p.GetState() != "open":
		return fmt.Errorf("%s: %w (it is closed)", doing, promotion.ErrConflict)
	case p.GetHead().GetSHA() != m.Head:
		return fmt.Errorf("%s: %w (its head is another)", doing, promotion.ErrConflict)
	case state == "dirty" || state == "behind":
		return fmt.Errorf("%s: %w (%s: %s)", doing, promotion.ErrConflict, said, state)
	case p.GetDraft():
		return refusal(doing, said+": it is a draft")
	case p.Mergeable == nil || state == "" || state == "unknown":
		return fmt.Errorf("%s: %w", doing, &promotion.WaitError{Reason: "GitHub has not worked out yet whether it can be merged"})
	case state == "blocked":
		return fmt.Errorf("%s: %w", doing, &promotion.WaitError{Reason: "the base branch's rules are not met yet"})
	}
	return refusal(doing, said)
}

// sentence is how GitHub begins or words one reason, in small letters.
type sentence struct {
	words string
	hint  string // what to do, for people
}

// cleans say that there is nothing to wait for, so that GitHub will not merge
// later: all is met, or only what is not required is missing.
var cleans = []string{"in clean status", "in unstable status", "in has_hooks status"}

// moved say that the head or the base moved, or that they do not fit together
// any more.
var moved = []string{
	"branch was modified", "expected head", "head sha", "head oid", "head ref oid",
	"merge conflict", "in dirty status", "in behind status",
	"out of date", "out-of-date", "not up to date", "not up-to-date",
}

// failings say that a required check has ended, and not well.
var failings = []string{"failing", "failed", "errored", "was cancelled", "timed out", "action required"}

// waits say what is not there yet.
var waits = []string{
	// Checks, workflows, deployments: "Required status check "ci" is expected.",
	// "2 of 3 required status checks have not succeeded: 1 expected."
	"is expected", "are expected", " expected.", "in progress", "is queued", "are queued", "is pending", "are pending",
	"pending.", "have not succeeded", "has not succeeded", "is waiting", "are waiting", "waiting for", "waiting on",
	"is not satisfied", "missing successful active",
	// Reviews: "At least 1 approving review is required by reviewers with write
	// access.", "Waiting on code owner review from acme/ops.", "New changes
	// require approval from someone other than the last pusher."
	"approving review", "review required", "review is required", "requires approval", "require approval",
	"changes requested", "changes were requested", "must be resolved",
	// GitHub itself.
	"merge already in progress", "in unknown status", "in blocked status", "not in the correct state",
}

// remedies are what to do about a setting that stands in the way.
var remedies = []sentence{
	{"auto merge is not allowed", "allow it in the repository's settings, General, Pull Requests: Allow auto-merge; or let promobot merge"},
	{"protected branch rules not configured", "auto-merge waits for rules, and the base branch has none: ask for a check or a review in a ruleset; or let promobot merge"},
	{"through the merge queue", "use the queue for this environment (merge: queue)"},
	{"commits are not allowed", "name another method, or allow this one in the repository's settings, General, Pull Requests"},
	{"merges are not allowed", "name another method, or allow this one in the repository's settings, General, Pull Requests"},
	{"merging is not allowed", "name another method, or allow this one in the repository's settings, General, Pull Requests"},
	{"verified signatures", "let GitHub sign promobot's commits (commits: verified), and do not rebase"},
	{"can't be rebased", "name another method"},
}

// judge says what a refusal to merge means.
func judge(doing, message string) error {
	var gravest error
	for _, part := range sentences(message) {
		gravest = graver(gravest, judgeOne(doing, part))
	}
	return gravest
}

// sentences are the reasons in a message. Rulesets' stand below a heading, each
// in a paragraph.
func sentences(message string) []string {
	var all []string
	for part := range strings.SplitSeq(message, "\n\n") {
		part = strings.Join(strings.Fields(part), " ")
		if part != "" && !strings.EqualFold(strings.TrimRight(part, ".: "), "Repository rule violations found") {
			all = append(all, part)
		}
	}
	if len(all) == 0 {
		return []string{strings.Join(strings.Fields(message), " ")}
	}
	return all
}

// quoted is a name in a sentence, which is someone's and means nothing here.
var quoted = regexp.MustCompile(`"[^"]*"|\B'[^']*'\B`)

func judgeOne(doing, said string) error {
	text := strings.ToLower(quoted.ReplaceAllString(said, `""`)) + "."
	has := func(part string) bool { return strings.Contains(text, part) }
	said = cutLine(strings.TrimRight(said, "."), maxWords)
	switch {
	case slices.ContainsFunc(cleans, has):
		return fmt.Errorf("%s: %w (%s)", doing, promotion.ErrClean, said)
	case slices.ContainsFunc(moved, has):
		return fmt.Errorf("%s: %w (%s)", doing, promotion.ErrConflict, said)
	case slices.ContainsFunc(failings, has):
		return refusal(doing, said)
	case slices.ContainsFunc(waits, has):
		return fmt.Errorf("%s: %w", doing, &promotion.WaitError{Reason: said})
	}
	for _, r := range remedies {
		if has(r.words) {
			return refusal(doing, said+"; "+r.hint)
		}
	}
	return refusal(doing, said)
}

// graver is the one of two errors that counts: a refusal before a conflict
// before a wait.
func graver(a, b error) error {
	if gravity(b) > gravity(a) {
		return b
	}
	return a
}

func gravity(err error) int {
	var wait *promotion.WaitError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, promotion.ErrClean):
		return 1
	case errors.As(err, &wait):
		return 2
	case errors.Is(err, promotion.ErrConflict):
		return 3
	}
	return 4
}
