package config

// Comment commands: who may give which, bots that count, and words of one's own.
//
// Rules: a command's own right counts, else the environment's, else write. Read
// is no right to change anything, since in a public repository everyone has it.
// An alias stands for a command and never confirms one.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CommandNames are the names of the comment commands.
var CommandNames = []string{"help", "status", "plan", "promote", "retry", "rollback", "hold", "resume", "approve", "merge", "skip", "cancel", "rebuild"}

// telling are the commands that change nothing.
var telling = []string{"help", "status", "plan"}

// maxWords bounds bots and aliases.
const maxWords = 100

// defaultRight is asked for where nothing is said.
var defaultRight = Right{Role: "write"}

// commandsSpec is `commands`.
type commandsSpec struct {
	position
	rights  said[[]named[said[Right]]]
	bots    list
	aliases said[[]named[said[string]]]
}

var (
	roles      = []string{"read", "triage", "write", "maintain", "admin"}
	teamRegexp = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$`)

	rightShape = scalar("a role or a team, as maintain or acme/oncall", textType,
		schema{"type": "string", "anyOf": []any{schema{"enum": anys(roles)}, schema{"pattern": teamRegexp.String()}}},
		func(s string) (Right, *refusal) {
			switch {
			case slices.Contains(roles, s):
				return Right{Role: s}, nil
			case teamRegexp.MatchString(s):
				return Right{Team: s}, nil
			}
			remedy := "write read, triage, write, maintain or admin, or a team as acme/oncall"
			if near := nearest(s, roles); near != "" {
				remedy = "did you mean " + near + "? " + remedy
			}
			return Right{}, refuse(remedy, "%s is no role and no team", clip(s))
		})
	// changingRight is a right to change something.
	changingRight = shape[said[Right]]{words: rightShape.words, schema: rightShape.schema, read: func(d *decoder, path string, n *yaml.Node) (said[Right], bool) {
		v, ok := rightShape.read(d, path, n)
		if ok && v.value.Role == "read" {
			d.at(n, path+": read is everyone's in a public repository", "write triage, write, maintain, admin or a team")
			return said[Right]{}, false
		}
		return v, ok
	}}
	commandShape = oneOf(CommandNames...)
	aliasShape   = text("a command with its arguments, as promote prod", 200, checkAlias)

	commandsShape = object("commands", "Settings of the comment commands.", false, commandsFields())
)

func commandsFields() []field[commandsSpec] {
	return []field[commandsSpec]{
		key("rights", mapOf("a role or a team", commandShape, rightShape), "the environment's `right`", "what a command asks for: a role in the repository (`triage`, `write`, `maintain`, `admin`; `read` for help, status and plan alone), or membership in a team, as `acme/oncall`. It counts instead of the environment's",
			func(c *commandsSpec) *said[[]named[said[Right]]] { return &c.rights }),
		key("bots", listOf(loginShape), "none", "bots whose comments count, as `renovate[bot]`; they need the right, too",
			func(c *commandsSpec) *list { return &c.bots }),
		key("aliases", mapOf("a command", nameShape, aliasShape), "none", "words that stand for a command with arguments: with `ship: promote prod`, `/promobot ship` promotes to prod. What follows the word is added",
			func(c *commandsSpec) *said[[]named[said[string]]] { return &c.aliases }),
	}
}

func checkAlias(s string) *refusal {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 }) {
		return refuse("write it on one line", "%s holds a control character", clip(s))
	}
	words := strings.Fields(s)
	switch {
	case strings.HasPrefix(words[0], "/promobot"):
		return refuse("leave out /promobot", "%s begins with /promobot", clip(s))
	case !slices.Contains(CommandNames, words[0]):
		remedy := "begin with one of " + strings.Join(CommandNames, ", ")
		if near := nearest(words[0], CommandNames); near != "" {
			remedy = "did you mean " + near + "? " + remedy
		}
		return refuse(remedy, "%s is no command", clip(words[0]))
	case slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "--confirm") }):
		return refuse("leave out --confirm, which is for a person to write who has seen what will happen", "%s confirms by itself", clip(s))
	}
	return nil
}

// checkCommands refuses rights that are none, and aliases that hide a command.
func (f *File) checkCommands(d *decoder) {
	c := &f.doc.commands
	for _, r := range c.rights.value {
		if r.value.value.Role == "read" && !slices.Contains(telling, r.name.value) {
			d.add(r.value.line, r.value.column, fmt.Sprintf("commands.rights.%s: read is everyone's in a public repository, and %s changes something", r.name.value, r.name.value),
				"write triage, write, maintain, admin or a team; read goes with "+strings.Join(telling, ", "))
		}
	}
	for _, a := range c.aliases.value {
		if slices.Contains(CommandNames, a.name.value) {
			d.add(a.name.line, a.name.column, fmt.Sprintf("commands.aliases: %s is a command itself", a.name.value), "use another word")
		}
	}
	for _, n := range []struct {
		what string
		at   position
		n    int
	}{{"bots", c.bots.position, len(c.bots.value)}, {"aliases", c.aliases.position, len(c.aliases.value)}} {
		if n.n > maxWords {
			d.add(n.at.line, n.at.column, fmt.Sprintf("commands.%s: %d are too many; at most %d", n.what, n.n, maxWords), "name fewer")
		}
	}
}

// Commands are the file's settings of comment commands.
func (f *File) Commands() Commands {
	c := &f.doc.commands
	out := Commands{Rights: map[string]Right{}, Aliases: map[string]string{}, Bots: values(c.bots.value)}
	for _, r := range c.rights.value {
		out.Rights[r.name.value] = r.value.value
	}
	for _, a := range c.aliases.value {
		out.Aliases[a.name.value] = strings.Join(strings.Fields(a.value.value), " ")
	}
	return out
}

// Asks is what a command asks for: what was said of it, else what the
// environment asks for ([Environment.Right]), else write. The zero right stands
// for a command about no one environment.
func (c Commands) Asks(command string, environment Right) Right {
	if r, said := c.Rights[command]; said {
		return r
	}
	if environment != (Right{}) {
		return environment
	}
	return defaultRight
}

// String is the right for people: "maintain" or "team acme/oncall".
func (r Right) String() string {
	if r.Team != "" {
		return "team " + r.Team
	}
	return r.Role
}

// right is the pipeline's own where it has one.
func (e *environmentLayout) right() said[Right] { return prefer(e.own.right, e.file.right) }
