// Missed commands: a comment whose webhook was lost is found by listing the
// repository's comments. Rules: the cursor is GitHub's time of the newest comment
// seen, so that a quiet repository is asked the same question again and again,
// which costs nothing; it moves when all letters are stored; a queue that never
// looked looks back an hour, since older commands are not carried out; what was
// edited since is told from what was said by when it was written.

package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// CommentSeen is a comment in a repository's list of them.
type CommentSeen struct {
	ID      int64
	Issue   int // number of the pull request or issue
	Body    string
	Created time.Time
	ByApp   bool // promobot's own
}

// Comments lists comments.
type Comments interface {
	// Comments are those on the repository's pull requests and issues that were
	// written, or edited, at or after a time, in any order.
	Comments(ctx context.Context, repository Repository, since time.Time) ([]CommentSeen, error)
}

const (
	// commentsBack is how far a queue that never looked looks back: as long as a
	// command counts.
	commentsBack = time.Hour
	// commentsOverlap is how far a look goes back before the newest comment seen:
	// lists lag behind, and not in order.
	commentsOverlap = 10 * time.Minute
	// commentsAtOnce bounds how many repositories are asked at a time.
	commentsAtOnce = 4
)

// lookComments posts the commands that were missed in the repositories. One that
// fails stops no other.
func (m *Missed) lookComments(ctx context.Context, repositories []Repository) error {
	var (
		mu       sync.Mutex
		failures []error
		group    errgroup.Group
	)
	group.SetLimit(commentsAtOnce)
	for _, repository := range repositories {
		group.Go(func() error {
			if err := m.lookCommentsOf(ctx, repository); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, fmt.Errorf("look for missed comments in %s/%s: %w", repository.Owner, repository.Name, err))
			}
			return nil // the others are looked at all the same
		})
	}
	return errors.Join(group.Wait(), errors.Join(failures...))
}

func (m *Missed) lookCommentsOf(ctx context.Context, repository Repository) error {
	before, err := m.Mail.CommentsLooked(ctx, repository)
	if err != nil {
		return err
	}
	newest := before
	if before.IsZero() {
		newest = time.Now().Add(commentsOverlap - commentsBack)
	}
	since := newest.Add(-commentsOverlap).Truncate(time.Second) // GitHub's times are whole seconds
	listed, err := m.Comments.Comments(ctx, repository, since)
	if err != nil {
		return err
	}
	slices.SortFunc(listed, func(a, b CommentSeen) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	for _, seen := range listed {
		if seen.Created.After(newest) {
			newest = seen.Created
		}
		if seen.ByApp || seen.Created.Before(since) || !mayCommand(seen.Body) {
			continue
		}
		if err := m.postComment(ctx, repository, seen); err != nil {
			return err
		}
	}
	if newest.Equal(before) {
		return nil
	}
	return m.Mail.SetCommentsLooked(ctx, repository, newest)
}

// postComment keeps the comment's letter unless it is known.
func (m *Missed) postComment(ctx context.Context, repository Repository, seen CommentSeen) error {
	letter := Comment{ID: seen.ID}.letter()
	known, err := m.Mail.Known(ctx, repository, letter.ID)
	if err != nil || len(known) > 0 {
		return err
	}
	letter.At = seen.Created
	if err := m.Mail.Post(ctx, repository, letter); err != nil {
		return err
	}
	m.Metrics.letters.WithLabelValues("sweep").Inc()
	m.Log.Info().Int64("comment", seen.ID).Int("issue", seen.Issue).Str("repository", repository.Owner+"/"+repository.Name).
		Msg("A command that was not received is read from the list of comments")
	return nil
}
