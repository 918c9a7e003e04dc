package command

// What people read about the commands: the answer to help, and the page
// docs/commands.md, both from the table.

import (
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// Help is Markdown about one command, or about all where there is none of the
// name.
func Help(name string) string {
	if spec, known := Find(name); known {
		return spec.help()
	}
	return table() + "\n\n`" + Word + " help COMMAND` tells more. A command stands at the beginning of a line; on a promotion's pull request the environment and the pipeline may be left out."
}

// table has one row for each command.
func table() string {
	var b strings.Builder
	b.WriteString("| command | what it does |\n| --- | --- |")
	for _, s := range All {
		fmt.Fprintf(&b, "\n| `%s %s` | %s |", Word, s.Usage, s.About)
	}
	return b.String()
}

func (s Spec) help() string {
	var text strings.Builder
	fmt.Fprintf(&text, "`%s %s`\n\n%s", Word, s.Usage, s.About)
	if s.Dangerous != "" {
		fmt.Fprintf(&text, "\n\nIt asks for `%s` (%s): without it, the answer shows what would happen.", confirmOption, s.Dangerous)
	}
	for _, o := range s.options {
		if o == pastOption {
			text.WriteString("\n\nGates that can be passed: " + gates() + ".")
		}
		if o == untilOption {
			text.WriteString("\n\nTIME is as `2h`, `3d`, `17:00`, `Mon 09:00`, `2026-11-23`, `2026-11-23 09:00` or `2026-11-23T09:00:00Z`, at most a year away. A time without a day is the next such time. Times are in UTC, unless they name another zone.")
		}
	}
	return text.String() + fmt.Sprintf("\n\nFor example, `%s` %s.", s.Example, s.Does)
}

func gates() string {
	_, names := promotion.Passable("")
	return "`" + strings.Join(names, "`, `") + "`"
}

// Reference is the page in Markdown.
func Reference() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<!-- Generated from promotion/command by "go test ./promotion/command -update"; changes here are overwritten. -->

# Comment commands

Write a command in a comment on any pull request or issue of the repository:

    /promobot hold prod-eu --until Mon 09:00 migration of the database

promobot reacts at once, carries it out, and answers with one comment, which it edits as things go on.

%s

## How they are read

- A command stands at the beginning of a line (up to three spaces before it), several in one comment below each other, at most %d. Large and small letters are the same. What GitHub shows as code, a quote, a table or a link, or hides as HTML, is no command. A comment with commands is at most 16 KB long.
- `+"`ENV`"+` is an environment's name. On a promotion's pull request it may be left out, and so may the pipeline: that promotion is meant. A name that several pipelines have asks for `+"`--pipeline`"+`. With hold and resume it may be `+"`all`"+` or a pattern such as `+"`prod-*`"+`, with rollback `+"`all`"+`.
- `+"`REVISION`"+` is a commit or a version, `+"`P`"+` a pipeline as status names it.
- Options may stand anywhere, as `+"`--until 2h`"+` or `+"`--until=2h`"+`; a value with blanks stands in quotes, except for a day and its hour. After `+"`--`"+` nothing is an option.
- A command that is not understood does nothing at all; the answer says what to write.
- What is written counts as it was sent: editing or deleting a comment does nothing more. One that was edited before promobot read it, or is older than an hour by then, is not carried out, and answered so.

## Who may say them

A command asks for the right that `+"`commands.rights`"+` in `+"`%s`"+` names for it; else help, status and plan ask for read, and the others for the `+"`right`"+` of the environment, else for write. Only the file on the default branch counts. A role that your organisation made counts as what GitHub derives it from: read, write or admin. Bots are not listened to unless `+"`commands.bots`"+` names them, and need the right, too. Nobody approves a change of their own.

Whoever may not gets a short answer, and nothing changes. What was done is written into the environment's ledger with the comment, who wrote it, and when.

## Buttons

promobot's check runs have buttons for what applies at the moment, at most three: on the head of a promotion's pull request, and on a promoted commit. A press is the command of that name: it asks for the same right, is written into the same ledger, and has one effect. Whoever may not, and what was done already, is told so on the pull request where the check run stands on one.

- A button is about what stood there when it was shown. On a page that nobody has refreshed it takes nothing newer back, lifts no other hold and approves no other change; *Hold* always holds. On an environment's page, *with a reason…* beside it asks why and until when.
- *Roll back* does not ask back: GitHub has no second question, and at night one press has to do. It takes exactly the landing back that it names, by a pull request, and holds the environment. Pressed by mistake, it is stopped by closing that pull request, and *Resume* goes on. To leave it to fewer people, say `+"`commands: {rights: {rollback: maintain}}`"+` in the pipeline file.
- *Re-run* looks again, and writes the check run anew. It does nothing else.
- A press that did not reach promobot is found among GitHub's deliveries, at the next start or within minutes. One that is older than an hour is not carried out: press again.

## Words of your own

With `+"`commands.aliases`"+`, as `+"`{ship: promote prod}`"+`, `+"`/promobot ship`"+` is read as `+"`/promobot promote prod`"+`; what follows is added. An alias cannot confirm.
`, table(), MostCommands, config.Path)
	for _, s := range All {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", s.Name, s.help())
	}
	return b.String()
}
