package texts

// When something happens that has to wait: windows and their clocks. Rules: a time
// is said as the clock of the window's own zone shows it, seen from when it was
// first waited for, so that the same text is right on every day.

import (
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
)

// when says from when on a promotion may merge, by its windows and its approval,
// as ", Mon 09:00 Europe/Berlin at the earliest (window …)"; "" for at once.
func when(p Promotion) string {
	if p.rollsBack() {
		return ""
	}
	s := ""
	if len(p.Config.Windows) > 0 {
		names := each(p.Config.Windows, mostEvidence, "; ", func(w config.Window) string { return windowText(p, w) })
		switch opens, zone, why := opening(p); {
		case why != "":
			s = ", not before " + why + " (" + names + ")"
		case opens.After(p.State.Claimed):
			s = ", " + inline(calendar.Describe(opens, p.State.Claimed, zone)) + " at the earliest (" + names + ")"
		default:
			s = " while it may (" + names + ")"
		}
	}
	if p.Config.Approval {
		s += ", after a person's `/promobot approve`"
	}
	return s
}

// windowText is a window with what it says, and where: "window `office`: Mon-Thu
// 09:00-16:00, Europe/Berlin, line 14 of the file".
func windowText(p Promotion, w config.Window) string {
	var says []string
	if len(w.Allow) > 0 {
		says = append(says, inline(cut(calendar.Text(w.Allow), mostName)))
	}
	if len(w.Block) > 0 {
		says = append(says, "not "+inline(cut(calendar.Text(w.Block), mostName)))
	}
	if w.Holidays != "" {
		says = append(says, "not on the holidays of "+code(cut(w.Holidays, mostPath)))
	}
	if w.Zone != nil {
		says = append(says, inline(w.Zone.String()))
	}
	if w.Line > 0 {
		says = append(says, lineOf(p, w.Line))
	}
	s := "window " + code(cut(w.Name, mostName))
	if len(says) > 0 {
		s += ": " + strings.Join(says, ", ")
	}
	return s
}

// opening is the first time since a promotion's claim at which all of its windows
// are open, on the clock of the one that opens last; or why there is none.
func opening(p Promotion) (opens time.Time, zone *time.Location, why string) {
	opens = p.State.Claimed
	for range 100 { // windows that never meet are given up
		moved := false
		for _, w := range p.Config.Windows {
			if unread := p.Shut[w.Holidays]; w.Holidays != "" && unread != "" {
				return opens, nil, fmt.Sprintf("%s can be read, which could not be when this was written: %s", code(cut(w.Holidays, mostPath)), inline(cut(clean(unread), mostReason)))
			}
			if w.Holidays != "" {
				w.Days = p.Holidays[w.Holidays]
			}
			next, ever := w.Next(opens)
			if !ever {
				return opens, nil, "window " + code(cut(w.Name, mostName)) + " opens, which it never does"
			}
			if next.After(opens) {
				opens, zone, moved = next, w.Zone, true
			}
		}
		if !moved {
			return opens, zone, ""
		}
	}
	return opens, nil, "its windows are open together, which they never are"
}

// zoneOf is the zone of the window that a gate stands for; nil: UTC.
func zoneOf(c *config.Environment, g promotion.Gate) *time.Location {
	if c != nil && g.Name == "window" {
		for _, w := range c.Windows {
			if w.Line == g.Line {
				return w.Zone
			}
		}
	}
	return nil
}

// short clock of a title: "Mon 09:00 CET", or with the date where it is past or
// more than six days away.
func glance(t, from time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	s := calendar.Describe(t, from, zone)
	return strings.TrimSuffix(s, zone.String()) + t.In(zone).Format("MST")
}
