package command

// From a line to a command. Rules:
//
//   - Names are compared in small letters; a phone writes the first one large.
//   - Options may stand anywhere, as --option value or --option=value. An unknown
//     one is a problem, also within a reason: it may be a misspelled limit. What
//     follows -- is no option.
//   - An alias is one step: it stands for a command, and never confirms.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// What is read at most.
const (
	// MostCommands is how many commands of one comment are carried out.
	MostCommands = 10
	mostLine     = 1000 // bytes of one command
	mostText     = 200  // characters of the line that are kept
	mostReason   = 300  // characters
)

var (
	environmentName    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`) // as the pipeline file's
	environmentPattern = regexp.MustCompile(`^[a-z0-9*][a-z0-9*-]{0,39}$`)
	pipelineName       = regexp.MustCompile(`^[\p{L}\p{N}_.][\p{L}\p{N}_.@+~=:/-]{0,199}$`)
	revisionName       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+:/@-]{0,199}$`)
	commandName        = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
)

// ParseSaid is Parse of a command as it is said without a comment ([Command.Said]),
// where aliases do not count: those are for people who write.
func ParseSaid(text string) []Command { return Parse(Word+" "+text, nil) }

// Parse finds the commands of a comment, in order; aliases are the pipeline
// file's ([config.Commands]). At most [MostCommands] of them can be carried out:
// where there are more, one more stands behind them, with that as its problem.
func Parse(body string, aliases map[string]string) []Command {
	var out []Command
	found, long := lines(body)
	for i, l := range found {
		c := Command{Index: i, Line: l.number, Text: cut(visible(l.text), mostText)}
		if long {
			c.Problem = fmt.Sprintf("commands are not looked for in a comment of more than %d KB; write it in one of its own", mostBody>>10)
			return append(out, c)
		}
		if i == MostCommands {
			c.Problem = fmt.Sprintf("this one and all below it are not carried out: a comment has at most %d commands", MostCommands)
			return append(out, c)
		}
		out = append(out, parse(c, l.text, aliases))
	}
	return out
}

// parse reads one line; what is wrong with it leaves nothing else.
func parse(c Command, text string, aliases map[string]string) Command {
	blank := c
	if len(text) > mostLine {
		blank.Problem = fmt.Sprintf("the line is longer than %d bytes; write less", mostLine)
		return blank
	}
	words := strings.Fields(text)[1:]
	spec, words, problem := named(words, aliases)
	blank.Name, c.Name = spec.Name, spec.Name
	if problem == "" {
		problem = c.read(spec, words)
	}
	if problem != "" {
		blank.Problem = problem
		return blank
	}
	return c
}

// named finds the command that words begin with, and the words that follow it.
func named(words []string, aliases map[string]string) (Spec, []string, string) {
	if len(words) == 0 {
		words = []string{NameHelp}
	}
	name := strings.ToLower(bare(words[0]))
	if spec, known := Find(name); known {
		return spec, words[1:], ""
	}
	if stands := strings.Fields(aliases[name]); len(stands) > 0 {
		spec, known := Find(stands[0])
		switch {
		case !known:
			return Spec{}, nil, fmt.Sprintf("the alias %s stands for %s, which is no command; `%s help` shows them", quote(name), quote(stands[0]), Word)
		case slices.Contains(stands, string(confirmOption)):
			return Spec{}, nil, fmt.Sprintf("the alias %s confirms by itself, which is for a person; take --confirm out of the pipeline file", quote(name))
		}
		return spec, slices.Concat(stands[1:], words[1:]), ""
	}
	problem := quote(words[0]) + " is no command"
	known := names()
	for a := range aliases {
		if commandName.MatchString(a) {
			known = append(known, a)
		}
	}
	slices.Sort(known)
	if near := config.Nearest(name, known); near != "" {
		problem += "; did you mean `" + near + "`?"
		if spec, isCommand := Find(near); isCommand {
			return Spec{}, nil, problem + " " + sentence(spec.usage())
		}
		return Spec{}, nil, problem
	}
	return Spec{}, nil, problem + "; `" + Word + " help` shows them"
}

// read fills what the words after the name say; "" or the problem.
func (c *Command) read(spec Spec, words []string) string {
	wrong := func(format string, a ...any) string { return fmt.Sprintf(format, a...) + "; " + spec.usage() }
	var reason []string
	seen := map[option]bool{}
	slots, options := spec.words, true
	for len(words) > 0 {
		w := words[0]
		words = words[1:]
		name, value, given, isOption := optionOf(w, spec)
		switch {
		case options && w == "--":
			options = false
			continue
		case options && isOption:
			if !slices.Contains(spec.options, name) {
				return wrong("%s", unknownOption(w, spec))
			}
			if seen[name] {
				return wrong("%s stands there twice", name)
			}
			seen[name] = true
			if name == confirmOption {
				if given {
					return wrong("%s takes no value", name)
				}
				c.Confirm = true
				continue
			}
			if value, words = valueOf(name, value, given, words); value == "" {
				return wrong("%s lacks its value", name)
			}
			if problem := c.set(name, value); problem != "" {
				return wrong("%s", problem)
			}
			continue
		case len(slots) == 0:
			return wrong("%s is too much", quote(w))
		case slots[0] == reasonWords:
			reason = append(reason, w)
			continue
		}
		if problem := c.fill(slots[0], w); problem != "" {
			return wrong("%s", problem)
		}
		slots = slots[1:]
	}
	c.Reason = cut(visible(strings.Join(reason, " ")), mostReason)
	if slices.Contains(spec.options, pastOption) && c.Gate == "" {
		_, gates := promotion.Passable("")
		return wrong("name the gate to pass, one of %s", strings.Join(gates, ", "))
	}
	return ""
}

