package github

// Letting GitHub merge: auto-merge and the merge queue ("Automatically merging
// a pull request"; "Managing a merge queue"), both by GraphQL only. GitHub's
// habits: auto-merge is refused where nothing is left to wait for ("clean
// status"); what is asked for twice is refused in words that differ; taking a
// pull request out of the queue may be answered with an error and done. So after
// a refusal the pull request's state decides, not the words.

import (
	"context"
	"errors"
	"fmt"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
)

// view is what GraphQL tells of a pull request.
type view struct {
	ID             string `json:"id"`
	Number         int    `json:"number"`
	State          string `json:"state"` // OPEN, CLOSED, MERGED
	Head           string `json:"headRefOid"`
	Decision       string `json:"reviewDecision"`
	InMergeQueue   bool   `json:"isInMergeQueue"`
	HasMergeQueue  bool   `json:"isMergeQueueEnabled"`
	WaitsAutomatic *armed `json:"autoMergeRequest"`
}

// armed is auto-merge that is on.
type armed struct{}

// MergeView tells what only GraphQL does: whether GitHub misses a review, by
// all rules, those of branch protection included that only administrators can
// read; whether auto-merge is on, and whether it stands in the merge queue.
func (r *Repository) MergeView(ctx context.Context, number int) (promotion.MergeView, error) {
	v, err := r.view(ctx, number)
	if err != nil {
		return promotion.MergeView{}, r.certain(ctx, fmt.Sprintf("reading #%d by GraphQL", number), err)
	}
	return promotion.MergeView{Head: v.Head, Decision: v.Decision, AutoMerge: v.WaitsAutomatic != nil, Queued: v.InMergeQueue}, nil
}

func (r *Repository) view(ctx context.Context, number int) (view, error) {
	owner, name := r.Address()
	var answer struct {
		Repository struct {
			ID   int64 `json:"databaseId"`
			Pull view  `json:"pullRequest"`
		} `json:"repository"`
	}
	err := r.send(ctx, "merge_view", map[string]any{"owner": owner, "name": name, "number": number}, &answer)
	v := answer.Repository.Pull
	switch {
	case err != nil:
		return view{}, err
	case answer.Repository.ID != r.id:
		return view{}, fmt.Errorf("GitHub's answer is of repository %d, not %d", answer.Repository.ID, r.id)
	case v.Number != number:
		return view{}, fmt.Errorf("GitHub answered with #%d", v.Number)
	case v.ID == "" || v.Head == "" || v.State == "":
		return view{}, errNoID("a pull request")
	}
	r.remember(number, v.ID, v.State == "OPEN")
	return v, nil
}

// EnableAutoMerge lets GitHub merge the pull request when the rules are met, if
// the head still is the expected one. promotion.ErrClean: nothing is left to
// wait for, merge it. promotion.ErrConflict: its head moved or it is closed.
// It is no error that auto-merge is on already.
func (r *Repository) EnableAutoMerge(ctx context.Context, m reconcile.MergeRequest) error {
	doing := fmt.Sprintf("enabling auto-merge of #%d", m.Number)
	if m.Head == "" {
		return errNoHead(doing)
	}
	input := map[string]any{"expectedHeadOid": m.Head}
	switch m.Method {
	case "", "merge":
		input["mergeMethod"] = "MERGE"
	case "squash":
		input["mergeMethod"] = "SQUASH"
	case "rebase":
		input["mergeMethod"] = "REBASE"
	default:
		return fmt.Errorf("%s: %q is no merge method", doing, m.Method)
	}
	if m.Method != "rebase" { // keeps the commits' own messages
		for field, text := range map[string]string{"commitHeadline": m.Title, "commitBody": m.Message} {
			if text != "" {
				input[field] = text
			}
		}
	}
	var answer struct {
		Done struct {
			Pull view `json:"pullRequest"`
		} `json:"enablePullRequestAutoMerge"`
	}
	on := func(v view) bool { return v.WaitsAutomatic != nil || v.InMergeQueue }
	err := r.change(ctx, "enable_auto_merge", "pullRequestId", m.Number, input, &answer)
	if err == nil && on(answer.Done.Pull) {
		return nil
	}
	return r.settle(ctx, doing, m.Number, m.Head, err, on)
}

