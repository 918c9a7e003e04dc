package config

// Templates of paths: text with $variables, as services/$name/overlays/$env.
//
// Rules: a variable is a dollar and letters, digits and underscores, the longest
// that fit; $$ is a dollar. Braces are no part of it, because {name} breaks
// YAML's flow mappings and is an alternation in globs.

import (
	"regexp"
	"slices"
	"strings"
)

// envVariable is the variable that ranges over the environments.
const envVariable = "env"

type pathTemplate struct {
	text  string
	parts []part
}

// part is a literal text or a variable.
type part struct{ literal, variable string }

var variablePattern = regexp.MustCompile(`\$(\$|[a-z][a-z0-9_]*)?`)

// parseTemplate splits a text at its variables.
func parseTemplate(text string) (pathTemplate, *refusal) {
	t := pathTemplate{text: text}
	literal, end := "", 0
	for _, m := range variablePattern.FindAllStringSubmatchIndex(text, -1) {
		literal += text[end:m[0]]
		end = m[1]
		name := text[m[0]+1 : m[1]]
		switch name {
		case "":
			return t, refuse("name a variable, as $env or $name, or write $$ for a dollar", "%s has a dollar without a name", clip(text))
		case "$":
			literal += "$"
			continue
		}
		if literal != "" {
			t.parts = append(t.parts, part{literal: literal})
			literal = ""
		}
		t.parts = append(t.parts, part{variable: name})
	}
	if literal += text[end:]; literal != "" {
		t.parts = append(t.parts, part{literal: literal})
	}
	return t, nil
}

// settleMatch splits a regular expression at the variables that are known and
// leaves every other dollar alone.
func settleMatch(text string, known []string) pathTemplate {
	t := pathTemplate{text: text}
	end := 0
	for _, m := range variablePattern.FindAllStringIndex(text, -1) {
		if name := text[m[0]+1 : m[1]]; slices.Contains(known, name) {
			t.parts = append(t.parts, part{literal: text[end:m[0]]}, part{variable: name})
			end = m[1]
		}
	}
	t.parts = append(t.parts, part{literal: text[end:]})
	return t
}

// variables are the names in the template, in order, each once.
func (t pathTemplate) variables() []string {
	var out []string
	for _, p := range t.parts {
		if p.variable != "" && !slices.Contains(out, p.variable) {
			out = append(out, p.variable)
		}
	}
	return out
}

func (t pathTemplate) has(variable string) bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return p.variable == variable })
}

// fill replaces the variables; escape protects a value's own characters where
// the result is a pattern.
func (t pathTemplate) fill(b binding, escape func(string) string) string {
	if len(t.parts) == 1 && t.parts[0].variable == "" {
		return t.parts[0].literal
	}
	var out strings.Builder
	for _, p := range t.parts {
		if p.variable == "" {
			out.WriteString(p.literal)
		} else {
			out.WriteString(escape(b.get(p.variable)))
		}
	}
	return out.String()
}

// binding is what the variables of one pipeline stand for.
type binding []variable

type variable struct{ name, value string }

func (b binding) get(name string) string {
	for _, v := range b {
		if v.name == name {
			return v.value
		}
	}
	return ""
}

// in is the binding for an environment.
func (b binding) in(environment string) binding {
	return append(slices.Clip(b), variable{envVariable, environment})
}

// plain is the escape for paths.
func plain(s string) string { return s }

// escapeGlob protects a value inside a glob.
func escapeGlob(s string) string {
	if !strings.ContainsAny(s, `*?[]{}\`) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`*?[]{}\`, r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// quoteRegexp protects a value inside a regular expression.
func quoteRegexp(s string) string { return regexp.QuoteMeta(s) }

// checkPath refuses what is no path inside the repository. Globs are checked by
// it too; in them a backslash protects the next character.
func checkPath(text string, glob bool) *refusal {
	const remedy = "write it from the repository's root, as services/checkout"
	switch {
	case text == "":
		return refuse(remedy, "the path is empty")
	case strings.HasPrefix(text, "/"), len(text) > 1 && text[1] == ':':
		return refuse(remedy+", without a leading slash or drive", "%s is an absolute path", clip(text))
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return refuse("remove it", "%s holds a control character", clip(text))
	case !glob && strings.Contains(text, `\`):
		return refuse("separate folders by /", "%s holds a backslash", clip(text))
	case len(text) > 1000:
		return refuse("shorten it", "the path is longer than 1000 characters")
	}
	if !glob && text == "." {
		return nil
	}
	for i, s := range strings.Split(text, "/") {
		switch {
		case s == "..":
			return refuse(remedy, "%s leaves its folder by ..", clip(text))
		case s == ".":
			return refuse("leave out the ./", "%s holds a . segment", clip(text))
		case s == "" && i == strings.Count(text, "/"):
			return refuse("leave out the last slash; for everything in a folder write folder/**", "%s ends in a slash", clip(text))
		case s == "":
			return refuse("leave one out", "%s has two slashes in a row", clip(text))
		case s == ".git":
			return refuse("name a folder that git keeps", "%s lies in git's own folder", clip(text))
		}
	}
	return nil
}
