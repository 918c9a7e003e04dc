package texts

// Titles and git messages: plain text, so references are taken apart rather
// than escaped. The record in them is the trailers, in the last paragraph.

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

const (
	mostTitle   = 256 // characters of a title that GitHub takes ("Create a pull request")
	mostSubject = 72  // characters of a commit's subject before tools cut it
)

// Title is the pull request's title, at most 256 characters: the pipeline
// file's template, or "prod-eu: checkout 1.40.0 → 1.42.0". A template that
// fails gives way to the latter; Body says so.
func Title(p Promotion) string {
	t, _ := title(p)
	return t
}

// title also says why the template was not used.
func title(p Promotion) (string, error) {
	if p.rollsBack() {
		return rollbackTitle(p), nil
	}
	own := ownTitle(p, mostName)
	if p.Config == nil || p.Config.Title == "" {
		return own, nil
	}
	data := templateData(p)
	data.Text = own
	t, err := config.RenderTemplate(p.Config.Title, data)
	if err != nil {
		return own, err
	}
	if t = cut(plain(t), mostTitle); t == "" {
		return own, errors.New("it gives an empty title")
	}
	return t, nil
}

// ownTitle is the built-in title, with the pipeline's name in at most room characters.
func ownTitle(p Promotion, room int) string {
	does := ""
	if p.rollsBack() {
		does = "roll back "
	}
	return cut(fmt.Sprintf("%s: %s%s %s", plain(environment(p)), does, cut(plain(name(p)), room), change(p)), mostTitle)
}

// change is "1.40.0 → 1.42.0" or "→ 1a2b3c4d5e".
func change(p Promotion) string {
	if c := p.Decision.Content; c != nil && c.From != "" && c.To != "" {
		return cut(plain(c.From), 50) + " → " + cut(plain(c.To), 50)
	}
	if r := p.State.Reverts; r != nil {
		return cut(plain(short(r.Revision)), 50) + " → " + cut(plain(short(p.State.Revision)), 50)
	}
	return "→ " + cut(plain(short(p.State.Revision)), 50)
}

func environment(p Promotion) string {
	if p.Config != nil {
		return p.Config.Name
	}
	return p.Decision.Key.Environment
}

func name(p Promotion) string {
	if p.Pipeline == nil {
		return p.Decision.Key.Pipeline
	}
	if p.Pipeline.Title != "" {
		return p.Pipeline.Title
	}
	return p.Pipeline.Key
}

func key(p Promotion) string {
	if p.Pipeline == nil {
		return p.Decision.Key.Pipeline
	}
	return p.Pipeline.Key
}

func templateData(p Promotion) config.TemplateData {
	d := config.TemplateData{
		Pipeline: key(p), Name: name(p), Environment: environment(p), Source: strings.Join(sources(p), ", "),
		Revision: p.State.Revision, Short: short(p.State.Revision), Attempt: p.State.Attempt,
	}
	if commitID.MatchString(d.Revision) {
		d.Short = d.Revision[:7]
	}
	if c := p.Decision.Content; c != nil {
		d.From, d.To = c.From, c.To
		for _, k := range c.Kinds {
			d.Kinds = append(d.Kinds, string(k))
		}
	}
	for _, c := range p.Brings {
		if c.Author.Name != "" && !slices.Contains(d.Authors, c.Author.Name) {
			d.Authors = append(d.Authors, c.Author.Name)
		}
	}
	return d
}

// sources are the upstreams that the promotion carries: its own first.
func sources(p Promotion) []string {
	var others []string
	for o := range p.State.Others {
		others = append(others, o)
	}
	slices.Sort(others)
	from := p.State.From
	if from == state.Source && p.Config != nil {
		from = promotion.SourceName(p.Config.Source)
		if p.Config.Source == nil {
			from = p.Config.Read
		}
	}
	return append([]string{from}, others...)
}

// How much of the changes a commit's message lists.
const changesInMessage = 20

// CommitMessage is the promotion's commit's: subject, why, what, trailers.
func CommitMessage(p Promotion) string {
	parts := []string{subject(p, ""), wrap(whyPlain(p))}
	if lines := changeLines(p.Decision.Content); lines != "" {
		parts = append(parts, lines)
	}
	return strings.Join(append(parts, state.FormatTrailers(p.State.Trailers(key(p), environment(p)))), "\n\n")
}

