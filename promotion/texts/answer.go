package texts

// The one comment that answers a comment's commands. It is found again by its
// first line, so that a command is answered once however often it arrives, and
// edited as things go on.
//
// Rules:
//
//   - What a person wrote is shown as code, so it is no command here.
//   - Nobody is mentioned but the author.
//   - It says first whether something happened: ✓ it did, ◷ it is under way, ⚠ it
//     would, once confirmed, ✗ it did not.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// Answer is what is answered to a comment.
type Answer struct {
	Repository promotion.Repository
	Comment    int64
	Author     string // login of the one who asked
	Commands   []AnsweredCommand
}

// AnsweredCommand is what a command came to.
type AnsweredCommand struct {
	Text string // as it was written
	Done bool
	// Working says that it had its effect, which is not through yet.
	Working bool
	// Asks says that nothing happened, since it has to be confirmed first.
	Asks bool
	Says []string // sentences, one for each environment; code between backticks
	// PullRequest is the one whose number in the sentences becomes a link; 0 for none.
	PullRequest int
	// Status, when set, is shown as a table.
	Status []StatusRow
	// Markdown, when set, is shown as it is: promobot's own help.
	Markdown string
}

// StatusRow is one environment. What no row has is not in the table.
type StatusRow struct {
	Environment string // pipeline/environment
	Revision    string // that stands there; "" when there is none
	Standing    promotion.Standing
	Reason      string
	PullRequest int
	// Hold is the environment's; nil: it is not held.
	Hold *state.Hold
	// Verification is of what stands there; nil where nothing is verified.
	Verification *promotion.Verification
}

// mostAnswer is below GitHub's limit of a comment, 65,536 characters, in bytes.
const mostAnswer = 65_000

// AnswerMark is the first line of the answer to a comment.
func AnswerMark(comment int64) string { return fmt.Sprintf("<!-- promobot answers %d -->", comment) }

// AnswerTo is the comment.
func AnswerTo(a Answer) string {
	head := AnswerMark(a.Comment) + "\n" + mention(a.Author) + "\n"
	return head + fitTo(mostAnswer-len(head), mostRows, func(room int) string {
		var b strings.Builder
		for _, c := range a.Commands {
			b.WriteString("\n" + answered(a.Repository, c, room))
		}
		return b.String()
	})
}

// answered is one command with what it came to.
func answered(repo promotion.Repository, c AnsweredCommand, room int) string {
	blocks := []string{c.sign() + " " + code(cut(strings.TrimSpace(clean(c.Text)), mostPath))}
	if len(c.Says) > 0 {
		blocks[0] += "\n- " + each(c.Says, max(room, 1), "\n- ", func(s string) string { return said(s, repo, c.PullRequest) })
	}
	if len(c.Status) > 0 {
		blocks = append(blocks, statusTable(repo, c.Status, room))
	}
	if c.Markdown != "" {
		blocks = append(blocks, c.Markdown)
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

func (c AnsweredCommand) sign() string {
	switch {
	case c.Asks:
		return "⚠"
	case c.Working:
		return "◷"
	case c.Done:
		return "✓"
	}
	return "✗"
}

// column is one of a status table's, and what a row has in it; "" for nothing.
type column struct {
	title string
	cell  func(StatusRow) string
}

// statusTable has one row for each environment.
func statusTable(repo promotion.Repository, rows []StatusRow, room int) string {
	columns := []column{
		{"environment", func(r StatusRow) string { return named(r.Environment) }},
		{"has", func(r StatusRow) string {
			if r.Revision == "" {
				return ""
			}
			return revision(repo, r.Revision)
		}},
		{"stands", func(r StatusRow) string { return stands(r.Standing) }},
		{"pull request", func(r StatusRow) string {
			if r.PullRequest == 0 {
				return ""
			}
			return pull(repo, r.PullRequest)
		}},
		{"verification", func(r StatusRow) string {
			return strings.Join(accounts(repo, Step{Environment: r.Environment, Carries: true, Verification: r.Verification}), "; ")
		}},
		{"why", func(r StatusRow) string {
			switch {
			case r.Hold != nil:
				return heldText(repo, r.Hold, environmentOf(r.Environment))
			case r.Reason == "":
				return ""
			}
			return said(r.Reason, repo, r.PullRequest)
		}},
	}
	shown := rows[:min(len(rows), room)]
	columns = slices.DeleteFunc(columns, func(c column) bool {
		return c.title != "environment" && !slices.ContainsFunc(shown, func(r StatusRow) bool { return c.cell(r) != "" })
	})
	head, rule := "|", "|"
	for _, c := range columns {
		head, rule = head+" "+c.title+" |", rule+" --- |"
	}
	lines := []string{head, rule}
	for _, r := range shown {
		var line strings.Builder
		line.WriteString("|")
		for _, c := range columns {
			text := c.cell(r)
			if text == "" {
				text = none
			}
			line.WriteString(" " + text + " |")
		}
		lines = append(lines, line.String())
	}
	if left := more(len(rows) - len(shown)); left != "" {
		lines = append(lines, "| "+left+strings.Repeat(" |", len(columns)))
	}
	return strings.Join(lines, "\n")
}

// stands is a standing with its sign.
func stands(s promotion.Standing) string {
	switch s {
	case "":
		return ""
	case promotion.UpToDate, promotion.Source:
		return "✓ " + inline(string(s))
	case promotion.Stopped, promotion.Rejected:
		return "✗ " + inline(string(s))
	default:
		return "◷ " + inline(string(s))
	}
}

// environmentOf is the environment of "pipeline/environment"; a pipeline's name
// may have slashes.
func environmentOf(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }
