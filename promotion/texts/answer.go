package texts

// The one comment that answers a comment's commands. It is found again by its
// first line, so that a command is answered once however often it arrives.

import (
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion"
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
	Says []string // sentences, one for each environment
	// Status, when set, is shown as a table.
	Status []StatusRow
	// Markdown, when set, is shown as it is: promobot's own help.
	Markdown string
}

// StatusRow is one environment.
type StatusRow struct {
	Environment string // pipeline/environment
	Revision    string
	Standing    promotion.Standing
	Reason      string
	PullRequest int
}

// mostAnswered is how many rows a table shows; GitHub cuts comments at 65,536 characters.
const mostAnswered = 100

// AnswerMark is the first line of the answer to a comment.
func AnswerMark(comment int64) string { return fmt.Sprintf("<!-- promobot answers %d -->", comment) }

// AnswerTo is the comment.
func AnswerTo(a Answer) string {
	var b strings.Builder
	b.WriteString(AnswerMark(a.Comment) + "\n")
	fmt.Fprintf(&b, "%s\n", mention(a.Author))
	for _, c := range a.Commands {
		sign := "✓"
		if !c.Done {
			sign = "✗"
		}
		fmt.Fprintf(&b, "\n%s %s\n", sign, code(cut(c.Text, mostPath)))
		for i, s := range c.Says {
			if i == mostAnswered {
				fmt.Fprintf(&b, "- %s\n", more(len(c.Says)-i))
				break
			}
			fmt.Fprintf(&b, "- %s\n", said(s, a.Repository, 0))
		}
		statusTable(&b, a.Repository, c.Status)
		if c.Markdown != "" {
			b.WriteString("\n" + c.Markdown + "\n")
		}
	}
	return cut(b.String(), 65_000)
}

func statusTable(b *strings.Builder, repo promotion.Repository, rows []StatusRow) {
	for i, r := range rows {
		if i == 0 {
			b.WriteString("\n| environment | has | is | why |\n| --- | --- | --- | --- |\n")
		}
		if i == mostAnswered {
			fmt.Fprintf(b, "| %s | | | |\n", more(len(rows)-i))
			break
		}
		standing := inline(string(r.Standing))
		if r.PullRequest != 0 {
			standing += " " + pull(repo, r.PullRequest)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", named(r.Environment), revision(repo, r.Revision), standing, said(cut(r.Reason, mostReason), repo, 0))
	}
}
