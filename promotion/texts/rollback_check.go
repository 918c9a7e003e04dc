package texts

// The check run on the head of a rollback's pull request, where it says something
// else than a promotion's.

import (
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// rollbackMode is who merges a rollback: a setting of its own.
func rollbackMode(c *config.Environment) config.Mode {
	switch {
	case c.Mode == config.Observe:
		return config.Observe
	case c.Rollback == config.Auto:
		return config.Auto
	}
	return config.Propose
}

// rollbackHeadline is the head check's title and conclusion where a rollback has
// its own; "" where they are a promotion's.
func rollbackHeadline(p Promotion) (title, conclusion string) {
	switch {
	case p.Decision.Standing == promotion.Stopped:
		return "", ""
	case p.State.Status == state.Landed:
		return "Rolled back in " + environment(p), success
	case p.State.Status == state.Vetoed:
		if held(p) {
			return "Closed by a person: not rolled back, and " + environment(p) + " stays held", neutral
		}
		return "Closed by a person: not rolled back", neutral
	case p.State.Status == state.Opened && clashing(p):
		over, refused := clashes(p)
		return "Waits for a person: " + count(max(1, len(over)+len(refused)), "change") + " made since in the same lines", failure
	}
	return "", ""
}

// rollbackNext is the head check's first line where a rollback has its own.
func rollbackNext(p Promotion, room int) string {
	if p.rollsBack() && p.State.Status == state.Opened && p.Decision.Standing != promotion.Stopped && clashing(p) {
		return clash(p, room)
	}
	return ""
}

// rollbackEffect is what merging a rollback will do.
func rollbackEffect(p Promotion) string {
	env := named(environment(p))
	s := "Merging takes " + named(name(p)) + " back in " + env + ", " + inline(change(p))
	if c := p.Decision.Content; c != nil && len(c.Changes) > 0 {
		s += " (" + amounts(c) + ")"
	}
	s += "; it is offered to no other environment."
	if held(p) {
		s += " " + env + " stays held until " + command("resume", environment(p)) + "."
	}
	return s
}
