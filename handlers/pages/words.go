package pages

// What templates ask: words and signs for what the loop says, times, addresses.

import (
	"cmp"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

var functions = template.FuncMap{
	"asset":    func(name string) string { return "/assets/" + names[name] },
	"link":     link,
	"pair":     func(address, text string) pair { return pair{link(address), text} },
	"pull":     pullOf,
	"about":    about,
	"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"utc":      func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") },
	"minute":   minute,
	"short":    short,
	"spans":    spans,
	"sentence": sentence,
	"count":    count,
	"lasting":  lasting,
	"standing": standingOf,
	"status":   statusOf,
	"outcome":  outcomeOf,
	"kind":     kindOf,
	"people":   peopleOf,
	"repoPath": repoPath,
	"envPath":  envPath,
	"envOf":    envOf,
	"pipePath": pipePath,
	"promPath": promPath,
	"join":     func(list []string) string { return strings.Join(list, ", ") },
	"percent":  percent,
	"reverse":  func(list []view.Step) []view.Step { list = slices.Clone(list); slices.Reverse(list); return list },
}

// pair is a link, or only its text where it has no address.
type pair struct{ URL, Text string }

func pullOf(address string, number int) pair { return pair{link(address), fmt.Sprintf("#%d", number)} }

// link is an address that a page may lead to; "" for any other.
func link(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}

// about is a link that says where it leads to: a pull request, or another server.
func about(address string) pair {
	u, err := url.Parse(address)
	if err != nil {
		return pair{"", "link"}
	}
	if number := path.Base(u.Path); path.Base(path.Dir(u.Path)) == "pull" && strings.Trim(number, "0123456789") == "" {
		return pair{link(address), "#" + number}
	}
	return pair{link(address), cmp.Or(u.Hostname(), "link")}
}

// minute is a time as HTML's time element reads its own text: the tersest there is.
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// short is a commit as people write it; anything else as it is.
func short(revision string) string {
	if len(revision) == 40 && strings.Trim(revision, "0123456789abcdef") == "" {
		return revision[:7]
	}
	return revision
}

// span is a piece of a sentence.
type span struct {
	Code bool
	Text string
}

// spans are the pieces of a sentence, in which code stands between backticks.
func spans(s string) []span {
	var all []span
	for code := false; ; code = !code {
		before, after, found := strings.Cut(s, "`")
		if code && !found { // one that is left over is itself
			return append(all, span{Text: "`" + before})
		}
		if before != "" {
			all = append(all, span{code, before})
		}
		if !found {
			return all
		}
		s = after
	}
}

// sentence begins with a capital.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if word, _, _ := strings.Cut(s, " "); strings.ContainsAny(word, "-./_:0123456789") {
		return s // a name
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// count is a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// lasting is a duration as people say it.
func lasting(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Minute:
		return "less than a minute"
	case d < 2*time.Hour:
		return count(int(d/time.Minute), "minute", "minutes")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour", "hours")
	}
	return count(int(d/(24*time.Hour)), "day", "days")
}

func percent(of, all int) int {
	if all == 0 {
		return 0
	}
	return of * 100 / all
}

// sign is a word with a colour and a picture; none of them says a thing alone.
type sign struct {
	Tone string // ok, go, wait, bad, quiet or idea
	Icon string // of icons.html
	Text string
}

// standingOf is where an environment has got to.
func standingOf(e view.Environment) sign {
	switch {
	case e.Failure != nil && !e.Failure.Over, e.Watch != nil && !e.Watch.Failing.IsZero():
		return sign{"bad", "cross", "Failing"}
	case e.Hold != nil && e.Failure != nil:
		return sign{"bad", "pause", "Held"}
	case e.Hold != nil:
		return sign{"wait", "pause", "Held"}
	}
	switch promotion.Standing(e.Standing) {
	case promotion.UpToDate:
		return sign{"ok", "check", "Up to date"}
	case promotion.Source:
		return sign{"ok", "check", "Source"}
	case promotion.Proposed:
		return sign{"wait", "person", "Proposed"}
	case promotion.Waiting:
		return sign{"wait", "clock", "Waiting"}
	case promotion.Merging:
		return sign{"go", "arrow", "Merging"}
	case promotion.Verifying:
		return sign{"go", "eye", "Verifying"}
	case promotion.Stopped:
		return sign{"bad", "cross", "Stopped"}
	case promotion.Rejected:
		return sign{"quiet", "cross", "Rejected"}
	case promotion.WouldPromote:
		return sign{"idea", "eye", "Would promote"}
	case promotion.Absent:
		return sign{"quiet", "dash", "Absent"}
	}
	return sign{"quiet", "dash", cmp.Or(sentence(e.Standing), "Not looked at yet")}
}

