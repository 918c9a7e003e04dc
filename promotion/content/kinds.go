package content

// The kinds of a change, and what the table of changes says of a whole file.

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A promotion that writes more files, or adds and removes more lines, than
// these is of kind [Large].
const (
	LargeFiles = 50
	LargeLines = 1000
)

// noteRunes is how much of a line the table of changes shows.
const noteRunes = 80

// leakFinder finds the source environment's name as a word of its own.
type leakFinder struct {
	word   *regexp.Regexp
	target string
}

func newLeakFinder(source, target string) leakFinder {
	if source == "" || strings.EqualFold(source, target) {
		return leakFinder{}
	}
	return leakFinder{
		word:   regexp.MustCompile(`(?i)(?:^|[^0-9a-z])` + regexp.QuoteMeta(source) + `(?:[^0-9a-z]|$)`),
		target: strings.ToLower(target),
	}
}

// in reports whether text names the source. The target's own name may hold the
// source's (prod, prod-us), so it is taken out first.
func (l leakFinder) in(text string) bool {
	if l.word == nil || !l.word.MatchString(text) {
		return false
	}
	return l.target == "" || l.word.MatchString(strings.ReplaceAll(strings.ToLower(text), l.target, "\x01"))
}

func addKind(kinds []Kind, k Kind) []Kind {
	if !slices.Contains(kinds, k) {
		kinds = append(kinds, k)
		slices.Sort(kinds)
	}
	return kinds
}

func isBinary(data []byte) bool {
	return bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 || !utf8.Valid(data)
}

// fileDiff is what differs between two texts, for people.
type fileDiff struct {
	added, removed int
	addedLines     [][]byte
	pairs          [][2]string // lines that became others, one by one
}

func diffTexts(now, after []byte) fileDiff {
	a, b := splitLines(now), splitLines(after)
	ids := map[string]int{}
	var d fileDiff
	for _, h := range diffLines(intern(ids, a), intern(ids, b)) {
		d.removed += h.hi - h.lo
		d.added += h.to - h.from
		d.addedLines = append(d.addedLines, b[h.from:h.to]...)
		if h.hi-h.lo == h.to-h.from {
			for i := range h.hi - h.lo {
				d.pairs = append(d.pairs, [2]string{trimEnd(a[h.lo+i]), trimEnd(b[h.from+i])})
			}
		}
	}
	return d
}

func trimEnd(line []byte) string { return strings.TrimRight(string(line), "\r\n") }

// notes are the table's "now" and "after" of a file: the one line that differs,
// else how much there is.
func (d fileDiff) notes(now, after []byte) (string, string) {
	if isBinary(now) || isBinary(after) {
		return sizeNote(now), sizeNote(after)
	}
	if d.added == 1 && d.removed == 1 && len(d.pairs) == 1 {
		n, a := cut(d.pairs[0][0]), cut(d.pairs[0][1])
		if n != a {
			return n, a
		}
	}
	n, a := sizeNote(now), sizeNote(after)
	if n == a {
		a += fmt.Sprintf(" (%d changed)", max(d.added, d.removed))
	}
	return n, a
}

func sizeNote(data []byte) string {
	if isBinary(data) {
		return fmt.Sprintf("binary, %s", count(len(data), "byte"))
	}
	return count(len(splitLines(data)), "line")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func cut(line string) string {
	line = strings.TrimSpace(line)
	if utf8.RuneCountInString(line) <= noteRunes {
		return line
	}
	return string([]rune(line)[:noteRunes-1]) + "…"
}
