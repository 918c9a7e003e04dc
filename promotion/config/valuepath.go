package config

// Value paths and globs as this package needs them: which cover each other, so
// that two pipelines that would move the same value are found before they do.
// What a path selects in a document is the content package's business.

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// maxKeys bounds the keys of a value path.
const maxKeys = 40

// parseValuePath splits a path at its dots into patterns of keys, in which *
// stands for any run of characters and \ for the next character as it is; a key
// in quotes, as in metadata.annotations."acme.io/version", stands for itself.
func parseValuePath(path string) ([]string, error) {
	raw, err := splitValuePath(path)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxKeys {
		return nil, errors.New("it has more than 40 keys")
	}
	keys := make([]string, len(raw))
	for i, k := range raw {
		switch k[0] {
		case '\'':
			keys[i] = escapeStars(k[1 : len(k)-1])
		case '"':
			text, err := strconv.Unquote(k)
			if err != nil {
				return nil, errors.New("it has an unknown escape in " + k)
			}
			keys[i] = escapeStars(text)
		default:
			keys[i] = strings.NewReplacer(`\`, `\\`, `?`, `\?`).Replace(k)
		}
	}
	return keys, nil
}

// splitValuePath splits a path at the dots outside quotes and leaves the quotes.
func splitValuePath(path string) ([]string, error) {
	var keys []string
	for rest := path; ; {
		end := strings.IndexByte(rest, '.')
		if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
			last := 1
			for last < len(rest) && rest[last] != rest[0] {
				if rest[last] == '\\' && rest[0] == '"' {
					last++
				}
				last++
			}
			if last >= len(rest) {
				return nil, errors.New("a quote is not closed")
			}
			if end = last + 1; end == len(rest) {
				end = -1
			} else if rest[end] != '.' {
				return nil, errors.New("text stands after a closing quote")
			}
		}
		key := rest
		if end >= 0 {
			key = rest[:end]
		}
		switch {
		case key == "":
			return nil, errors.New("it has an empty key")
		case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return nil, errors.New("it holds a control character")
		}
		if keys = append(keys, key); end < 0 {
			return keys, nil
		}
		rest = rest[end+1:]
	}
}

// fillValuePath fills a template of a value path; a key whose variable holds
// what has a meaning in paths is put in quotes.
func fillValuePath(t pathTemplate, b binding) string {
	filled := t.fill(b, plain)
	if !slices.ContainsFunc(t.parts, func(p part) bool { return strings.ContainsAny(b.get(p.variable), ".*\"'\\") }) {
		return filled
	}
	raw, err := splitValuePath(t.text)
	if err != nil {
		return filled
	}
	for i, k := range raw {
		one, bad := parseTemplate(strings.Trim(k, "\"'"))
		if bad == nil && len(one.variables()) > 0 {
			raw[i] = strconv.Quote(one.fill(b, plain))
		}
	}
	return strings.Join(raw, ".")
}

// escapeStars makes a text stand for itself in a pattern of keys.
func escapeStars(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(s)
}

// pathsOverlap says whether some value can be named by both paths.
func pathsOverlap(a, b string) bool {
	as, errA := parseValuePath(a)
	bs, errB := parseValuePath(b)
	return errA == nil && errB == nil && segmentsOverlap(as, bs)
}

func segmentsOverlap(a, b []string) bool {
	return overlap(a, b, func(s string) bool { return s == "**" }, starsOverlap)
}

// pathCovers says whether a pattern names the value at the given keys.
func pathCovers(pattern string, keys []string) bool {
	segments, err := parseValuePath(pattern)
	if err != nil {
		return false
	}
	literal := make([]string, len(keys))
	for i, k := range keys {
		literal[i] = escapeStars(k)
	}
	return segmentsOverlap(segments, literal)
}

// globsOverlap says whether some name can be matched by both globs of names.
// Alternations and classes are taken to overlap unless one glob, read as a
// plain name, answers: doubt is told.
func globsOverlap(a, b string) bool {
	switch {
	case a == b:
		return true
	case !strings.ContainsAny(b, `*?[{\`):
		return matchGlob(a, b)
	case !strings.ContainsAny(a, `*?[{\`):
		return matchGlob(b, a)
	case strings.ContainsAny(a+b, `[{\`):
		return true
	default:
		return starsOverlap(strings.ReplaceAll(a, "**", "*"), strings.ReplaceAll(b, "**", "*"))
	}
}

// starsOverlap says whether two texts with * (any characters), ? (one) and \
// (the next character as it is) can be the same text.
func starsOverlap(a, b string) bool {
	return overlap(symbols(a), symbols(b),
		func(s int32) bool { return s == anyRun },
		func(x, y int32) bool { return x == y || x == anyOne || y == anyOne })
}

// overlap says whether two patterns can be the same sequence: run marks what
// stands for any number of elements, match compares two others. It takes
// len(a) × len(b) steps.
func overlap[E any](a, b []E, run func(E) bool, match func(x, y E) bool) bool {
	// reach[j]: what is read of a so far can equal the first j of b.
	reach, next := make([]bool, len(b)+1), make([]bool, len(b)+1)
	reach[0] = true
	for j, y := range b {
		reach[j+1] = reach[j] && run(y)
	}
	for _, x := range a {
		for j := range next {
			switch {
			case run(x):
				next[j] = reach[j] || j > 0 && next[j-1]
			case j == 0:
				next[j] = false
			case run(b[j-1]):
				next[j] = reach[j] || next[j-1]
			default:
				next[j] = reach[j-1] && match(x, b[j-1])
			}
		}
		reach, next = next, reach
	}
	return reach[len(b)]
}

// The symbols that are no characters.
const (
	anyRun = -1
	anyOne = -2
)

func symbols(s string) []int32 {
	var out []int32
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		switch {
		case runes[i] == '\\' && i+1 < len(runes):
			i++
			out = append(out, runes[i])
		case runes[i] == '*':
			out = append(out, anyRun)
		case runes[i] == '?':
			out = append(out, anyOne)
		default:
			out = append(out, runes[i])
		}
	}
	return out
}

// matchGlob matches a path by a glob that was checked when it was read.
func matchGlob(glob, path string) bool {
	ok, err := doublestar.Match(glob, path)
	return err == nil && ok
}
