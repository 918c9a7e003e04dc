package reconcile

// Command: what people ask for in comments. The comment is read anew, whoever
// wrote it is authorised, the effect is a ledger entry that names the comment, and
// only then is it answered, once. A letter that is lost, told twice or met by a
// crash in between changes nothing about that.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/texts"
)

// commandAge is how old a comment may be to be carried out: what was meant long
// ago may not be meant any more.
const commandAge = time.Hour

// Command carries out the commands of comments, by their ids. Without an error
// they need not be kept any more: each had its effect and its answer.
func (r *Reconciler) Command(ctx context.Context, comments []int64) error {
	var failures []error
	for _, id := range comments {
		err := r.comment(ctx, id)
		if limited(err) {
			return err
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("comment %d: %w", id, err))
		}
	}
	return promotion.Join(failures...)
}

// commented is one comment on its way; or a press, as the comment that it stands
// for.
type commented struct {
	promotion.Comment
	press    *Press // nil: a comment
	commands []command.Command
	who      command.Author
	right    promotion.Permission
	teams    map[string]bool
	settings config.Commands
	about    []promotion.Key // environments that its commands are about
}

// given is what was done to give it, for those who have to do it again.
func (c *commented) given() (done, again string) {
	if c.press != nil {
		return "asked for", "ask again"
	}
	return "written", "write it again"
}

func (r *Reconciler) comment(ctx context.Context, id int64) error {
	c, err := r.github.Comment(ctx, id)
	switch {
	case errors.Is(err, promotion.ErrNotFound):
		return nil // it was taken back before it had an effect
	case err != nil:
		return fmt.Errorf("read it: %w", err)
	case c.ByApp || len(command.Parse(c.Body, nil)) == 0:
		return nil
	}
	return r.carryOut(ctx, &commented{Comment: c, teams: map[string]bool{}})
}

// carryOut gives what was commanded its effect in the ledgers, and answers.
func (r *Reconciler) carryOut(ctx context.Context, in *commented) error {
	repo, err := r.github.Repository(ctx)
	if err != nil {
		return fmt.Errorf("read repository: %w", err)
	}
	r.asked = newAsked()
	if r.aside == nil {
		r.aside, r.tries = map[promotion.Key]bool{}, map[promotion.Key]int{}
	}
	for pass := range maxPasses {
		v, err := r.observe(ctx, repo)
		if err != nil {
			return err
		}
		if pass == 0 {
			hear := r.hear
			if in.press != nil {
				hear = r.hearPress
			}
			if ignored, err := hear(ctx, v, in); err != nil || ignored {
				return err
			}
		}
		in.about = nil
		answer, entries, err := r.obey(ctx, v, in)
		if err != nil {
			return err
		}
		won, err := r.write(ctx, v.snapshot, entries)
		if err != nil {
			return err
		}
		for i := range won {
			if won[i] {
				r.memory.obeyed[obeyedKey{in.ID, entries[i].observed.Key}] = true
			}
		}
		if slices.Contains(won, false) {
			continue
		}
		crossed, stands := holds(v.snapshot, in.ID, entries)
		if !stands {
			return promotion.ErrPending
		}
		if n := len(answer.Commands); n > 0 {
			answer.Commands[n-1].Says = append(answer.Commands[n-1].Says, crossed...)
		}
		if in.press != nil {
			return r.answerPress(ctx, in, answer)
		}
		if wait := r.elsewhere(v.snapshot, in.Comment); wait > 0 {
			return fmt.Errorf("whoever began to carry it out may be answering it; looked at again in %v", wait.Round(time.Second))
		}
		return r.answer(ctx, in.Comment, answer)
	}
	return promotion.ErrConflict
}