// statusOf is how far a promotion is.
func statusOf(p view.Promotion) sign {
	switch state.Status(p.Status) {
	case state.Claimed:
		return sign{"go", "clock", "Being prepared"}
	case state.Opened:
		return sign{"go", "pull", "Open"}
	case state.Closing:
		return sign{"quiet", "cross", "Being closed"}
	case state.Landed:
		return sign{"ok", "check", "Landed"}
	case state.Vetoed:
		return sign{"bad", "cross", "Closed by a person"}
	case state.Closed:
		return sign{"quiet", "cross", "Closed"}
	}
	return sign{"quiet", "dash", sentence(p.Status)}
}

// outcomeOf is a verdict's outcome, or GitHub's word for a check's.
func outcomeOf(outcome string) sign {
	switch strings.ToLower(outcome) {
	case string(state.Verified), "success", "neutral", "skipped", "done":
		return sign{"ok", "check", sentence(outcome)}
	case string(state.Failed), "failure", "error", "timed_out", "startup_failure", "action_required":
		return sign{"bad", "cross", sentence(strings.ReplaceAll(outcome, "_", " "))}
	case string(state.GivenUp), "cancelled", "stale", "inactive":
		return sign{"wait", "dash", sentence(outcome)}
	}
	return sign{"go", "clock", cmp.Or(sentence(strings.ReplaceAll(outcome, "_", " ")), "Not reported yet")}
}

// kindOf is a ledger entry's sign in a timeline.
func kindOf(kind string) sign {
	switch state.Kind(kind) {
	case state.KindLanded:
		return sign{"ok", "check", "landed"}
	case state.KindBaseline, state.KindSettled, state.KindAccepted:
		return sign{"quiet", "dot", kind}
	case state.KindClaim, state.KindCarried, state.KindOpened:
		return sign{"go", "pull", kind}
	case state.KindClosing, state.KindClosed:
		return sign{"quiet", "cross", kind}
	case state.KindVeto:
		return sign{"bad", "cross", kind}
	case state.KindHold:
		return sign{"wait", "pause", kind}
	case state.KindResume:
		return sign{"ok", "arrow", kind}
	case state.KindWatched:
		return sign{"go", "eye", kind}
	case state.KindVerdict:
		return sign{"idea", "eye", kind}
	case state.KindFailed, state.KindHalted:
		return sign{"bad", "cross", kind}
	case state.KindRun:
		return sign{"go", "arrow", kind}
	case state.KindApproved, state.KindWish, state.KindPast:
		return sign{"idea", "person", kind}
	}
	return sign{"quiet", "dot", kind}
}

// peopleOf is what people did with what auto would have merged.
func peopleOf(what string) sign {
	switch what {
	case "same":
		return sign{"ok", "check", "Did the same"}
	case "changed":
		return sign{"wait", "person", "Merged something else"}
	case "closed":
		return sign{"bad", "cross", "Closed it"}
	case "reverted":
		return sign{"bad", "back", "Took it back"}
	}
	return sign{"go", "clock", "Not decided yet"}
}

// segments are the parts of a name that may have slashes, for an address. What a
// browser would take as "here" or "above" is marked.
func segments(name string) string {
	parts := strings.Split(name, "/")
	for i, s := range parts {
		if strings.Trim(s, ".") == "" || s[0] == '~' {
			s = "~" + s
		}
		parts[i] = url.PathEscape(s)
	}
	return strings.Join(parts, "/")
}

// fromSegments is the inverse of segments, after the address was unescaped.
func fromSegments(rest string) string {
	parts := strings.Split(rest, "/")
	for i := range parts {
		parts[i] = strings.TrimPrefix(parts[i], "~")
	}
	return strings.Join(parts, "/")
}

// segment is a name as one part of an address.
func segment(name string) string {
	if strings.Trim(name, ".") == "" || name[0] == '~' {
		name = "~" + name
	}
	return url.PathEscape(name)
}

func repoPath(r *view.Repository) string {
	return "/" + segment(r.Owner) + "/" + segment(r.Name)
}

func pipePath(r *view.Repository, pipeline string) string {
	return repoPath(r) + "/p/" + segments(pipeline)
}

func envPath(r *view.Repository, pipeline, environment string) string {
	return repoPath(r) + "/e/" + segment(environment) + "/" + segments(pipeline)
}

// envOf is the page of an environment in a list of many repositories'.
func envOf(c view.Changed) string {
	owner, name, _ := strings.Cut(c.Repository, "/")
	return envPath(&view.Repository{Owner: owner, Name: name}, c.Pipeline, c.Environment)
}

func promPath(r *view.Repository, id string) string { return repoPath(r) + "/promotion/" + segment(id) }
