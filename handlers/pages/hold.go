package pages

// Holding with a reason. One press holds at once, as it has to at night; who has a
// moment more says why, and until when.

import (
	"net/url"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/view"
)

// holding is what the page that asks about a hold was given.
type holding struct {
	Reason string
	Until  string
	Wrong  string // why it cannot be so; "" at first
}

// newHolding reads a form; nil where the action is no hold.
func newHolding(a view.Action, in url.Values) *holding {
	if a.Name != command.NameHold {
		return nil
	}
	return &holding{Reason: strings.Join(strings.Fields(in.Get("reason")), " "), Until: strings.TrimSpace(in.Get("until"))}
}

// command is the action's, with the reason and the end. Where it is not, Wrong says
// why.
func (h *holding) command(a view.Action, now time.Time) (string, bool) {
	if h.Reason == "" && h.Until == "" {
		return a.Command, true
	}
	if h.Until != "" {
		if _, err := command.ParseUntil(h.Until, now, time.UTC); err != nil {
			h.Wrong = err.Error()
			return "", false
		}
	}
	read := command.ParseSaid(a.Command)
	if len(read) == 1 {
		c := read[0]
		c.Reason, c.Until = h.Reason, h.Until
		// What is kept is what a comment that says so would be read as.
		if again := command.ParseSaid(c.Said()); len(again) == 1 && again[0].Problem == "" && again[0].Name == c.Name &&
			again[0].Environment == c.Environment && again[0].Pipeline == c.Pipeline && again[0].Until == c.Until {
			return again[0].Said(), true
		}
	}
	h.Wrong = "this cannot be said with the button; write the command in a comment"
	return "", false
}
