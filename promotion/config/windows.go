package config

// Windows: when promotions may land.
//
// Rules: a window is said once, by name, and environments name it; several must
// all be open; a window, or windows together, that never open are refused; days
// and hours are read by package calendar, in the window's own zone. What the
// holidays' file says is read later: here it is only a path.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/calendar"
)

const (
	maxWindows  = 50 // of a file
	maxTogether = 5  // of an environment
	maxSpans    = 50 // of a window, allowed and blocked
	// looks bounds how often windows are looked at to see whether they ever open.
	looks = 10_000
)

// windowSpec is one of `windows`.
type windowSpec struct {
	position
	allow, block said[[]said[[]calendar.Span]]
	zone         said[*time.Location]
	holidays     said[string]
}

const spansWords = `days and hours, as "Mon-Thu 09:00-16:00", "Sat,Sun" or "22:00-06:00"`

var (
	spansShape = scalar(spansWords, textType, schema{"type": "string", "minLength": 1, "maxLength": 1000},
		func(s string) ([]calendar.Span, *refusal) {
			spans, err := calendar.ParseSpans(s)
			if err != nil {
				return nil, refuse("write "+spansWords, "%s", err)
			}
			return spans, nil
		})
	zoneShape = scalar("a time zone, as Europe/Berlin", textType, schema{"type": "string", "minLength": 1},
		func(s string) (*time.Location, *refusal) { return loadZone(s) })
	holidaysShape = text("a path, as ops/holidays.ics", 1000, func(s string) *refusal {
		if bad := checkPath(s, false); bad != nil {
			return bad
		}
		if s == "." || strings.ContainsAny(s, "*?") {
			return refuse("name one file, as ops/holidays.ics", "%s names no one file", clip(s))
		}
		return nil
	})
	windowsShape  = mapOf("its times", nameShape, object("window", "When promotions may land.", false, windowFields()))
	approvalShape = convert(oneOf("required"), func(string) bool { return true })
)

// loadZone finds a zone of the IANA database.
func loadZone(name string) (*time.Location, *refusal) {
	const remedy = "write a zone of the IANA database, as Europe/Berlin"
	if name == "Local" || name == "" {
		return nil, refuse(remedy, "there is no time zone %s", clip(name))
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, refuse(remedy, "there is no time zone %s", clip(name))
	}
	return zone, nil
}

func windowFields() []field[windowSpec] {
	type spans = said[[]said[[]calendar.Span]]
	return []field[windowSpec]{
		key("allow", listOf(spansShape), "always", "when promotions may land; hours that end before they begin reach into the next day",
			func(w *windowSpec) *spans { return &w.allow }),
		key("block", listOf(spansShape), "never", "when they may not, stronger than `allow`",
			func(w *windowSpec) *spans { return &w.block }),
		key("zone", zoneShape, "UTC", "whose clocks count",
			func(w *windowSpec) *said[*time.Location] { return &w.zone }),
		key("holidays", holidaysShape, "none", "an iCalendar file on the default branch; its days are shut. Where it cannot be read, the window stays shut, and says so",
			func(w *windowSpec) *said[string] { return &w.holidays }),
	}
}

// window is a window as the loop takes it.
func (w *windowSpec) window(name string) Window {
	out := Window{Name: name, Holidays: w.holidays.value, Line: w.line}
	out.Zone = w.zone.or(time.UTC)
	for _, s := range w.allow.value {
		out.Allow = append(out.Allow, s.value...)
	}
	for _, s := range w.block.value {
		out.Block = append(out.Block, s.value...)
	}
	return out
}

func (w *windowSpec) spans() int {
	n := 0
	for _, s := range slices.Concat(w.allow.value, w.block.value) {
		n += len(s.value)
	}
	return n
}

// describe is a window in one line.
func (w *Window) describe() string {
	text := "always"
	if len(w.Allow) > 0 {
		text = calendar.Text(w.Allow)
	}
	if len(w.Block) > 0 {
		text += ", but not " + calendar.Text(w.Block)
	}
	text += ", " + w.Zone.String()
	if w.Holidays != "" {
		text += ", shut on the holidays in " + w.Holidays
	}
	return text
}

// window is the definition of a name.
func (f *File) window(name string) *windowSpec {
	for i := range f.doc.windows.value {
		if w := &f.doc.windows.value[i]; w.name.value == name {
			return &w.value
		}
	}
	return nil
}