// MergeMessage is what promobot merges with: title and message of the merge or
// squash commit. The message carries the trailers, the pull request's too.
func MergeMessage(p Promotion) (title, message string) {
	number := ""
	if p.State.PullRequest > 0 {
		number = " (#" + strconv.Itoa(p.State.PullRequest) + ")"
		if p.State.URL == "" && page.MatchString(p.Repository.URL) {
			p.State.URL = p.Repository.URL + "/pull/" + strconv.Itoa(p.State.PullRequest)
		}
	}
	parts := []string{wrap(whyPlain(p) + " Merged by promobot.")}
	if gates := gateLines(p); gates != "" {
		parts = append(parts, gates)
	}
	if lines := changeLines(p.Decision.Content); lines != "" {
		parts = append(parts, lines)
	}
	parts = append(parts, state.FormatTrailers(p.State.Trailers(key(p), environment(p))))
	return subject(p, number), strings.Join(parts, "\n\n")
}

// subject is the title where it is short enough, else the built-in one with a
// shorter name; end is kept in any case.
func subject(p Promotion, end string) string {
	room := mostSubject - utf8.RuneCountInString(end)
	t := Title(p)
	if utf8.RuneCountInString(t) > room {
		t = ownTitle(p, mostName)
	}
	if over := utf8.RuneCountInString(t) - room; over > 0 {
		t = ownTitle(p, max(12, utf8.RuneCountInString(cut(plain(name(p)), mostName))-over))
	}
	return t + end
}

func whyPlain(p Promotion) string {
	if p.rollsBack() {
		return rollbackPlain(p)
	}
	rev := cut(plain(short(p.State.Revision)), 50)
	s := fmt.Sprintf("%s %s %s", rev, came(p), plain(strings.Join(sources(p), ", ")))
	if p.State.Landing != p.State.Revision && p.State.Landing != "" && !isVersion(p) {
		s += " as " + plain(short(p.State.Landing))
	}
	if v := verified(p); v != "" {
		s += " and is verified there"
		if es := those(p.Verdict.Evidence, speaksFor); len(es) > 0 {
			s += " (" + proofsPlain(es) + ")"
		}
	}
	s += fmt.Sprintf("; this brings it to %s.", plain(environment(p)))
	if p.State.Attempt > 1 {
		s += fmt.Sprintf(" Attempt %d.", p.State.Attempt)
	}
	if p.State.Rebuild > 0 {
		s += " Built anew, since the same files changed on the base branch."
	}
	return s
}

func gateLines(p Promotion) string {
	var lines []string
	for _, g := range p.Decision.Gates {
		if g.Passed {
			lines = append(lines, "- "+cut(plain(g.Text), mostReason))
		}
	}
	return strings.Join(lines, "\n")
}

// changeLines lists the changes, one indented line each, so that none of them
// reads as a trailer.
func changeLines(c *content.Result) string {
	if c == nil || len(c.Changes) == 0 {
		return ""
	}
	var lines []string
	for i, ch := range c.Changes {
		if i == changesInMessage {
			lines = append(lines, "  "+more(len(c.Changes)-i))
			break
		}
		what := cut(plain(ch.File), mostPath)
		if ch.Value != "" {
			what += " " + cut(plain(ch.Value), mostName)
		}
		lines = append(lines, fmt.Sprintf("  %s: %s → %s", what, orNone(ch.Now), orNone(ch.After)))
	}
	return strings.Join(lines, "\n")
}

func orNone(s string) string {
	if s = cut(plain(s), 60); s == "" {
		return none
	}
	return s
}

// keyed is a word that would begin a trailer.
var keyed = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*:$`)

// wrap breaks prose at 72 characters, words kept whole; no line begins like a
// trailer.
func wrap(s string) string {
	var b strings.Builder
	at := 0
	for i, w := range strings.Fields(s) {
		n := utf8.RuneCountInString(w)
		switch {
		case i == 0:
		case at+1+n > mostSubject && !keyed.MatchString(w):
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(w)
		at += n
	}
	return b.String()
}