// hear shows that the comment is seen, and reads what its author may.
func (r *Reconciler) hear(ctx context.Context, v *view, in *commented) (ignored bool, err error) {
	if v.file != nil {
		in.settings = v.file.Commands()
	}
	in.commands = command.Parse(in.Body, in.settings.Aliases)
	if in.Bot && !slices.ContainsFunc(in.settings.Bots, func(b string) bool { return strings.EqualFold(b, in.Author) }) {
		return true, nil
	}
	in.who = command.Author{Login: in.Author, Bot: in.Bot}
	if !in.Reacted {
		if err := r.github.React(ctx, in.ID, "eyes"); err != nil && !errors.Is(err, promotion.ErrNotFound) {
			return false, fmt.Errorf("react to it: %w", err)
		}
		r.memory.heard[in.ID] = true
	}
	if in.right, err = r.github.Permission(ctx, in.Author); err != nil && !errors.Is(err, promotion.ErrNotFound) {
		return false, fmt.Errorf("read what @%s may: %w", in.Author, err)
	}
	return false, nil
}

// obey says what each command comes to on this snapshot, and the entries that
// make it so.
func (r *Reconciler) obey(ctx context.Context, v *view, in *commented) (texts.Answer, []entry, error) {
	a := texts.Answer{Repository: v.snapshot.Repository, Comment: in.ID, Author: in.Author}
	var entries []entry
	touched := map[promotion.Key]int{}
	for _, c := range in.commands {
		done, es, err := r.obeyOne(ctx, v, in, c, touched, entries)
		if err != nil {
			return a, nil, err
		}
		a.Commands = append(a.Commands, done)
		entries = es
	}
	return a, entries, nil
}

func (r *Reconciler) obeyOne(ctx context.Context, v *view, in *commented, c command.Command, touched map[promotion.Key]int, entries []entry) (texts.AnsweredCommand, []entry, error) {
	s := v.snapshot
	out := texts.AnsweredCommand{Text: c.Text}
	deny := func(format string, args ...any) (texts.AnsweredCommand, []entry, error) {
		out.Says = append(out.Says, fmt.Sprintf(format, args...))
		return out, entries, nil
	}
	heard := false
	for i := range s.Environments {
		heard = heard || s.Environments[i].Ledger.State.HeardOf(in.ID, c.Index) != nil
	}
	switch {
	case c.Problem != "":
		return deny("%s", c.Problem)
	case heard: // it had its effect; only the answer is missing
	case in.Edited:
		return deny("the comment was edited before it was read; write it again")
	case s.Now.Sub(in.Created) > commandAge:
		done, again := in.given()
		return deny("it was %s more than an hour ago, at %s; %s if it is still meant", done, in.Created.UTC().Format("15:04 UTC"), again)
	case in.press != nil && !c.Changes():
		return deny("`%s` goes with a comment", c.Name)
	}
	switch {
	case c.Name == command.NameHelp:
		out.Done, out.Markdown = true, command.Help(c.Topic)
		return out, entries, nil
	case len(v.problems) > 0:
		return deny("the pipeline file has to be mended first: %s", v.problems[0].Error())
	case !c.Changes():
		if why, err := r.denied(ctx, in, c, config.Right{}); err != nil || why != "" {
			out, es, _ := deny("%s", why)
			return out, es, err
		}
		return r.status(v, c), entries, nil
	}
	until, err := until(s, c)
	if err != nil && !heard {
		return deny("%s", err)
	}
	meant, why := meantBy(s, in.Issue, c)
	if in.press != nil && in.press.Button != "" {
		meant, why = promotion.Pressed(s, in.press.Button)
	}
	if heard {
		meant = alsoHeard(s, meant, in, c)
	}
	if len(meant) == 0 {
		return deny("%s", why)
	}
	for _, o := range meant {
		in.about = append(in.about, o.Key)
		why, err := r.denied(ctx, in, c, o.Config.Right)
		if err != nil {
			return out, nil, err
		}
		if why != "" && !heard {
			return deny("%s: %s", o.Key, why)
		}
	}
	order := promotion.Order{
		Do: c.Name, By: in.Author, Comment: in.ID, Index: c.Index, Revision: cmp.Or(c.Revision, c.To), Until: until, Gate: c.Gate, Reason: c.Reason,
		Given: in.Created, Where: in.where(),
	}
	if says := unconfirmed(meant, c); says != "" && !heard {
		out.Asks = true
		return deny("%s", says)
	}
	out.Done = true
	for _, o := range meant {
		if n, twice := touched[o.Key]; twice {
			// A second command about the same environment goes on from the first.
			before := *o
			st := entries[n].state.Clone()
			before.Ledger.State = &st
			done := promotion.Obey(s, &before, order)
			out.Says, out.Done = append(out.Says, done.Answer), out.Done && !done.Refused
			if done.Entry != nil {
				done.Entry.State.Sequence--
				entries[n].state, entries[n].kind = done.Entry.State, done.Entry.Kind
				entries[n].sentence += "; " + strings.TrimPrefix(done.Entry.Sentence, o.Key.String()+": ")
			}
			continue
		}
		done := promotion.Obey(s, o, order)
		out.Says, out.Done = append(out.Says, done.Answer), out.Done && !done.Refused
		if done.Entry != nil {
			touched[o.Key] = len(entries)
			entries = append(entries, entry{observed: o, kind: done.Entry.Kind, sentence: done.Entry.Sentence, state: done.Entry.State})
		}
	}
	return out, entries, nil
}

