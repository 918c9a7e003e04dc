package guess

// Texts: on one line, printable, and quoted where YAML would take them for
// something else.

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

const longest = 200

// clean makes a text of unknown making fit for one line of a comment.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// sentence formats a reason. Texts out of the repository are clipped, so that a
// long name does not hide the rest.
func sentence(format string, args ...any) string {
	for i, a := range args {
		if s, ok := a.(string); ok && len(s) > longest {
			args[i] = strings.ToValidUTF8(s[:longest], "") + "…"
		}
	}
	return clean(fmt.Sprintf(format, args...))
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z0-9_./$][A-Za-z0-9_./$*+@-]*$`)
	numeric   = regexp.MustCompile(`^[-+.0-9][-+.0-9eExXoOa-fA-F_]*$`)
)

// Quote writes a text as a YAML scalar that means this text.
func Quote(s string) string {
	switch strings.ToLower(s) {
	case "", "true", "false", "null", "yes", "no", "on", "off", "y", "n", ".", "..":
	default:
		if plainText.MatchString(s) && !numeric.MatchString(s) && !strings.HasSuffix(s, ":") {
			return s
		}
	}
	if s == "." {
		return s
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // a string can always be written
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// QuoteList writes one text, or several in brackets.
func QuoteList(all []string) string {
	if len(all) == 1 {
		return Quote(all[0])
	}
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// dollars protects a literal part of a template.
func dollars(s string) string { return strings.ReplaceAll(s, "$", "$$") }

// few are the first of many names.
func few(all []string, most int) string {
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
