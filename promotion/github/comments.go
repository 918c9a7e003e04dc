package github

// Comments on pull requests and issues ("REST API endpoints for issue comments";
// "REST API endpoints for reactions"). GitHub's habits: since is about the last
// change, so a comment that was edited is listed again; times are whole seconds,
// so an edit in the second of writing cannot be seen; a comment of a deleted
// account has no author. Bodies are anyone's words, and are returned as they are.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

// maxCommentBody is how many characters a comment may have.
const maxCommentBody = 65536

// Comment reads one comment, with whether promobot has reacted to it.
// promotion.ErrNotFound: it was deleted.
func (r *Repository) Comment(ctx context.Context, id int64) (promotion.Comment, error) {
	doing := fmt.Sprintf("reading comment %d", id)
	login, err := r.app.Login(ctx)
	if err != nil {
		return promotion.Comment{}, err
	}
	owner, name := r.Address()
	answer, _, err := r.client.Issues.GetComment(ctx, owner, name, id)
	if err != nil {
		return promotion.Comment{}, r.certain(ctx, doing, err)
	}
	c, err := comment(answer, login)
	switch {
	case err != nil:
		return promotion.Comment{}, fmt.Errorf("%s: %w", doing, err)
	case c.ID != id:
		return promotion.Comment{}, fmt.Errorf("%s: GitHub answered with comment %d", doing, c.ID)
	case answer.Reactions == nil || answer.Reactions.GetTotalCount() > 0:
		if c.Reacted, err = r.reacted(ctx, id, login); err != nil {
			return promotion.Comment{}, r.certain(ctx, doing, err)
		}
	}
	return c, nil
}

func (r *Repository) reacted(ctx context.Context, id int64, login string) (bool, error) {
	owner, name := r.Address()
	found := false
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, resp, err := r.client.Reactions.ListIssueCommentReactions(ctx, owner, name, id, &page)
		for _, one := range list {
			found = found || (one.GetUser().GetLogin() == login && one.GetUser().GetType() == "Bot")
		}
		return resp, err
	})
	return found, err
}

// CommentsOn lists an issue's or pull request's comments that were written or
// edited since a time, oldest first. Reacted is not filled.
func (r *Repository) CommentsOn(ctx context.Context, issue int, since time.Time) ([]promotion.Comment, error) {
	doing := fmt.Sprintf("listing the comments on #%d", issue)
	if issue <= 0 {
		return nil, refusal(doing, "there is no such issue or pull request")
	}
	return r.comments(ctx, doing, issue, since)
}

// CommentsSince lists the comments on all issues and pull requests that were
// written or edited since a time, oldest first. Reacted is not filled.
func (r *Repository) CommentsSince(ctx context.Context, since time.Time) ([]promotion.Comment, error) {
	return r.comments(ctx, "listing the comments", 0, since)
}

