package view

import (
	"cmp"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// MakeEntry is a ledger entry for people. Its sentence is without the environment's
// name, which stands beside it.
func MakeEntry(repo promotion.Repository, k promotion.Key, commit string, at time.Time, e state.Entry) Entry {
	out := Entry{Commit: commit, Kind: string(e.Kind), Sentence: text(strings.TrimPrefix(e.Sentence, k.String()+": ")), Time: at, URL: entryURL(repo, e)}
	if p := e.State.Promotion; p != nil {
		out.Promotion = p.ID
	}
	out.about(e)
	return out
}

// Past is what a ledger entry knows of the promotion that was the newest then.
type Past struct {
	Promotion state.Promotion // without what tells of its batch and its attempts
	Landed    string          // commit that it came to be; "" when it has not landed
	sequence  int             // of the entry
}

// PastOf is the promotion of an entry as its newest entry has it, with what is known
// of it from others; nil where there is none.
func PastOf(e state.Entry, known *Past) *Past {
	p := e.State.Promotion
	if p == nil {
		return known
	}
	out := &Past{Promotion: *p, Landed: landedAs(&e.State, p), sequence: e.State.Sequence}
	out.Promotion.Batch, out.Promotion.Attempts, out.Promotion.Others, out.Promotion.Replaced = nil, nil, nil, nil
	if known == nil {
		return out
	}
	landed := cmp.Or(out.Landed, known.Landed) // what landed since is in the newer one
	if known.sequence >= out.sequence {
		*out = *known
	}
	out.Landed = landed
	return out
}

// landedAs is the commit that a promotion came to be, as long as it is the newest
// landing.
func landedAs(st *state.Environment, p *state.Promotion) string {
	if l := st.Landing; l != nil && l.ID == p.ID {
		return l.Commit
	}
	return ""
}

// about fills in what an entry is about.
func (out *Entry) about(e state.Entry) {
	st := e.State
	switch e.Kind {
	case state.KindClaim, state.KindCarried, state.KindOpened, state.KindClosing, state.KindClosed, state.KindVeto, state.KindApproved, state.KindPast:
		p := st.Promotion
		if p == nil {
			return
		}
		out.Revision, out.PullRequest = name(p.Revision), p.PullRequest
		if p.Reverts != nil {
			out.Reverts = name(p.Reverts.Revision)
		}
		switch {
		case e.Kind == state.KindVeto || e.Kind == state.KindClosing:
			out.By = name(p.By)
		case e.Kind == state.KindApproved && p.Approval != nil:
			out.By = name(p.Approval.By)
		case e.Kind == state.KindPast && len(p.Past) > 0:
			out.By = name(p.Past[len(p.Past)-1].By)
		}
	case state.KindLanded:
		l := st.Landing
		if l == nil {
			return
		}
		out.Revision, out.PullRequest, out.By, out.Mixed = name(l.Revision), l.PullRequest, name(l.By), l.Mixed()
		if p := st.Promotion; l.Reverts != "" && p != nil && p.Reverts != nil {
			out.Reverts = name(p.Reverts.Revision)
		}
	case state.KindVerdict:
		if len(st.Verdicts) > 0 {
			out.Revision = name(st.Verdicts[0].Revision)
		}
	case state.KindHold:
		if st.Hold != nil {
			out.By = name(st.Hold.By)
		}
	case state.KindWish:
		if st.Wish != nil {
			out.Revision, out.By = name(st.Wish.Revision), name(st.Wish.By)
		}
	case state.KindAccepted:
		if len(st.Versions) > 0 {
			out.Revision = name(st.Versions[0].Name)
		}
	case state.KindBaseline, state.KindSettled, state.KindResume, state.KindWatched, state.KindFailed, state.KindRun, state.KindHalted:
	}
}

// entryURL is the page of what an entry is about; "" where it is about the
// environment alone.
func entryURL(repo promotion.Repository, e state.Entry) string {
	st := e.State
	switch e.Kind {
	case state.KindClaim, state.KindCarried, state.KindOpened, state.KindClosing, state.KindClosed, state.KindVeto, state.KindApproved, state.KindPast:
		if p := st.Promotion; p != nil && p.PullRequest > 0 {
			return pullURL(repo, p.PullRequest)
		}
	case state.KindLanded:
		switch l := st.Landing; {
		case l == nil:
		case l.PullRequest > 0:
			return pullURL(repo, l.PullRequest)
		default:
			return commitURL(repo, l.Commit)
		}
	case state.KindVerdict:
		if len(st.Verdicts) > 0 {
			return commitURL(repo, st.Verdicts[0].Landing)
		}
	case state.KindRun, state.KindFailed:
		if f := st.Failure; f != nil && len(f.Steps) > 0 {
			return page(f.Steps[len(f.Steps)-1].URL)
		}
	case state.KindAccepted:
		if len(st.Versions) > 0 {
			return page(st.Versions[0].URL)
		}
	case state.KindWatched:
		if w := st.Watch; w != nil {
			return commitURL(repo, w.Landing)
		}
	case state.KindBaseline, state.KindSettled, state.KindResume, state.KindHold, state.KindHalted, state.KindWish:
	}
	return ""
}
