package texts

// The pull request's text. Rules: the first line says who merges it and how to
// stop it; the trailers are the last paragraph, whatever had to be shortened;
// nothing in it depends on the moment it is written, so that writing it twice
// gives the same.

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// mostBody is GitHub's limit of a pull request's text, in characters ("body is
// too long (maximum is 65536 characters)"); counted here in bytes, which are more.
const mostBody = 65536

// mostRows is how many rows and items a list begins with.
const mostRows = 100

// Body is the pull request's text, at most 65,536 bytes. state.ParseTrailers
// reads the promotion's trailers back from it.
func Body(p Promotion) string {
	record := "\n\n" + trailers(p)
	var failed error
	if p.Config != nil && p.Config.Body != "" && !p.rollsBack() {
		for room := mostRows; room > 0; room /= 2 {
			data := templateData(p)
			data.Text = body(p, room, nil)
			text, err := config.RenderMarkdown(p.Config.Body, data)
			switch {
			case err != nil:
				failed = err
			case strings.TrimSpace(text) == "":
				failed = errors.New("it gives an empty text")
			default:
				if text = noDivider(strings.TrimSpace(text)) + record; len(text) <= mostBody {
					return text
				}
				failed = errors.New("its result is longer than GitHub takes")
			}
		}
	}
	for room := mostRows; ; room /= 2 {
		if text := body(p, room, failed) + record; len(text) <= mostBody || room == 0 {
			return text
		}
	}
}

// trailers are the last paragraph, inside a fence that stays open: an open
// fence reaches to the end of the text ("Fenced code blocks", GitHub Flavored
// Markdown Spec, 4.5), so that a folder called @team in them is no mention, and
// no line stands behind them.
func trailers(p Promotion) string {
	ts := p.State.Trailers(key(p), environment(p))
	for i := range ts {
		ts[i].Value = clean(ts[i].Value)
	}
	return "```text\n\n" + state.FormatTrailers(ts)
}

var divider = regexp.MustCompile(`(?m)^---[ \t\r]*$`)

// noDivider turns a template's "---" into "***", the same rule in Markdown: git
// takes the first for the end of a message ("git interpret-trailers").
func noDivider(s string) string { return divider.ReplaceAllString(s, "***") }

// body is everything before the trailers, with at most room items in each list.
func body(p Promotion, room int, failed error) string {
	if p.rollsBack() {
		return rollbackBody(p, room)
	}
	parts := []string{merges(p), why(p)}
	if _, err := title(p); err != nil {
		parts = append(parts, templateNote(p, "title", err))
	}
	if failed != nil {
		parts = append(parts, templateNote(p, "text", failed))
	}
	for _, s := range []string{
		table(p, room), brings(p, min(room, 30)), overwrites(p, min(room, 20)), keeps(p, min(room, 20)),
		way(p, min(room, 40)), undo(p), details(p, room),
	} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "\n\n")
}

func templateNote(p Promotion, what string, err error) string {
	return fmt.Sprintf("⚠ The pipeline file's template of the %s%s does not work, so promobot's own stands instead: %s",
		what, fromLine(p, what), inline(cut(clean(err.Error()), mostReason)))
}

// fromLine names the line a setting comes from: ", line 14 of the file,".
func fromLine(p Promotion, setting string) string {
	if p.Config == nil {
		return ""
	}
	for _, s := range p.Config.Settings {
		if s.Key == setting && s.From.Line > 0 {
			return ", " + lineOf(p, s.From.Line) + ","
		}
	}
	return ""
}

// lineOf is a link to a line of the pipeline file.
func lineOf(p Promotion, line int) string { return fileLine(p.Repository, line) }

func fileLine(r promotion.Repository, line int) string {
	return link(fmt.Sprintf("line %d of `%s`", line, config.Path), r,
		fmt.Sprintf("/blob/%s/%s#L%d", escapePath(r.DefaultBranch), config.Path, line))
}

// needPerson are the kinds of change that do not merge by themselves here.
func needPerson(p Promotion) []string {
	c := p.Decision.Content
	if c == nil || p.Config == nil || p.rollsBack() {
		return nil
	}
	var kinds []string
	for _, k := range c.Kinds {
		if !slices.Contains(p.Config.Allow, k) {
			kinds = append(kinds, string(k))
		}
	}
	return kinds
}

