package view

// What a person could do now: the same choice as on check runs
// (promotion.Applicable), and what goes with an open pull request. Whether an order
// would be obeyed is not guessed: it is tried on the snapshot, which changes
// nothing.

import (
	"fmt"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// nobody gives the orders that are only tried: no login has such a character.
const nobody = "\x01"

// actions are what applies now, the most sensible first: what check runs have
// buttons for, and what goes with an open pull request.
func (m maker) actions(e Environment) []Action {
	o, st := m.o, m.o.Ledger.State
	var out []Action
	for _, a := range promotion.Applicable(m.s, m.d, o) {
		c := Action{Name: a.Do, Label: a.Label, Command: a.Command, Asks: text(a.Asks), Does: text(a.Does), Danger: a.Danger, PullRequest: a.Issue, Button: a.Button}
		if a.Issue == 0 {
			c.Command = m.command(a.Do)
		}
		out = append(out, c)
	}
	p := st.UnderWay()
	if p == nil || p.PullRequest == 0 || p.Status != state.Opened || len(out) == 0 {
		return out
	}
	add := func(label string, c command.Command, does, asks string, danger bool) {
		out = append(out, Action{
			Name: c.Name, Label: cut(label, mostLabel), Command: c.Said(), Does: text(does), Asks: text(asks), Danger: danger, PullRequest: p.PullRequest,
		})
	}
	if o.Head != "" && o.Head != p.Head() {
		if done := promotion.Obey(m.s, o, promotion.Order{Do: command.NameRebuild, By: nobody}); !done.Refused {
			add("Rebuild", command.Command{Name: command.NameRebuild}, "makes the pull request anew", done.Answer, true)
		}
	}
	for _, g := range e.Gates {
		if can, _ := promotion.Passable(g.Name); !can || g.Passed || o.Config.Mode < config.Auto {
			continue
		}
		add("Merge past "+g.Name, command.Command{Name: command.NameMerge, Gate: g.Name, Confirm: true}, "merges although the gate is shut",
			fmt.Sprintf("#%d merges past this gate: %s. All other gates, and GitHub's own rules, still hold; it is recorded with your name.", p.PullRequest, g.Text), true)
	}
	if done := promotion.Obey(m.s, o, promotion.Order{Do: command.NameCancel, By: nobody}); !done.Refused {
		add("Close", command.Command{Name: command.NameCancel}, "leaves this revision out", done.Answer, false)
	}
	return out
}

// command is a command about this environment: its name alone where its pipeline
// cannot be named, and the button says it.
func (m maker) command(do string) string {
	c := command.Command{Name: do}
	if m.named {
		if c.Environment = m.o.Key.Environment; m.several {
			c.Pipeline = m.o.Key.Pipeline
		}
	}
	return c.Said()
}

// mostLabel is how long GitHub lets a button's label be.
const mostLabel = 20

// nameable says whether a command can name a pipeline: one whose folder has other
// characters than a comment's words can only be acted on from its pull request.
func nameable(pipeline string) bool {
	cs := command.ParseSaid("hold x --pipeline " + pipeline)
	return len(cs) == 1 && cs[0].Problem == "" && cs[0].Pipeline == pipeline
}