// DisableAutoMerge takes back that GitHub merges the pull request. It is no
// error that it would not.
func (r *Repository) DisableAutoMerge(ctx context.Context, number int) error {
	var answer struct {
		Done struct {
			Pull *view `json:"pullRequest"`
		} `json:"disablePullRequestAutoMerge"`
	}
	off := func(v view) bool { return v.WaitsAutomatic == nil }
	err := r.change(ctx, "disable_auto_merge", "pullRequestId", number, map[string]any{}, &answer)
	if err == nil && answer.Done.Pull != nil && off(*answer.Done.Pull) {
		return nil
	}
	return r.settle(ctx, fmt.Sprintf("disabling auto-merge of #%d", number), number, "", err, off)
}

// Enqueue puts the pull request into the merge queue of its base branch, if the
// head still is the expected one. *promotion.WaitError: a required check or
// review is missing. promotion.ErrConflict: its head moved or it is closed. It
// is no error that it stands there already.
func (r *Repository) Enqueue(ctx context.Context, number int, head string) error {
	doing := fmt.Sprintf("putting #%d into the merge queue", number)
	if head == "" {
		return errNoHead(doing)
	}
	var answer struct {
		Done struct {
			Entry *struct{} `json:"mergeQueueEntry"`
		} `json:"enqueuePullRequest"`
	}
	err := r.change(ctx, "enqueue", "pullRequestId", number, map[string]any{"expectedHeadOid": head}, &answer)
	if err == nil && answer.Done.Entry != nil {
		return nil
	}
	var seen view
	err = r.settle(ctx, doing, number, head, err, func(v view) bool { seen = v; return v.InMergeQueue })
	var refused *promotion.RefusedError
	if errors.As(err, &refused) && seen.ID != "" && !seen.HasMergeQueue {
		return refusal(doing, refused.Reason+"; the base branch has no merge queue: a ruleset has to require one; or let promobot merge")
	}
	return err
}

// Dequeue takes the pull request out of the merge queue. It is no error that it
// does not stand there.
func (r *Repository) Dequeue(ctx context.Context, number int) error {
	var answer struct {
		Done *struct{} `json:"dequeuePullRequest"`
	}
	err := r.change(ctx, "dequeue", "id", number, map[string]any{}, &answer)
	if err == nil && answer.Done != nil {
		return nil
	}
	return r.settle(ctx, fmt.Sprintf("taking #%d out of the merge queue", number), number, "", err, func(v view) bool { return !v.InMergeQueue })
}

// change carries out a mutation on a pull request, which the input names by its
// node id in the field.
func (r *Repository) change(ctx context.Context, document, field string, number int, input map[string]any, answer any) error {
	id := r.node(number)
	if id == "" {
		v, err := r.view(ctx, number)
		if err != nil {
			return err
		}
		id = v.ID
	}
	input[field] = id
	return r.mutate(ctx, document, map[string]any{"input": input}, answer)
}

// settle says how a change ended that GitHub refused, or did not confirm: it is
// done when the pull request shows it.
func (r *Repository) settle(ctx context.Context, doing string, number int, head string, failed error, done func(view) bool) error {
	var refused graphQLErrors
	if failed != nil && !errors.As(failed, &refused) {
		return r.certain(ctx, doing, failed)
	}
	meant := explain(doing, failed)
	if errors.Is(meant, promotion.ErrClean) {
		return meant
	}
	v, err := r.view(ctx, number)
	switch {
	case err != nil && meant != nil:
		return meant
	case err != nil:
		return r.certain(ctx, doing, err)
	case done(v) && (head == "" || v.Head == head):
		return nil
	case head != "" && v.State != "OPEN":
		return fmt.Errorf("%s: %w (it is closed)", doing, promotion.ErrConflict)
	case head != "" && v.Head != head:
		return fmt.Errorf("%s: %w (its head is another)", doing, promotion.ErrConflict)
	case meant == nil:
		return fmt.Errorf("%s: GitHub confirms it, but it is not so", doing)
	}
	return meant
}

// node is the id by which GraphQL knows a pull request, "" when it was not told
// yet.
func (r *Repository) node(number int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[number]
}

// remember keeps the node ids of open pull requests.
func (r *Repository) remember(number int, id string, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id == "" || !open {
		delete(r.nodes, number)
		return
	}
	if r.nodes == nil {
		r.nodes = map[int]string{}
	}
	r.nodes[number] = id
}