func mode(p Promotion) config.Mode {
	switch {
	case p.Config == nil:
		return config.Propose
	case p.rollsBack():
		return rollbackMode(p.Config)
	}
	return p.Config.Mode
}

// merger is who merges a promotion, and when.
func merger(p Promotion) string {
	kinds := needPerson(p)
	base := code(cmp.Or(p.branch(), p.Repository.DefaultBranch))
	switch {
	case mode(p) == config.Auto && len(kinds) > 0:
		return fmt.Sprintf("when a person merges it. promobot does not, since it has changes of kind %s, which `allow` does not name.", strings.Join(kinds, ", "))
	case mode(p) == config.Auto && p.Config.Merge == config.MergeByGitHub:
		return "by GitHub's auto-merge, to which promobot leaves it" + when(p) + ": as soon as the rules of " + base + " are met."
	case mode(p) == config.Auto && p.Config.Merge == config.MergeByQueue:
		return "by the merge queue of " + base + ", into which promobot puts it" + when(p) + ", as soon as the branch's rules are met."
	case mode(p) == config.Auto:
		return "by promobot" + when(p) + ", as soon as the rules of " + base + " and every check on it are met."
	case mode(p) == config.Observe:
		return "when a person merges it. promobot only observes here (`mode: observe`" + fromLine(p, "mode") + " now)."
	}
	if p.rollsBack() {
		return "when a person merges it. promobot does not merge rollbacks here (`rollback: propose`" + strings.TrimSuffix(fromLine(p, "rollback"), ",") + ")."
	}
	return "when a person merges it. promobot proposes here and does not merge (`mode: propose`" + strings.TrimSuffix(fromLine(p, "mode"), ",") + ")."
}

// branch is the base branch where it is not the default one.
func (p Promotion) branch() string {
	if p.Config == nil {
		return ""
	}
	return p.Config.Branch
}

// merges is the first line: who, when, and how to stop it.
func merges(p Promotion) string {
	return fmt.Sprintf("**Merges:** %s **Stop it:** close this pull request, or %s. Closed, promobot leaves %s alone in %s, and proposes only what %s after it; reopening takes that back.",
		merger(p), command("hold", environment(p)), revision(p.Repository, p.State.Revision), named(environment(p)), comes(p))
}

func names(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = named(s)
	}
	return strings.Join(out, " and ")
}

// why now: what landed where, and what the file asks for before it.
func why(p Promotion) string {
	var s strings.Builder
	s.WriteString("**Why now:** " + revision(p.Repository, p.State.Revision) + " ")
	if v := verified(p); v != "" {
		s.WriteString(v)
		if es := those(p.Verdict.Evidence, speaksFor); len(es) > 0 {
			s.WriteString(": " + proofs(es))
		}
		s.WriteString("; it landed there")
	} else {
		s.WriteString(came(p) + " " + names(sources(p)))
	}
	if p.State.Landing != p.State.Revision && p.State.Landing != "" && !isVersion(p) {
		s.WriteString(" as " + commit(p.Repository, p.State.Landing))
	}
	for _, st := range p.Way {
		if st.Environment == p.State.From && st.Carries && !st.At.IsZero() {
			s.WriteString(", " + at(st.At, p.State.Claimed))
		}
	}
	s.WriteString(".")
	if p.Config != nil && len(p.Config.After) > 0 && !slices.Equal(p.Config.After, p.Config.From) {
		s.WriteString(" It goes here after " + names(p.Config.After) + ".")
	}
	if p.State.Attempt > 1 {
		fmt.Fprintf(&s, " This is attempt %d", p.State.Attempt)
		if p.State.Cause != "" {
			s.WriteString("; the one before ended: " + said(p.State.Cause, p.Repository, 0))
		}
		s.WriteString(".")
	}
	if r := p.State.Replaced; r != nil && r.Revision != p.State.Revision {
		s.WriteString(" This pull request carried " + revision(p.Repository, r.Revision) + " before, and was moved on.")
	}
	if p.State.Rebuild > 0 {
		s.WriteString(" It was built anew, since the same files changed on the base branch.")
	}
	return s.String()
}

