// Package doctor judges whether promobot can work: the machine, the App, and a
// repository, as values that were read beforehand. Each finding is one sentence,
// and where something is wrong, how and where to mend it.
//
// It is pure. What it says is for people; names out of repositories stand in it as
// they are, and whoever prints it makes them printable.
package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// Grade is how bad a finding is.
type Grade string

// The grades. Doubtful is what works, but perhaps not as it is meant.
const (
	Well     Grade = "well"
	Doubtful Grade = "doubtful"
	Wrong    Grade = "wrong"
)

// Mark is the grade as one character.
func (g Grade) Mark() string {
	switch g {
	case Well:
		return "✓"
	case Doubtful:
		return "⚠"
	case Wrong:
	}
	return "✗"
}

// Finding is one thing that was looked at.
type Finding struct {
	Subject string `json:"subject"` // machine, app, or owner/name
	About   string `json:"about"`   // one word or two: permissions, webhook, clock
	Grade   Grade  `json:"grade"`
	Says    string `json:"says"`           // one sentence without its end
	Mend    string `json:"mend,omitempty"` // what to do, without its end
	At      string `json:"at,omitempty"`   // where: an address, or a file
}

// Sick says whether anything is wrong.
func Sick(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Grade == Wrong })
}

// report collects findings about one subject.
type report struct {
	subject string
	all     []Finding
}

func (r *report) well(about, format string, args ...any) {
	r.all = append(r.all, Finding{Subject: r.subject, About: about, Grade: Well, Says: fmt.Sprintf(format, args...)})
}

func (r *report) add(g Grade, about, says, mend, at string) {
	r.all = append(r.all, Finding{Subject: r.subject, About: about, Grade: g, Says: says, Mend: mend, At: at})
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// some names at most so many of a list.
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
