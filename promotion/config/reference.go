package config

// The reference page of the pipeline file, docs/pipeline-file.md, made from the
// tables in keys.go, so that it can never say other than what is parsed.

import (
	"fmt"
	"strings"
)

// templateField is a field of TemplateData for the reference page.
type templateField struct{ name, meaning string }

// templateFields are all fields of TemplateData, in its order; a test compares.
var templateFields = []templateField{
	{"Pipeline", "the pipeline's key, as `services/checkout`"},
	{"Name", "its short name, as `checkout`"},
	{"Environment", "the environment promoted to"},
	{"Source", "the environments it comes from"},
	{"Revision", "what is promoted: a full commit id or a version"},
	{"Short", "the revision as people read it"},
	{"From", "the version now, when one version changes, else empty"},
	{"To", "the version after, when one version changes, else empty"},
	{"Attempt", "1 for the first"},
	{"Kinds", "a list: create, delete, downgrade, drift, leak, large"},
	{"Authors", "a list: those whose commits it brings"},
	{"Text", "promobot's own title or text"},
}

// Reference is the page in Markdown: every key with its type, default and rule.
func Reference() string {
	var out strings.Builder
	fmt.Fprintf(&out, `<!-- Generated from promotion/config/keys.go by "go test ./promotion/config -update"; changes here are overwritten. -->

# The pipeline file: %s

One file on the default branch says which environments there are, where they are, and what is promoted between them. A smallest one:

`+"```yaml\n%s```"+`

It is YAML 1.2 (core schema): `+"`yes`, `no`, `on` and `off` are texts, and a version such as `1.10` needs quotes"+`. Unknown keys, keys said twice and several documents are refused; every problem is told with line, column and remedy. Names match `+"`%s`"+`. A list of one may stand without brackets. Editors can check the file by `+"`schema/promobot.schema.json`"+`: put `+"`# yaml-language-server: $schema=<its URL>`"+` on the first line.

`, Path, Example, namePattern)
	section(&out, "The file", "", documentFields())
	section(&out, "`limits`", "", fileLimitsFields())
	section(&out, "`environments.<name>`", "The same keys stand under `pipelines.<name>.environments.<name>`. There they count instead of the environment's own, except that the lowest `mode` counts and that labels, assignees and reviewers are added. Where `managed: elsewhere` is said, the keys of what promobot would do there are refused.", environmentFields())
	section(&out, "`verify`", "What must hold after a landing, on the landed commit, or on a later one of the branch as long as the environment's files there are still the landing's. promobot's own checks and deployments never count, and an empty list is never green. At least one of `checks`, `deployments` and `workflows` is named.", verifyFields())
	section(&out, "`checks`, `deployments`, `workflows`", "A name, a list of names of which all must hold, or a mapping with exactly one of `all` and `any`. A name with `*` stands for all that it matches, and for at least one.", evidenceFields())
	section(&out, "`on_failure`", "A step, or a list of steps that are tried one after the other. A step is its name, or a mapping of its name to its settings, as `restart: {limit: 2}`. Steps that can never be taken are refused: behind `halt`, or after failures that cannot be. A commit on the way with the trailer `Promotion-Rollback: unsafe` in its message turns rollback into halt.", stepFields())
	section(&out, "`on_failure`: `restart`, `repromote`", "", againFields())
	section(&out, "`on_failure`: `rollback`", "", rollbackFields())
	section(&out, "`on_failure`: `run`", "Exactly one of `workflow` and `event`. Both are told of the promotion: "+strings.Join(Particulars, ", ")+".", runFields())
	section(&out, "`windows.<name>`", "Days, hours or both, as `Mon-Thu 09:00-16:00`, `Sat,Sun`, `22:00-06:00` (every day), `Fri 22:00-Mon 06:00`; several after a comma, a semicolon, or as a list. What counts is what the zone's clocks show, before and after they are changed.", windowFields())
	section(&out, "`commands`", "The comment commands are "+strings.Join(CommandNames, ", ")+".", commandsFields())
	section(&out, "`source`", "It names exactly one of `release`, `tag` and `dispatch`. The App has to be installed in the repository that `release` or `tag` names.", sourceFields())
	section(&out, "`pipelines.<name>`", "", pipelineFields())
	section(&out, "`pipelines.<name>.environments.<name>`", "Besides the keys of `environments.<name>`:", placingFields())
	section(&out, "`read`", "", readFields())
	section(&out, "`revision`", "", revisionFields())
	section(&out, "`promote`", "Each item names exactly one of `images`, `values`, `files` and `match`.", itemFields())
	section(&out, "`overrides`", "An override needs a selector (`name`, `pipelines`, `environments`; all that are said must match) and changes something. It may only tighten what stands before it, so the more general one comes first.", overrideFields())
	ways(&out)
	out.WriteString(`## Paths, globs and value paths

- A path has ` + "`/`" + ` between folders, begins at the repository's root (or at ` + "`path`" + `) and is neither absolute nor leaves its folder by ` + "`..`" + `.
- ` + "`$env`" + ` is the environment's name, ` + "`$name`" + ` and others come from ` + "`for_each`" + `; ` + "`$$`" + ` is a dollar. In ` + "`match`" + `, only known variables count; other dollars are the regular expression's.
- In globs ` + "`*`" + ` stands for any part of a name, ` + "`**`" + ` for any folders, ` + "`{a,b}`" + ` for either.
- A value path has keys joined by dots; list items are addressed by their ` + "`name`" + `: ` + "`containers.web.image`" + `. A key that has dots stands in quotes: ` + "`metadata.annotations.\"acme.io/version\"`" + `. ` + "`*`" + ` stands for any part of one key, ` + "`**`" + ` for any keys.
- An environment is there for a pipeline when a file that its items name is there, or, for ` + "`files`" + ` in a folder or on a branch of its own, any file in that folder; on its branch or on the one that ` + "`read`" + ` names. One that is managed elsewhere always is.
- In names under ` + "`verify`, `*`" + ` stands for any part, slashes too, and a backslash protects the character after it: ` + "`ci \\*`" + ` is the check that is called ` + "`ci *`" + `. No other character means anything.
- A duration is a number and a unit, ` + "`90s`, `30m`, `4h` or `3d`" + `, at most ` + "`366d`" + `.
- The name of a branch may hold ` + "`$env`" + `, and no other variable.

## Templates of ` + "`title` and `body`" + `

Go's [text/template](https://pkg.go.dev/text/template) with ` + "`if`, `with`, `eq`, `ne`, `and`, `or`, `not`, `len`" + ` and the functions ` + "`lower`, `upper`, `trim`, `trunc 7`, `replace \"a\" \"b\"`, `join \", \"`, `default \"x\"`, `contains \"x\"`, `has \"drift\"`" + `; nothing else can be called. In a body the fields stand for themselves, whatever Markdown they hold. A title is one line of at most 256 characters.

| field | meaning |
| --- | --- |
`)
	for _, f := range templateFields {
		fmt.Fprintf(&out, "| `{{.%s}}` | %s |\n", f.name, f.meaning)
	}
	out.WriteString("\nFor example `title: \"{{.Environment}}: {{.Name}} {{.To | default .Short}}\"`.\n")
	return out.String()
}