// optionOf takes an option apart. Phones make one long dash of two.
func optionOf(w string, spec Spec) (name option, value string, given, is bool) {
	head, value, given := strings.Cut(w, "=")
	head = strings.ToLower(head)
	if strings.HasPrefix(head, "--") && len(head) > 2 {
		return option(head), value, given, true
	}
	for _, dash := range []string{"—", "–"} {
		if rest, long := strings.CutPrefix(head, dash); long && slices.Contains(spec.options, option("--"+rest)) {
			return option("--" + rest), value, given, true
		}
	}
	return "", "", false, false
}

func unknownOption(w string, spec Spec) string {
	head, _, _ := strings.Cut(w, "=")
	problem := quote(head) + " is no option of `" + spec.Name + "`"
	var known []string
	for _, o := range spec.options {
		known = append(known, string(o))
	}
	if near := config.Nearest(head, known); near != "" {
		return problem + ", did you mean `" + near + "`?"
	}
	if slices.Contains(spec.words, reasonWords) {
		return problem + ", put -- before words of a reason that begin with dashes"
	}
	return problem
}

var quotes = map[string]string{`"`: `"`, `'`: `'`, "“": "”", "„": "“", "‘": "’", "`": "`"}

// valueOf takes an option's value from the words that follow it: one word, a
// quoted text, or, for a time, a day and its hour.
func valueOf(name option, value string, given bool, words []string) (string, []string) {
	if !given {
		if len(words) == 0 || strings.HasPrefix(words[0], "--") {
			return "", words
		}
		value, words = words[0], words[1:]
	}
	for begin, end := range quotes {
		inner, quoted := strings.CutPrefix(value, begin)
		if !quoted {
			continue
		}
		for i := 0; i <= len(words); i++ {
			whole := strings.Join(slices.Concat([]string{inner}, words[:i]), " ")
			if text, closed := strings.CutSuffix(whole, end); closed {
				return strings.TrimSpace(text), words[i:]
			}
		}
	}
	if name == untilOption && len(words) > 0 && takesClock(value) && clockTime.MatchString(words[0]) {
		value, words = value+" "+words[0], words[1:]
	}
	return value, words
}

// set is an option's value.
func (c *Command) set(name option, value string) (problem string) {
	switch name {
	case toOption:
		c.To, problem = revision(value)
	case untilOption:
		if _, err := readUntil(value); err != nil {
			return err.Error()
		}
		c.Until = value
	case pastOption:
		gate := strings.ToLower(bare(value))
		known, gates := promotion.Passable(gate)
		if !known {
			problem = quote(value) + " is no gate that can be passed, which are " + strings.Join(gates, ", ")
			if near := config.Nearest(gate, gates); near != "" {
				problem += "; did you mean `" + near + "`?"
			}
			return problem
		}
		c.Gate = gate
	case pipelineOption:
		if c.Pipeline != "" {
			return "the pipeline stands there twice"
		}
		c.Pipeline, problem = pipeline(value)
	case confirmOption: // takes no value
	}
	return problem
}

// fill is a word's meaning.
func (c *Command) fill(s slot, w string) (problem string) {
	switch s {
	case oneEnvironment, environmentOrAll, environmentGlob:
		return c.setEnvironment(s, strings.ToLower(bare(w)), w)
	case revisionWord:
		c.Revision, problem = revision(w)
	case pipelineWord:
		if c.Pipeline != "" {
			return "the pipeline stands there twice"
		}
		c.Pipeline, problem = pipeline(w)
	case topicWord:
		topic := strings.ToLower(strings.TrimPrefix(bare(w), Word))
		if _, known := Find(topic); !known {
			problem = quote(w) + " is no command"
			if near := config.Nearest(topic, names()); near != "" {
				problem += "; did you mean `" + near + "`?"
			}
			return problem
		}
		c.Topic = topic
	case reasonWords: // gathered as they stand
	}
	return problem
}

func (c *Command) setEnvironment(s slot, name, written string) string {
	switch {
	case s != oneEnvironment && (name == "all" || name == Everywhere):
		c.Environments = Everywhere
	case environmentName.MatchString(name):
		c.Environment = name
	case strings.Contains(name, "*") && s != environmentGlob:
		return quote(written) + " is a pattern; name one environment"
	case environmentPattern.MatchString(name):
		c.Environments = strings.ReplaceAll(name, "**", "*")
		for strings.Contains(c.Environments, "**") {
			c.Environments = strings.ReplaceAll(c.Environments, "**", "*")
		}
	default:
		return quote(written) + " is no environment's name, which has at most 40 of a-z, 0-9 and -"
	}
	return ""
}

func revision(w string) (string, string) {
	r := bare(w)
	if !revisionName.MatchString(r) || strings.Contains(r, "..") {
		return "", quote(w) + " is neither a commit nor a version"
	}
	return r, ""
}

func pipeline(w string) (string, string) {
	p := bare(w)
	if !pipelineName.MatchString(p) {
		return "", quote(w) + " is no pipeline's name"
	}
	return p, ""
}

// bare is a word without the backticks that people put around names.
func bare(w string) string { return strings.Trim(w, "`") }

// quote is a person's word in a problem: visible, short, and no code.
func quote(w string) string {
	return `"` + cut(strings.NewReplacer("`", "", `"`, "").Replace(visible(w)), 60) + `"`
}

// visible makes one line of visible characters.
func visible(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s))
}

// cut keeps the first n characters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return strings.TrimSpace(string(r[:n-1])) + "…"
	}
	return s
}

// sentence begins with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
