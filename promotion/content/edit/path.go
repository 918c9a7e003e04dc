package edit

// Value paths: how the pipeline file names a value inside a YAML or JSON file.
//
//	image.tag                        keys, separated by dots
//	containers.web.image             a list's item by its name (by its index where it has none)
//	metadata.annotations."a.b/c"     a key with dots in quotes
//	**.hostname                      at any depth, also at the top
//	images.*.newTag, app-*.tag       * stands for any run of characters of one key

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Pattern is a parsed value path, possibly with wildcards.
type Pattern struct {
	text     string
	segments []segment
}

type segment struct {
	text string
	glob bool // text holds * as a wildcard
	deep bool // **: any number of keys
}

// ParsePattern reads a value path. It fails on an empty path, an empty key
// and an unclosed quote.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{text: text}
	rest := text
	for {
		var s segment
		if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
			key, after, err := quotedKey(rest)
			if err != nil {
				return Pattern{}, fmt.Errorf("path %q: %w", text, err)
			}
			s, rest = segment{text: key}, after
		} else {
			end := strings.IndexByte(rest, '.')
			if end < 0 {
				end = len(rest)
			}
			key := rest[:end]
			if key == "" {
				return Pattern{}, fmt.Errorf("path %q has an empty key; write it as a.b.c, with quotes around a key that has dots", text)
			}
			s = segment{text: key, deep: key == "**", glob: strings.Contains(key, "*")}
			rest = rest[end:]
		}
		p.segments = append(p.segments, s)
		if rest == "" {
			return p, nil
		}
		rest = rest[1:] // the dot
	}
}

func quotedKey(s string) (key, rest string, err error) {
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '"': // as Key writes it: Go's escapes
			r, multibyte, tail, err := strconv.UnquoteChar(s[i:], '"')
			if err != nil {
				return "", "", errors.New("has an unknown escape")
			}
			if multibyte {
				b.WriteRune(r)
			} else {
				b.WriteByte(byte(r))
			}
			i = len(s) - len(tail) - 1
		case s[i] == quote:
			rest = s[i+1:]
			if rest != "" && rest[0] != '.' {
				return "", "", errors.New("has text after a closing quote")
			}
			return b.String(), rest, nil
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", errors.New("has a quote that is not closed")
}

// String is the path as it was written.
func (p Pattern) String() string { return p.text }

// Last is the path's last key, "" when it is a wildcard.
func (p Pattern) Last() string {
	if len(p.segments) == 0 {
		return ""
	}
	if s := p.segments[len(p.segments)-1]; !s.glob {
		return s.text
	}
	return ""
}

// Keys are the path's keys when it has no wildcard.
func (p Pattern) Keys() ([]string, bool) {
	var keys []string
	for _, s := range p.segments {
		if s.glob {
			return nil, false
		}
		keys = append(keys, s.text)
	}
	return keys, true
}

// Match reports whether the path names the value at these keys.
func (p Pattern) Match(keys []string) bool {
	at := p.begin()
	for _, k := range keys {
		if at = p.step(at, k); len(at) == 0 {
			return false
		}
	}
	return p.done(at)
}

// A position set says how far into the pattern a walk can have come.
func (p Pattern) begin() []int { return p.close([]int{0}) }

func (p Pattern) close(at []int) []int {
	for i := 0; i < len(at); i++ {
		if n := at[i]; n < len(p.segments) && p.segments[n].deep && !slices.Contains(at, n+1) {
			at = append(at, n+1)
		}
	}
	return at
}

func (p Pattern) step(at []int, key string) []int {
	var next []int
	add := func(n int) {
		if !slices.Contains(next, n) {
			next = append(next, n)
		}
	}
	for _, n := range at {
		if n == len(p.segments) {
			continue
		}
		switch s := p.segments[n]; {
		case s.deep:
			add(n)
		case s.text == key, s.glob && globKey(s.text, key):
			add(n + 1)
		}
	}
	return p.close(next)
}

func (p Pattern) done(at []int) bool { return slices.Contains(at, len(p.segments)) }

// globKey matches key against pattern, where * stands for any run of characters.
func globKey(pattern, key string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(key, parts[0]) {
		return false
	}
	key = key[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(key, part)
		if i < 0 {
			return false
		}
		key = key[i+len(part):]
	}
	return strings.HasSuffix(key, parts[len(parts)-1])
}

// Key writes keys as a path without wildcards that ParsePattern reads back.
func Key(keys []string) string {
	quoted := make([]string, len(keys))
	for i, k := range keys {
		quoted[i] = k
		if q := strconv.Quote(k); k == "" || strings.ContainsAny(k, `.*"' `) || q != `"`+k+`"` {
			quoted[i] = q
		}
	}
	return strings.Join(quoted, ".")
}
