package reconcile

// Answers: when a command is answered, by whom, and in which comment.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/texts"
)

// holds says whether all holds that a comment asked for are in force, and what
// landed nevertheless: a merge that was under way cannot be called back.
func holds(s *promotion.Snapshot, comment int64, entries []entry) (crossed []string, stand bool) {
	for i := range s.Environments {
		o := s.Environments[i]
		for _, e := range entries {
			if e.observed.Key == o.Key {
				o.Ledger.State = &e.state
			}
		}
		st := o.Ledger.State
		if st == nil || st.Hold == nil || st.Hold.Comment != comment {
			continue
		}
		if !promotion.HoldStands(s, &o) {
			return nil, false
		}
		if l := st.Landing; l != nil && l.PullRequest != 0 && l.Reverts == "" && l.By == s.App && !l.Time.Before(st.Hold.Since) {
			crossed = append(crossed, fmt.Sprintf("#%d was being merged at that moment, and has landed in %s", l.PullRequest, o.Key.Environment))
		}
	}
	return crossed, true
}

// obeyedKey is a command's effect in one environment.
type obeyedKey struct {
	comment int64
	promotion.Key
}

// elsewhere is how long another process may still be answering a comment, or its
// answer may not be listed yet; 0 where it is this one's to answer. Whoever wrote
// the effect in the first environment answers; where there is none, whoever was
// the first to react.
func (r *Reconciler) elsewhere(s *promotion.Snapshot, c promotion.Comment) time.Duration {
	begun := time.Time{}
	for i := range s.Environments {
		st := s.Environments[i].Ledger.State
		if st == nil {
			continue
		}
		for _, h := range st.Heard {
			switch {
			case h.Comment != c.ID:
			case begun.IsZero() && r.memory.obeyed[obeyedKey{c.ID, s.Environments[i].Key}]:
				return 0
			case h.Time.After(begun):
				begun = h.Time
			}
		}
	}
	if begun.IsZero() && c.Reacted && !r.memory.heard[c.ID] {
		begun = c.Created
	}
	if begun.IsZero() {
		return 0
	}
	return max(0, begun.Add(promotion.Bound).Sub(r.o.Now()))
}

// answer writes the answer, or edits the one that is there. Of two that a stopped
// worker has left, the older one stands.
func (r *Reconciler) answer(ctx context.Context, c promotion.Comment, a texts.Answer) error {
	body := texts.AnswerTo(a)
	there, err := r.github.CommentsOn(ctx, c.Issue, c.Created)
	if err != nil {
		return fmt.Errorf("look for the answer: %w", err)
	}
	mark := texts.AnswerMark(c.ID)
	for _, x := range there {
		if !x.ByApp || !strings.HasPrefix(x.Body, mark) {
			continue
		}
		if x.Body == body {
			return nil
		}
		return r.github.EditComment(ctx, x.ID, body)
	}
	if _, err := r.github.WriteComment(ctx, c.Issue, body); err != nil {
		if refused, ok := errors.AsType[*promotion.RefusedError](err); ok {
			r.o.Log.Warn().Str("reason", refused.Reason).Int("issue", c.Issue).Msg("a command was carried out and could not be answered")
			return nil
		}
		return fmt.Errorf("answer: %w", err)
	}
	return nil
}