// comments reads all pages, the oldest first: so one that is written meanwhile
// moves no other to another page.
func (r *Repository) comments(ctx context.Context, doing string, issue int, since time.Time) ([]promotion.Comment, error) {
	login, err := r.app.Login(ctx)
	if err != nil {
		return nil, err
	}
	var o gh.IssueListCommentsOptions
	if !since.IsZero() {
		since = since.UTC().Truncate(time.Second)
		o.Since = &since
	}
	if issue == 0 { // the comments of one issue come in this order anyhow
		o.Sort, o.Direction = new("created"), new("asc")
	}
	owner, name := r.Address()
	var all []promotion.Comment
	seen := map[int64]bool{} // a list that moves between two pages repeats items
	err = pages(func(page gh.ListOptions) (*gh.Response, error) {
		o.ListOptions = page
		list, resp, err := r.client.Issues.ListComments(ctx, owner, name, issue, &o)
		if err != nil {
			return resp, err
		}
		for _, one := range list {
			c, err := comment(one, login)
			switch {
			case err != nil:
				return resp, err
			case issue != 0 && c.Issue != issue:
				return resp, fmt.Errorf("GitHub lists a comment on #%d", c.Issue)
			case !seen[c.ID]:
				seen[c.ID] = true
				all = append(all, c)
			}
		}
		return resp, nil
	})
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	slices.SortFunc(all, func(a, b promotion.Comment) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// comment is a comment of GitHub's answer, which must be whole.
func comment(c *gh.IssueComment, login string) (promotion.Comment, error) {
	at := c.GetIssueURL()
	number, err := strconv.Atoi(at[strings.LastIndexByte(at, '/')+1:])
	if err != nil || number <= 0 || c.GetID() == 0 || c.GetCreatedAt().IsZero() {
		return promotion.Comment{}, errNoID("a comment")
	}
	return promotion.Comment{
		ID: c.GetID(), Issue: number, Pull: strings.Contains(c.GetHTMLURL(), fmt.Sprintf("/pull/%d#", number)),
		Body: c.GetBody(), URL: c.GetHTMLURL(), Author: c.GetUser().GetLogin(), Bot: c.GetUser().GetType() == "Bot",
		ByApp:   c.GetUser().GetLogin() == login && c.GetUser().GetType() == "Bot",
		Created: c.GetCreatedAt().Time, Edited: c.GetUpdatedAt().After(c.GetCreatedAt().Time),
	}, nil
}

// WriteComment writes a comment and returns its id. Twice is two comments.
// promotion.ErrNotFound: there is no such issue or pull request.
func (r *Repository) WriteComment(ctx context.Context, issue int, body string) (int64, error) {
	doing := fmt.Sprintf("commenting on #%d", issue)
	owner, name := r.Address()
	answer, _, err := r.client.Issues.CreateComment(ctx, owner, name, issue, &gh.IssueComment{Body: new(cutMarkdown(body, maxCommentBody))})
	switch {
	case err != nil:
		return 0, r.certain(ctx, doing, r.onIssues(ctx, err))
	case answer.GetID() == 0:
		return 0, fmt.Errorf("%s: %w", doing, errNoID("the comment"))
	}
	return answer.GetID(), nil
}

// EditComment replaces a comment's text. promotion.ErrNotFound: it was deleted.
func (r *Repository) EditComment(ctx context.Context, id int64, body string) error {
	doing := fmt.Sprintf("editing comment %d", id)
	owner, name := r.Address()
	answer, _, err := r.client.Issues.EditComment(ctx, owner, name, id, &gh.IssueComment{Body: new(cutMarkdown(body, maxCommentBody))})
	switch {
	case err != nil:
		return r.certain(ctx, doing, r.onIssues(ctx, err))
	case answer.GetID() != id:
		return fmt.Errorf("%s: GitHub answered with comment %d", doing, answer.GetID())
	}
	return nil
}

// React shows a reaction on a comment: eyes, confused, rocket, +1 and the others
// that GitHub knows. Who has reacted so already is answered 200, and nothing
// changes. promotion.ErrNotFound: the comment was deleted.
func (r *Repository) React(ctx context.Context, id int64, reaction string) error {
	doing := fmt.Sprintf("reacting to comment %d", id)
	owner, name := r.Address()
	answer, _, err := r.client.Reactions.CreateIssueCommentReaction(ctx, owner, name, id, reaction)
	switch {
	case err != nil:
		return r.certain(ctx, doing, r.onIssues(ctx, err))
	case answer.GetContent() != reaction:
		return fmt.Errorf("%s: GitHub answered with %q", doing, cutLine(answer.GetContent(), 20))
	}
	return nil
}

// onIssues says what is missing where the App may write to pull requests, but
// not to issues: GitHub says no more than that it may not.
func (r *Repository) onIssues(ctx context.Context, err error) error {
	var refused, lacks *promotion.RefusedError
	if !errors.As(explain("", err), &refused) {
		return err
	}
	if !errors.As(r.may(ctx, "", issuesGranted, "write", "comment on issues", "issues"), &lacks) {
		return err
	}
	return &promotion.RefusedError{Reason: refused.Reason + "; " + lacks.Reason}
}