// checkWindows checks the file's windows, and the names by which they are meant.
func (f *File) checkWindows(d *decoder) {
	all := f.doc.windows.value
	if len(all) > maxWindows {
		d.add(f.doc.windows.line, f.doc.windows.column, fmt.Sprintf("%d windows are too many; at most %d", len(all), maxWindows), "let environments share them")
		return
	}
	known := make([]string, len(all))
	budget, never := looks, false
	for i := range all {
		w, at := &all[i].value, "windows."+all[i].name.value
		known[i] = all[i].name.value
		switch {
		case len(w.allow.value) == 0 && len(w.block.value) == 0 && !w.holidays.said():
			d.add(w.line, w.column, at+" is always open", `say when, as allow: "Mon-Thu 09:00-16:00"`)
		case w.spans() > maxSpans:
			d.add(w.line, w.column, fmt.Sprintf("%s has %d spans; at most %d", at, w.spans(), maxSpans), "write days together, as Mon-Fri")
		case never:
			// To find that out takes long; one at a time is told.
		case !everOpen(&budget, w.window(known[i])):
			never = true
			d.add(w.line, w.column, at+" is never open: all that is allowed is blocked", "let block leave something of allow")
		}
	}
	for _, e := range f.doc.environments.value {
		checkWindowNames(d, "environments."+e.name.value+".window", e.value.window, known)
	}
	for _, p := range f.doc.pipelines.value {
		for _, e := range p.value.own.value {
			checkWindowNames(d, "pipelines."+p.name.value+".environments."+e.name.value+".window", e.value.window, known)
		}
	}
	for i, o := range f.doc.overrides.value {
		checkWindowNames(d, fmt.Sprintf("overrides[%d].window", i), o.window, known)
	}
}

func checkWindowNames(d *decoder, at string, l list, known []string) {
	if n := len(l.value); n > maxTogether {
		d.add(l.line, l.column, fmt.Sprintf("%s names %d windows; at most %d", at, n, maxTogether), "make one window of them")
	}
	for i, n := range l.value {
		switch {
		case len(known) == 0:
			d.add(n.line, n.column, fmt.Sprintf("%s names %s, and the file has no windows", at, clip(n.value)),
				fmt.Sprintf(`add it to the file, as windows: {%s: {allow: "Mon-Thu 09:00-16:00", zone: Europe/Berlin}}`, n.value))
		case !slices.Contains(known, n.value):
			d.dangling(at, n, "window", known)
		case slices.Contains(values(l.value[:i]), n.value):
			d.add(n.line, n.column, fmt.Sprintf("%s names %s twice", at, n.value), "name it once")
		}
	}
}

// checkTogether refuses windows of one environment that are never open at once.
func (f *File) checkTogether(d *decoder) {
	known, budget := map[string]bool{}, looks
	check := func(names []string, p position, at string) {
		k := strings.Join(names, " ")
		open, done := known[k]
		if !done {
			windows := make([]Window, 0, len(names))
			for _, n := range names {
				if w := f.window(n); w != nil {
					windows = append(windows, w.window(n))
				}
			}
			open = everOpen(&budget, windows...)
			known[k] = open
		}
		if !open {
			d.once(p, fmt.Sprintf("%s: %s are never open at the same time, and all must be", at, strings.Join(names, " and ")), "name one of them, or let them overlap")
		}
	}
	for _, l := range f.layouts {
		for _, e := range l.environments {
			base := e.window()
			if len(base.value) > 1 {
				check(values(base.value), base.position, e.name.value+".window")
			}
			for _, i := range f.matching(l.group.value, e.name.value, nil) {
				o := f.doc.overrides.value[i].window
				if names := union(values(base.value), values(o.value)); o.said() && len(names) > 1 {
					check(names, o.position, fmt.Sprintf("overrides[%d].window in %s", i, e.name.value))
				}
			}
		}
	}
}

// weeks are those in which clocks stand differently: winter, summer, and when
// those of America have changed and those of Europe have not.
var weeks = []time.Time{
	time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC),
	time.Date(2026, time.March, 16, 0, 0, 0, 0, time.UTC),
	time.Date(2026, time.July, 6, 0, 0, 0, 0, time.UTC),
	time.Date(2026, time.October, 26, 0, 0, 0, 0, time.UTC),
}

// everOpen says whether there is a moment at which all windows are open,
// holidays aside. Each look at a window costs one of the budget; when it is
// used up, they count as open.
func everOpen(budget *int, windows ...Window) bool {
	for _, t := range weeks {
		for end := t.AddDate(0, 0, 8); t.Before(end); {
			latest := t
			for i := range windows {
				if *budget--; *budget < 0 {
					return true
				}
				next, ever := windows[i].Next(t)
				if !ever {
					return false
				}
				if next.After(latest) {
					latest = next
				}
			}
			if latest.Equal(t) {
				return true
			}
			t = latest
		}
	}
	return false
}

// union is the names of both lists, each once, in order.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, n := range b {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// window and approval are the pipeline's own where it has them.
func (e *environmentLayout) window() list         { return prefer(e.own.window, e.file.window) }
func (e *environmentLayout) approval() said[bool] { return prefer(e.own.approval, e.file.approval) }
