package view

// What a person could do now. Nothing is guessed: an order that would write to the
// ledger is tried on the snapshot, which changes nothing, and what it would answer
// is what a page asks before it is given.

import (
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// word is what a command begins with in a comment.
const word = "/promobot "

// nobody gives the orders that are only tried: no login has such a character.
const nobody = "\x01"

// actions are what applies now, the most sensible first.
func (m maker) actions(e Environment) []Action {
	o, st := m.o, m.o.Ledger.State
	if m.s.Repository.Archived || st == nil || o.Ledger.Problem != "" || !o.Config.Present || o.Config.Managed {
		return nil
	}
	var out []Action
	add := func(label string, c command.Command, asks string, danger bool) {
		a := Action{Name: c.Name, Label: label, Asks: text(asks), Danger: danger}
		if c.Name == command.NameApprove || c.Name == command.NameMerge || c.Name == command.NameCancel || c.Name == command.NameRebuild {
			a.PullRequest = st.Promotion.PullRequest
		} else {
			if !m.named {
				return
			}
			if c.Environment = o.Key.Environment; m.several {
				c.Pipeline = o.Key.Pipeline
			}
		}
		a.Command = strings.TrimPrefix(c.String(), word)
		out = append(out, a)
	}
	try := func(do, gate string) (asks string, possible bool) {
		done := promotion.Obey(m.s, o, promotion.Order{Do: do, By: nobody, Gate: gate})
		return done.Answer, !done.Refused
	}
	p := st.UnderWay()
	opened := p != nil && p.PullRequest > 0 && p.Status == state.Opened
	held := st.Hold != nil
	if asks, ok := "", held || st.Failure != nil; ok {
		if asks, ok = try(command.NameResume, ""); ok {
			add("Resume", command.Command{Name: command.NameResume}, asks, st.Hold != nil && st.Hold.Failed != "")
		}
	}
	if opened {
		for _, g := range e.Gates {
			if g.Name == "approval" && !g.Passed {
				if asks, ok := try(command.NameApprove, ""); ok {
					add("Approve", command.Command{Name: command.NameApprove}, asks, false)
				}
			}
		}
	}
	if p == nil && o.Config.Mode > config.Observe {
		again := e.Standing == string(promotion.Rejected) || st.Failure != nil || len(st.Floor) > 0
		if asks, ok := try(command.NameRetry, ""); again && ok {
			add("Try again", command.Command{Name: command.NameRetry}, asks, false)
		} else if again && m.d.Offer != nil {
			if asks, ok := try(command.NamePromote, ""); ok {
				add("Promote", command.Command{Name: command.NamePromote}, asks, false)
			}
		}
	}
	if opened && m.o.Head != "" && m.o.Head != p.Head() {
		if asks, ok := try(command.NameRebuild, ""); ok {
			add("Rebuild", command.Command{Name: command.NameRebuild}, asks, true)
		}
	}
	if rec := st.Landing; rec != nil && rec.Was != nil && rec.Reverts == "" && o.Config.Mode > config.Observe {
		if asks, ok := try(command.NameRollback, ""); ok {
			add("Roll back", command.Command{Name: command.NameRollback}, asks, true)
		}
	}
	if opened {
		for _, g := range e.Gates {
			if can, _ := promotion.Passable(g.Name); !can || g.Passed || o.Config.Mode < config.Auto {
				continue
			}
			asks := fmt.Sprintf("#%d merges although %s; all other gates, and GitHub's own rules, still hold, and this is recorded with your name", p.PullRequest, g.Text)
			add(cut("Merge past "+g.Name, mostLabel), command.Command{Name: command.NameMerge, Gate: g.Name, Confirm: true}, asks, true)
		}
		if asks, ok := try(command.NameCancel, ""); ok {
			add("Close", command.Command{Name: command.NameCancel}, asks, false)
		}
	}
	if !held || st.Hold.Failed == "" && !st.Hold.Asked {
		add("Hold", command.Command{Name: command.NameHold}, fmt.Sprintf("nothing is merged to %s by promobot until someone resumes it", o.Key.Environment), false)
	}
	return out
}

// mostLabel is how long GitHub lets a button's label be.
const mostLabel = 20

// nameable says whether a command can name a pipeline: one whose folder has other
// characters than a comment's words can only be acted on from its pull request.
func nameable(pipeline string) bool {
	cs := command.Parse(word+"hold x --pipeline "+pipeline, nil)
	return len(cs) == 1 && cs[0].Problem == "" && cs[0].Pipeline == pipeline
}