// comes is how newer ones will get there.
func comes(p Promotion) string {
	if p.State.From == state.Source {
		return "comes from " + names(sources(p))
	}
	return "lands in " + names(sources(p))
}

// came is how a revision got to where it is taken from.
func came(p Promotion) string {
	if p.State.From == state.Source {
		return "has come from"
	}
	return "landed in"
}

// at is a time for people, seen from another: "Tue 10:02 UTC" within six days
// before it, else with the date.
func at(t, from time.Time) string {
	t, from = t.UTC(), from.UTC()
	if d := from.Sub(t); d >= 0 && d < 6*24*time.Hour {
		return t.Format("Mon 15:04") + " UTC"
	}
	return t.Format("2 Jan 2006 15:04") + " UTC"
}

// details for whoever wants to check: the record, where it stands, and what
// promobot does about people's commits on the branch.
func details(p Promotion, room int) string {
	return record(append([]string{contentOf(p)}, aboutAttempt(p, room)...))
}

// aboutAttempt is what every promotion's record says.
func aboutAttempt(p Promotion, room int) []string {
	st := p.State
	lines := []string{
		fmt.Sprintf("Attempt %d, rebuilt %s. Expected digest %s.", st.Attempt, count(st.Rebuild, "time"), code(digest(st.Expected))),
		"Pushing to this branch makes the pull request yours: promobot then neither changes nor merges it. After the end the branch may be deleted.",
		fmt.Sprintf("The ledger of this environment is %s; `git log --first-parent` on it tells the story.", code(cut(state.Ref(key(p), environment(p)), mostPath))),
	}
	lines = append(lines, rebuilds(p, room)...)
	if p.Config != nil && p.Config.Line > 0 {
		lines = append(lines, "The environment is described from "+lineOf(p, p.Config.Line)+" on.")
	}
	return lines
}

func record(lines []string) string {
	return "<details><summary>Record</summary>\n\n- " + strings.Join(lines, "\n- ") + "\n\n</details>"
}

// contentOf is where a promotion's content comes from, and what it is laid over.
func contentOf(p Promotion) string {
	st := p.State
	switch {
	case isVersion(p):
		return fmt.Sprintf("Content is the version %s, set in what stands at %s.", code(cut(st.Revision, mostName)), commit(p.Repository, st.Base))
	case st.Read != "":
		return fmt.Sprintf("Content is that of %s at %s, laid over %s.", code(p.Config.Read), commit(p.Repository, st.Read), commit(p.Repository, st.Base))
	}
	return fmt.Sprintf("Content is that of %s at %s, laid over %s.", names(sources(p)[:1]), commit(p.Repository, st.Landing), commit(p.Repository, st.Base))
}

// isVersion says whether a promotion carries a version rather than files.
func isVersion(p Promotion) bool {
	if p.Config != nil && p.State.From == state.Source {
		return p.Config.Source != nil
	}
	if p.Pipeline != nil {
		for _, e := range p.Pipeline.Environments {
			if e.Name == p.State.From {
				return e.Managed
			}
		}
	}
	return false
}

// digest is the beginning of a digest, enough to compare by eye.
func digest(d string) string { return d[:min(len(d), 12)] }

// kinds of a change, for the table. That a rollback goes back to what is older is
// no news.
func (p Promotion) kinds(c content.Change) string {
	if p.rollsBack() {
		c.Kinds = nil
	}
	return kinds(c)
}

// kinds of a change.
func kinds(c content.Change) string {
	var ks []string
	for _, k := range c.Kinds {
		ks = append(ks, string(k))
	}
	if c.Overwrites {
		ks = append(ks, "overwrites")
	}
	if c.Merged {
		ks = append(ks, "lines of both sides merged")
	}
	if len(ks) == 0 {
		return ""
	}
	mark := "⚠ "
	if len(c.Kinds) == 0 && !c.Overwrites {
		mark = ""
	}
	return " (" + mark + strings.Join(ks, ", ") + ")"
}

// managed says whether another tool writes an environment: what it takes back
// there is an older version to promobot, and older ones change nothing.
func managed(p Promotion, environment string) bool {
	return p.Pipeline != nil && slices.ContainsFunc(p.Pipeline.Environments, func(e config.Environment) bool {
		return e.Name == environment && e.Managed
	})
}
