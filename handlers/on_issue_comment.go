// Comments on pull requests and issues (GitHub calls both issue comments).
// Rules: one that may hold a command becomes a letter, which says where to read
// it and nothing of what it says; others on pull requests are a wake, since
// people talk to each other there about what promobot waits for. What was said
// stays said: editing or deleting a comment does nothing more.

package handlers

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/promobot/promobot/promotion/command"
)

// CommentLetter is the kind of a letter whose body is a Comment.
const CommentLetter = "issue_comment"

// Comment is a comment that may hold a command.
type Comment struct {
	ID int64 `json:"comment"` // by which it is read anew
}

// ParseComment reads a CommentLetter's body.
func ParseComment(body []byte) (Comment, error) {
	var c Comment
	if err := json.Unmarshal(body, &c); err != nil {
		return Comment{}, fmt.Errorf("a letter is no comment: %w", err)
	}
	if c.ID <= 0 {
		return Comment{}, fmt.Errorf("a letter is no comment: %d is not a comment's id", c.ID)
	}
	return c, nil
}

// letter keeps the comment: the same letter, whether a webhook or a look brought
// it.
func (c Comment) letter() Letter {
	id := strconv.FormatInt(c.ID, 10)
	return Letter{ID: "comment-" + id, Kind: CommentLetter, Body: []byte(`{"comment":` + id + `}`)}
}

// mayCommand says whether a line of a comment begins like a command, in large or
// small letters. Whether it is one, and not in a block of code, is judged where the
// comment is read.
func mayCommand(body string) bool {
	for line := range strings.FieldsFuncSeq(body, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimLeft(line, " \t"); len(line) >= len(command.Word) && strings.EqualFold(line[:len(command.Word)], command.Word) {
			return true
		}
	}
	return false
}

type issueCommentEvent struct {
	envelope
	Issue struct {
		PullRequest *struct{} `json:"pull_request"`
	} `json:"issue"`
	Comment struct {
		ID   int64  `json:"id"`
		Body string `json:"body"`
		App  struct {
			ID int64 `json:"id"`
		} `json:"performed_via_github_app"`
	} `json:"comment"`
}

func onIssueComment(appID int64) func([]byte) (wanted, error) {
	return func(payload []byte) (wanted, error) {
		var e issueCommentEvent
		if err := decode(payload, &e); err != nil {
			return wanted{}, err
		}
		command := mayCommand(e.Comment.Body)
		switch {
		case e.Action != "created":
			return ignore("what was said stays said"), nil
		case e.Comment.App.ID == appID:
			return ignore("promobot's own comment"), nil
		case e.Issue.PullRequest == nil && !command:
			return ignore("neither on a pull request nor a command"), nil
		}
		w, err := e.wake()
		if err != nil || w.ignored != "" || !command {
			return w, err
		}
		if e.Comment.ID <= 0 {
			return wanted{}, fmt.Errorf("%w: the comment has no id", errPayload)
		}
		w.letters = []Letter{Comment{ID: e.Comment.ID}.letter()}
		return w, nil
	}
}
