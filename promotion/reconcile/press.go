package reconcile

// Presses: commands that people give by a button of a check run, or on a page. A
// press is carried out as the comment would be that says the same: the same
// rights, the same entry in the ledger, one effect however often it arrives. It
// differs in what is not there: a comment to read, to react to and to answer.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/texts"
	display "github.com/promobot/promobot/promotion/view"
)

// Press is a command that a person gave without a comment.
type Press struct {
	ID      string // the letter's: the same one twice is one press
	By      string // login, as GitHub has authenticated it
	Command string // what a comment would say after "/promobot "
	Issue   int    // pull request that is meant; 0: none
	// Button is the identifier of a button, which names the environment and what it
	// was about when it was shown, for promotion.Pressed; "": Command names it.
	Button string
	Where  string // "check run" or "page"
	At     time.Time
}

// checkRunButton is where a button was pressed that is not on a page.
const checkRunButton = "check run"

// Press carries presses out. Without an error they need not be kept any more: each
// had its effect, and Options.Answered was told of it.
func (r *Reconciler) Press(ctx context.Context, ps []Press) error {
	var failures []error
	for i := range ps {
		p := &ps[i]
		in := &commented{press: p, teams: map[string]bool{}, Comment: promotion.Comment{
			ID: number(p.ID), Issue: p.Issue, Body: command.Word + " " + p.Command, Author: p.By, Created: p.At,
		}}
		err := r.carryOut(ctx, in)
		if limited(err) {
			return err
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("press %s: %w", p.ID, err))
		}
	}
	return promotion.Join(failures...)
}

// where is how a command was given, for its entry; "" by a comment.
func (c *commented) where() string {
	switch {
	case c.press == nil:
		return ""
	case c.press.Where == checkRunButton:
		return "by a check run's button"
	}
	return "on a page"
}

// hearPress reads what a press commands, and what the person may. Aliases are for
// people who write.
func (r *Reconciler) hearPress(ctx context.Context, v *view, in *commented) (ignored bool, err error) {
	if v.file != nil {
		in.settings = v.file.Commands()
	}
	if in.commands = command.Parse(in.Body, nil); len(in.commands) != 1 {
		in.commands = []command.Command{{Text: strings.TrimSpace(in.Body), Problem: "a button gives one command"}}
	}
	if do, _, _ := strings.Cut(in.press.Button, ":"); do != "" && do != in.commands[0].Name {
		in.commands = []command.Command{{Text: strings.TrimSpace(in.Body), Problem: "the button is not this command's"}}
	}
	in.who = command.Author{Login: in.Author}
	if v.snapshot.Now.Sub(in.Created) > commandAge {
		return false, nil // it is not asked any more
	}
	if in.right, err = r.github.Permission(ctx, in.Author); err != nil && !errors.Is(err, promotion.ErrNotFound) {
		return false, fmt.Errorf("read what @%s may: %w", in.Author, err)
	}
	return false, nil
}

// answerPress tells what became of a press. Whoever pressed a button on a check run
// and was denied has no page to see that on: it stands on the pull request, once.
func (r *Reconciler) answerPress(ctx context.Context, in *commented, a texts.Answer) error {
	done := a.Commands[0]
	if !done.Done {
		r.o.Log.Info().Str("by", in.Author).Str("command", in.press.Command).Strs("says", done.Says).Msg("a press is not carried out")
	}
	if r.o.Answered != nil {
		out := display.Answer{ID: in.press.ID, By: in.Author, Command: in.press.Command, Done: done.Done, Says: done.Says, At: r.o.Now()}
		if len(in.about) == 1 {
			out.Environment = in.about[0].String()
		}
		if err := r.o.Answered(ctx, out); err != nil {
			return fmt.Errorf("keep the answer: %w", err)
		}
	}
	if done.Done || in.Issue == 0 || in.press.Where != checkRunButton {
		return nil
	}
	return r.answer(ctx, in.Comment, a)
}
