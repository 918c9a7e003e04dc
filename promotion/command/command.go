// Package command is what people say to promobot in comments: which lines of a
// comment are commands, what each asks for, and who may ask for it.
//
// It is pure. Rules:
//
//   - A command stands at a line's start, as GitHub reads the comment: never in
//     code, quotes, tables, links or HTML.
//   - A command is understood as a whole or not at all: one with a problem keeps
//     nothing of what else it said, so nobody can act on half of it.
//   - What it names is bounded, and of the characters that such names have.
package command

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// The commands, by name.
const (
	NameHelp     = "help"
	NameStatus   = "status"
	NamePlan     = "plan"
	NamePromote  = "promote"
	NameRetry    = "retry"
	NameRollback = "rollback"
	NameHold     = "hold"
	NameResume   = "resume"
	NameApprove  = "approve"
	NameMerge    = "merge"
	NameSkip     = "skip"
	NameCancel   = "cancel"
	NameRebuild  = "rebuild"
)

// Everywhere is the pattern of `all`.
const Everywhere = "*"

// Command is one command of a comment.
type Command struct {
	Index int    // among the comment's commands, from 0
	Line  int    // of the comment, from 1
	Text  string // the line as it was written, on one line of visible characters, cut to 200
	Name  string // one of [All]'s; "" when it is none of them

	// Environment is the one it is about; "" where none was named, or where
	// Environments is set: [Command.NeedsEnvironment].
	Environment string
	// Environments is the pattern of those it is about, in which * stands for any
	// part of a name, [Everywhere] for all; "" for at most one.
	Environments string
	Pipeline     string // its key; "" when not said
	Revision     string // to promote: a commit, cut or whole, or a version; "" for what is offered
	To           string // what to roll back to; "" for what stood before
	Until        string // of a hold, as written, for [ParseUntil]; "" until someone resumes
	Gate         string // to merge past; one that can be passed
	Reason       string // of a hold, on one line of visible characters, cut to 300
	Topic        string // the command that help is asked about; "" for all
	Confirm      bool   // --confirm was said

	// Problem says what is wrong with it and what to write instead, for the
	// person, in one line of plain text with code between backticks; "" when
	// nothing is. With a problem nothing but Index, Line, Text and Name is set.
	Problem string
}

// Covers says whether a command is about an environment: the one it names, or
// those that its pattern matches.
func (c Command) Covers(environment string) bool {
	if c.Environments == "" {
		return c.Environment != "" && c.Environment == environment
	}
	matched, err := doublestar.Match(c.Environments, environment)
	return err == nil && matched
}

// NeedsEnvironment says that a command is about an environment, or about a
// promotion's pull request, and names none: on a promotion's pull request that
// one is meant, elsewhere [Command.NoEnvironment] is the answer.
func (c Command) NeedsEnvironment() bool {
	spec, known := Find(c.Name)
	return known && c.Problem == "" && spec.about != nothing && c.Environment == "" && c.Environments == ""
}

// NoEnvironment is the problem of a command that needs an environment, or a
// promotion's pull request, and stands elsewhere.
func (c Command) NoEnvironment() string {
	spec, _ := Find(c.Name)
	if spec.about == pullRequest {
		return "`" + Word + " " + c.Name + "` goes with a promotion's pull request; write it there"
	}
	return "name the environment, since this is no promotion's pull request; " + spec.usage()
}

// NeedsConfirm says that a command is dangerous and was not confirmed: the answer
// shows what would happen.
func (c Command) NeedsConfirm() bool {
	spec, known := Find(c.Name)
	return known && c.Problem == "" && !c.Confirm && spec.Dangerous != "" && (c.Name != NameRollback || c.Environments != "")
}

// String is the command as it can be written again: without aliases, each thing
// it says once, in the order of its usage. It is empty for one with a problem.
func (c Command) String() string {
	if c.Problem != "" || c.Name == "" {
		return ""
	}
	words := []string{Word, c.Name}
	about := c.Environment
	if c.Environments == Everywhere {
		about = "all"
	} else if c.Environments != "" {
		about = c.Environments
	}
	for _, w := range []string{c.Topic, about, c.Revision} {
		if w != "" {
			words = append(words, w)
		}
	}
	for _, o := range []struct {
		name  option
		value string
	}{{pastOption, c.Gate}, {toOption, c.To}, {untilOption, c.Until}, {pipelineOption, c.Pipeline}} {
		switch {
		case o.value == "":
		case strings.Contains(o.value, " "):
			words = append(words, string(o.name), `"`+o.value+`"`)
		default:
			words = append(words, string(o.name), o.value)
		}
	}
	if c.Confirm {
		words = append(words, string(confirmOption))
	}
	if c.Reason != "" {
		words = append(words, "--", c.Reason)
	}
	return strings.Join(words, " ")
}

// Said is the command without the word that begins it in a comment: as buttons,
// pages and dispatches give it.
func (c Command) Said() string { return strings.TrimPrefix(c.String(), Word+" ") }

// Confirmed is the command to write to confirm this one.
func (c Command) Confirmed() string {
	c.Confirm = true
	return c.String()
}

// Changes says whether a command may change something; help, status and plan only
// tell.
func (c Command) Changes() bool {
	spec, known := Find(c.Name)
	return known && !spec.tells
}

// Find is a command's description by its name.
func Find(name string) (Spec, bool) {
	for _, s := range All {
		if s.Name == name {
			return s, true
		}
	}
	return Spec{}, false
}

// names are all commands' names.
func names() []string {
	out := make([]string, 0, len(All))
	for _, s := range All {
		out = append(out, s.Name)
	}
	return out
}

// usage is how to write it, as the end of a problem.
func (s Spec) usage() string {
	return "write `" + strings.TrimSpace(Word+" "+s.Usage) + "`"
}