// until is when a hold ends; zero: when somebody resumes.
func until(s *promotion.Snapshot, c command.Command) (time.Time, error) {
	if c.Until == "" {
		return time.Time{}, nil
	}
	return command.ParseUntil(c.Until, s.Now, time.UTC)
}

// denied says why the author may not give a command about an environment; ""
// when they may.
func (r *Reconciler) denied(ctx context.Context, in *commented, c command.Command, environment config.Right) (string, error) {
	need := command.Need(c, in.settings, environment)
	allowed, why, err := command.Allowed(need, in.who, in.right, in.settings, func() (bool, error) {
		member, known := in.teams[need.Team]
		if known {
			return member, nil
		}
		member, err := r.github.InTeam(ctx, in.Author, need.Team)
		if err == nil {
			in.teams[need.Team] = member
		}
		return member, err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("read whether @%s is in %s: %w", in.Author, need.Team, err)
	case allowed:
		return "", nil
	}
	return why, nil
}

// alsoHeard are the environments of a command that has had an effect: those in
// which it had it, whatever has become of their pull requests, and those that a
// stopped worker left out, unless the comment is not carried out any more.
func alsoHeard(s *promotion.Snapshot, meant []*promotion.Observed, in *commented, c command.Command) (all []*promotion.Observed) {
	late := in.Edited || s.Now.Sub(in.Created) > commandAge
	for i := range s.Environments {
		o := &s.Environments[i]
		if o.Ledger.State.HeardOf(in.ID, c.Index) != nil || !late && slices.Contains(meant, o) {
			all = append(all, o)
		}
	}
	return all
}

// meantBy are the environments that a command is about: those it names, or those
// of the pull request it stands on.
func meantBy(s *promotion.Snapshot, issue int, c command.Command) (meant []*promotion.Observed, why string) {
	here := func(o *promotion.Observed) bool {
		st := o.Ledger.State
		return issue != 0 && st != nil && (st.Promotion != nil && st.Promotion.PullRequest == issue || st.Landing != nil && st.Landing.PullRequest == issue)
	}
	var names []string
	own := map[string]bool{} // pipelines of the pull request it stands on
	for i := range s.Environments {
		o := &s.Environments[i]
		if !o.Config.Present || o.Config.Managed || c.Pipeline != "" && c.Pipeline != o.Key.Pipeline && c.Pipeline != o.Pipeline.Title {
			continue
		}
		if !slices.Contains(names, o.Key.Environment) {
			names = append(names, o.Key.Environment)
		}
		if here(o) {
			own[o.Key.Pipeline] = true
		}
		if c.NeedsEnvironment() && here(o) || c.Covers(o.Key.Environment) {
			meant = append(meant, o)
		}
	}
	if c.Environments == "" && c.Environment != "" && c.Pipeline == "" && len(meant) > 1 {
		// On a promotion's pull request its pipeline is understood.
		all := len(meant)
		first := meant[0]
		meant = slices.DeleteFunc(meant, func(o *promotion.Observed) bool { return !own[o.Key.Pipeline] })
		if len(meant) != 1 {
			return nil, fmt.Sprintf("%s is in %d pipelines; say which, as --pipeline %s", c.Environment, all, first.Key.Pipeline)
		}
	}
	if c.Name == command.NameRollback && c.Environments != "" {
		// All of one pipeline that have something to take back.
		if len(own) > 0 && c.Pipeline == "" {
			meant = slices.DeleteFunc(meant, func(o *promotion.Observed) bool { return !own[o.Key.Pipeline] })
		}
		for _, o := range meant {
			if o.Key.Pipeline != meant[0].Key.Pipeline {
				return nil, fmt.Sprintf("which pipeline is meant? say so, as --pipeline %s", meant[0].Key.Pipeline)
			}
		}
		meant = slices.DeleteFunc(meant, func(o *promotion.Observed) bool {
			rec := o.Ledger.State
			return rec == nil || rec.Landing == nil || rec.Landing.Was == nil || rec.Landing.Reverts != "" ||
				len(o.Landings) == 0 || o.Landings[0].Commit != rec.Landing.Commit
		})
		if len(meant) == 0 {
			return nil, "nothing that promobot promoted stands there to be taken back"
		}
	}
	switch {
	case len(meant) > 0:
		return meant, ""
	case c.NeedsEnvironment():
		return nil, c.NoEnvironment()
	case len(names) == 0:
		return nil, "there is no such pipeline"
	}
	return nil, fmt.Sprintf("there is no such environment; there are %s", strings.Join(names, ", "))
}

// unconfirmed says what a dangerous command would do, until it is confirmed.
func unconfirmed(meant []*promotion.Observed, c command.Command) string {
	if !c.NeedsConfirm() {
		return ""
	}
	names := make([]string, len(meant))
	for i, o := range meant {
		names[i] = o.Key.String()
	}
	what := "rolled back"
	if c.Name == command.NameMerge {
		what = "merged without waiting for the gate " + c.Gate + ", and that is recorded with your name"
	}
	return fmt.Sprintf("%s would be %s; to do so, write: `%s`", strings.Join(names, ", "), what, c.Confirmed())
}

// status says where every environment stands; plan, only what would happen next.
func (r *Reconciler) status(v *view, c command.Command) texts.AnsweredCommand {
	out := texts.AnsweredCommand{Text: c.Text, Done: true}
	ds := promotion.Decide(v.snapshot)
	r.overlayProblems(ds)
	for i, d := range ds {
		o := &v.snapshot.Environments[i]
		if c.Pipeline != "" && c.Pipeline != o.Key.Pipeline && c.Pipeline != o.Pipeline.Title {
			continue
		}
		if c.Name == "plan" && (d.Standing == promotion.UpToDate || d.Standing == promotion.Source || d.Standing == promotion.Absent) {
			continue
		}
		row := texts.StatusRow{Environment: o.Key.String(), Standing: d.Standing, Reason: d.Reason, Verification: promotion.VerificationOf(v.snapshot, o)}
		if o.Ledger.State != nil {
			row.Hold = o.Ledger.State.Hold
		}
		if len(o.Landings) > 0 {
			row.Revision = o.Landings[0].Revision
		}
		if p := o.Ledger.State.UnderWay(); p != nil {
			row.PullRequest = p.PullRequest
		}
		out.Status = append(out.Status, row)
	}
	if len(out.Status) == 0 {
		out.Says = []string{map[string]string{"plan": "nothing is to be done", "status": "there is no such pipeline"}[c.Name]}
	}
	return out
}