// ways are the ways a change can travel, each with a file.
func ways(out *strings.Builder) {
	out.WriteString("## Ways a change can travel, by example\n\n")
	for _, w := range wayExamples {
		fmt.Fprintf(out, "### %s\n\n%s\n\n```yaml\n%s```\n\n", w.title, w.text, w.file)
		if w.after != "" {
			out.WriteString(w.after + "\n")
		}
	}
}

// section is one mapping's table of keys.
func section[T any](out *strings.Builder, title, text string, fields []field[T]) {
	fmt.Fprintf(out, "## %s\n\n", title)
	if text != "" {
		fmt.Fprintf(out, "%s\n\n", text)
	}
	out.WriteString("| key | value | default | rule |\n| --- | --- | --- | --- |\n")
	for _, f := range fields {
		if f.later {
			continue
		}
		cell := strings.NewReplacer("|", `\|`, "\n", " ").Replace
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", f.name, cell(shorten(f.words)), cell(f.fallback), cell(f.rule))
	}
	out.WriteString("\n")
}

// shorten refers to another table instead of naming all of its keys.
func shorten(words string) string {
	if before, rest, ok := strings.Cut(words, "a mapping with "); ok {
		words = before + "a mapping (its keys below)"
		if strings.HasSuffix(rest, ", or a list of these") {
			words += ", or a list of these"
		}
		if strings.Contains(before, "mapping from") {
			words = before + "its settings (below)"
		}
	}
	return words
}
