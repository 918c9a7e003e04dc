package texts

// Buttons of the check runs: at most three, each of which says in twenty
// characters what it does where. A button whose label could be meant of two
// environments is left out: the commands are there for it.

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/promobot/promobot/promotion"
)

// GitHub's limits of a check run's actions ("Create a check run", REST API
// documentation), in characters.
const (
	mostButtons = 3
	mostLabel   = 20
	mostDoes    = 40
)

// Button is a button of a check run.
type Button struct {
	Label      string // at most 20 characters
	Does       string // at most 40 characters
	Identifier string // at most 20 characters; promotion.Pressed finds what it is about
}

// candidate is a button that may be shown.
type candidate struct {
	promotion.Applies
	pipeline, environment string
	alone                 bool // there is one environment that it can be about
	many                  bool // there are several pipelines
}

// headButtons are those of the check run on a pull request's head: what is about
// its promotion. What stands there already has its own commit. Of a batch it is
// what is about all of it.
func headButtons(p Promotion) []Button {
	var cs []candidate
	if !p.State.Status.Ended() {
		for _, a := range p.Actions {
			if a.Do == promotion.DoApprove || p.State.Batch == nil && (a.Do == promotion.DoHold || a.Do == promotion.DoResume) {
				cs = append(cs, candidate{Applies: a, environment: environment(p), alone: true})
			}
		}
	}
	return chosen(cs)
}

// revisionButtons are those of the check run on a revision: what is urgent first;
// then in turn what takes it back, where it is furthest along, and what stops it
// where it comes next. Among several pipelines only the urgent ones.
func revisionButtons(ps []RevisionPipeline) []Button {
	var urgent, back, hold []candidate
	steps := 0
	for _, p := range ps {
		steps += len(p.Steps)
		for _, s := range slices.Backward(p.Steps) {
			for _, a := range s.Actions {
				c := candidate{Applies: a, environment: s.Environment, many: len(ps) > 1}
				if p.Pipeline != nil {
					c.pipeline = p.Pipeline.Title
				}
				switch {
				case a.Do == promotion.DoApprove: // of a pull request, which has its own check run
				case a.Urgent:
					urgent = append(urgent, c)
				case len(ps) > 1:
				case a.Do == promotion.DoRollback:
					back = append(back, c)
				case !s.Carries:
					hold = slices.Insert(hold, 0, c)
				}
			}
		}
	}
	all := urgent
	for i := range max(len(back), len(hold)) {
		all = append(all, slices.Concat(back[min(i, len(back)):min(i+1, len(back))], hold[min(i, len(hold)):min(i+1, len(hold))])...)
	}
	for i := range all {
		all[i].alone = steps == 1
	}
	return chosen(all)
}

// chosen are the first that fit and cannot be taken for each other.
func chosen(cs []candidate) []Button {
	var out []Button
	for _, c := range cs {
		label := c.label()
		same := func(b Button) bool { return b.Label == label }
		if label == "" || len(out) == mostButtons || slices.ContainsFunc(out, same) {
			continue
		}
		out = append(out, Button{Label: label, Does: c.does(), Identifier: c.Button})
	}
	return out
}

// label is what the button does and where; "" where that does not fit.
func (c candidate) label() string {
	names := []string{c.environment}
	if c.many {
		names = []string{c.pipeline + "/" + c.environment}
	}
	if c.alone {
		names = append(names, "")
	}
	for _, n := range names {
		if l := strings.TrimSpace(c.Label + " " + plain(n)); utf8.RuneCountInString(l) <= mostLabel {
			return l
		}
	}
	return ""
}

func (c candidate) does() string { return cut(plain(c.Does), mostDoes) }

// buttonLine says what the buttons do, in more characters than they have.
func buttonLine(bs []Button) string {
	if len(bs) == 0 {
		return ""
	}
	return "**Buttons:** " + each(bs, mostButtons, " · ", func(b Button) string {
		return "*" + inline(b.Label) + "* (" + inline(b.Does) + ")"
	}) + ". They ask for the same rights as the commands of these names. *Re-run* looks again."
}
