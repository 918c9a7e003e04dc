package texts

// The texts of a batch: promotions of one environment in one pull request. They
// are those of a single promotion, with one line for each where that has a part.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// BatchTitle is "staging: 14 services (checkout 1.40.0 → 1.42.0, cart …)", at
// most 256 characters.
func BatchTitle(ps []Promotion) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (", plain(environment(ps[0])), count(len(ps), "service"))
	for i, p := range ps {
		next := cut(plain(name(p)), 40) + " " + change(p)
		if i > 0 {
			next = ", " + next
		}
		if len(b.String())+len(next) > mostTitle-6 {
			b.WriteString(", …")
			break
		}
		b.WriteString(next)
	}
	return cut(b.String()+")", mostTitle)
}

// BatchBody is a batch's text, at most 65,536 bytes. Its last paragraph names
// the batch and every promotion in it.
func BatchBody(ps []Promotion) string {
	record := "\n\n" + batchTrailers(ps)
	for room := mostRows; ; room /= 2 {
		text := batchBody(ps, room) + record
		if len(text) <= mostBody || room == 0 {
			return text
		}
	}
}

func batchBody(ps []Promotion, room int) string {
	first := ps[0]
	env := named(environment(first))
	parts := []string{
		fmt.Sprintf("**Merges:** %s All of it lands, or none. **Stop it:** close this pull request: promobot then leaves these %s alone in %s, and proposes only what lands after them; reopening takes that back.",
			batchMerges(ps), count(len(ps), "revision"), env),
		"**Why now:** " + gathered(first) + " Each service is a commit of its own, so that each can be taken back alone.",
		batchTable(ps, room),
	}
	var lost []string
	for _, p := range ps {
		if s := overwrites(p, min(room, 5)); strings.HasPrefix(s, "⚠") {
			lost = append(lost, "In "+named(name(p))+": "+s)
		}
	}
	if len(lost) > 0 {
		parts = append(parts, listed(lost, min(room, 20), "\n\n"))
	}
	parts = append(parts, "**Undo after merging:** one service: "+command("rollback", environment(first)+" --pipeline "+key(first))+", say, or `git revert` of its own commit; all of them: "+revert(first)+".")
	lines := []string{
		fmt.Sprintf("Built %s on %s.", count(first.State.Batch.Build, "time"), commit(first.Repository, first.State.Base)),
		"Pushing to this branch makes the pull request yours: promobot then neither changes nor merges it. After the end the branch may be deleted.",
	}
	for i, p := range ps {
		if i == room {
			lines = append(lines, more(len(ps)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s: ledger %s, from %s at %s", named(name(p)), code(cut(state.Ref(key(p), environment(p)), mostPath)), named(p.State.From), commit(p.Repository, p.State.Landing)))
	}
	lines = append(lines, rebuilds(first, room)...)
	return strings.Join(append(parts, "<details><summary>Record</summary>\n\n- "+strings.Join(lines, "\n- ")+"\n\n</details>"), "\n\n")
}

func batchMerges(ps []Promotion) string {
	var needs []string
	for _, p := range ps {
		if kinds := needPerson(p); len(kinds) > 0 {
			needs = append(needs, named(name(p)))
		}
	}
	switch {
	case mode(ps[0]) != config.Auto:
		return merger(ps[0])
	case len(needs) > 0:
		return "when a person merges it, since " + listed(needs, 8, ", ") + " has changes of kinds that `allow` does not name."
	}
	return merger(ps[0])
}

func gathered(p Promotion) string {
	if p.Config == nil || !p.Config.Batch.Batched() {
		return "They became due together."
	}
	if p.Config.Batch.Hourly {
		return "They landed within the hour before (`batch: hourly`)."
	}
	return fmt.Sprintf("They landed within the day before (`batch`, %s).", promotion.When(p.Config.Batch.Last(p.State.Claimed), p.Config.Batch.Zone))
}

// batchTable has one row a service, or one a change where there are few.
func batchTable(ps []Promotion, room int) string {
	var b strings.Builder
	b.WriteString("| service | from | what | now | after |\n| --- | --- | --- | --- | --- |")
	for i, p := range ps {
		if i == room {
			fmt.Fprintf(&b, "\n| %s | | | | |", more(len(ps)-i))
			break
		}
		what, now, then := "see *Files changed*", "", ""
		if c := p.Decision.Content; c != nil && len(c.Changes) > 0 {
			ch := c.Changes[0]
			what = cell(cut(ch.File, mostPath))
			if ch.Value != "" {
				what = cell(cut(ch.Value, mostName))
			}
			now, then = cell(cut(ch.Now, mostName)), after(ch)+kinds(ch)
			if n := len(c.Changes) - 1; n > 0 {
				what += " and " + more(n)
			}
		}
		fmt.Fprintf(&b, "\n| %s | %s | %s | %s | %s |", cell(cut(name(p), mostName)), revision(p.Repository, p.State.Revision), what, now, then)
	}
	return b.String()
}

// batchTrailers are the last paragraph: those that all have in common, and the
// id of each.
func batchTrailers(ps []Promotion) string {
	first := ps[0]
	ts := []state.Trailer{{Key: state.TrailerBatch, Value: first.State.Batch.Name()}, {Key: state.TrailerEnvironment, Value: environment(first)}}
	for _, p := range ps {
		ts = append(ts, state.Trailer{Key: state.TrailerID, Value: p.State.ID})
	}
	for i := range ts {
		ts[i].Value = clean(ts[i].Value)
	}
	return "```text\n\n" + state.FormatTrailers(ts)
}

// BatchMergeMessage is title and message of a batch's merge or squash commit.
func BatchMergeMessage(ps []Promotion) (title, message string) {
	first := ps[0]
	number := " (#" + strconv.Itoa(first.State.PullRequest) + ")"
	title = fmt.Sprintf("%s: %s%s", plain(environment(first)), count(len(ps), "service"), number)
	var lines []string
	for i, p := range ps {
		if i == mostRows {
			lines = append(lines, "  "+more(len(ps)-i))
			break
		}
		lines = append(lines, "  "+cut(plain(name(p)), mostName)+" "+change(p))
	}
	ts := []state.Trailer{{Key: state.TrailerBatch, Value: first.State.Batch.Name()}, {Key: state.TrailerPullRequest, Value: first.State.URL}}
	for _, p := range ps {
		ts = append(ts, state.Trailer{Key: state.TrailerID, Value: p.State.ID})
	}
	return title, strings.Join([]string{"Gathered and merged by promobot.", strings.Join(lines, "\n"), state.FormatTrailers(ts)}, "\n\n")
}

// BatchHeadCheck is the check run on the head of a batch's pull request: what
// all of it waits for, then each service that waits for something of its own.
func BatchHeadCheck(ps []Promotion) Check {
	lead := slices.MaxFunc(ps, func(a, b Promotion) int { return urgency(a) - urgency(b) })
	c := HeadCheck(lead)
	if name(lead) != name(ps[0]) || lead.Decision.Standing == promotion.Stopped {
		c.Title = cut(plain(name(lead))+": "+c.Title, mostHeadline)
	}
	// The lead's own text is kept whole as far as it is: what follows is shortened.
	c.Summary += "\n\n" + fitTo(mostCheck-len(c.Summary)-2, mostRows, func(room int) string {
		return fmt.Sprintf("In it are %s:\n\n- %s", count(len(ps), "service"), each(ps, room, "\n- ", member))
	})
	return c
}

// urgency is how much of a batch's standing one of its members makes.
func urgency(p Promotion) int {
	switch p.Decision.Standing {
	case promotion.Stopped:
		return 4
	case promotion.Proposed:
		return 3
	case promotion.Merging:
		return 0
	default:
	}
	if _, waits := shut(p); waits {
		return 2
	}
	return 1
}

// member is what one service of a batch waits for.
func member(p Promotion) string {
	mark, why := "✓", inline(change(p))
	if g, waits := shut(p); waits {
		mark, why = "◷", why+": "+said(g.Text, p.Repository, p.State.PullRequest)
	}
	if p.Decision.Standing == promotion.Stopped {
		mark, why = "✗", inline(change(p))+": "+said(p.Decision.Reason, p.Repository, p.State.PullRequest)
	}
	return fmt.Sprintf("%s %s %s", mark, named(name(p)), why)
}

// rebuilds are the newest attempts to put a promotion on the base branch, for the
// record.
func rebuilds(p Promotion, room int) []string {
	var lines []string
	for _, a := range p.State.Attempts[max(0, len(p.State.Attempts)-room):] {
		lines = append(lines, fmt.Sprintf("Built anew %s UTC: %s (%s → %s).", moment(a.Time), said(a.Why, p.Repository, p.State.PullRequest), commit(p.Repository, a.From), commit(p.Repository, a.To)))
	}
	return lines
}
