package texts

// Escaping. Rules:
//
//   - Every text that a repository, a person or an error brought passes through
//     exactly one of inline, code, cell or plain before it is written.
//   - Links lead only to pages of the repository, at addresses built here, and
//     to the evidence of a verification, under a text of ours.
//   - Nobody is mentioned but those whom the pipeline file or GitHub names.
//   - Raw HTML is only what this package writes as a constant.
//   - A zero-width space behind @ and # keeps GitHub from seeing a mention or a
//     reference: those are looked for in the rendered text, so an entity for the
//     character itself would not help. Nothing is looked for in code spans.

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/promobot/promobot/promotion"
)

const (
	zeroWidth       = "\u200b"
	zeroWidthEntity = "&#8203;"
)

// clean makes one line of visible characters: line ends and tabs become
// spaces; control, bidirectional and other formatting characters go.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// cut keeps the first n characters.
func cut(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:n-1]), " ") + "…"
}

// How much of one text is shown.
const (
	mostName   = 120 // names of pipelines, values, authors; values themselves
	mostPath   = 200
	mostReason = 400
)

// address and reference are what GitHub makes links, mentions or references of,
// in texts and in commit messages: addresses, GH-12; @name, #12. They are looked
// for one after the other, since @gh-12 is both.
var (
	address   = regexp.MustCompile(`(?i:\bgh-)[0-9]|://|(?i:\bwww\.)`)
	reference = regexp.MustCompile(`[@#][\p{L}\p{N}_]`)
)

// defuse puts mark into what GitHub would make a reference of.
func defuse(s, mark string) string {
	if strings.ContainsAny(s, ":-.") { // no address is without one; most texts are
		s = address.ReplaceAllStringFunc(s, func(m string) string {
			if m == "://" {
				return ":" + mark + "//"
			}
			return m[:len(m)-1] + mark + m[len(m)-1:]
		})
	}
	if !strings.ContainsAny(s, "@#") {
		return s
	}
	return reference.ReplaceAllStringFunc(s, func(m string) string { return m[:1] + mark + m[1:] })
}

// plain is for titles and commit messages, which are not Markdown.
func plain(s string) string { return defuse(strings.TrimSpace(clean(s)), zeroWidth) }

// lineStart is what would begin a list, a heading or a rule.
var lineStart = regexp.MustCompile(`^(?:(\d{1,9})([.)](?: |$))|([-+=]))`)

// inline makes a text stand for itself in Markdown, in a table's cell too.
func inline(s string) string {
	const mark = "\x00" // clean leaves none, so it can stand for the entity while escaping
	s = defuse(strings.TrimSpace(clean(s)), mark)
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == 0:
			b.WriteString(zeroWidthEntity)
		case strings.ContainsRune("<>&|$", r):
			fmt.Fprintf(&b, "&#%d;", r)
		case strings.ContainsRune("\\`*_{}[]()!~^#", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return lineStart.ReplaceAllString(b.String(), `$1\$2$3`)
}

// named is a name: inline, cut, never empty, so that it can stand in bold and
// begin a list's item.
func named(s string) string {
	if s = inline(cut(strings.TrimSpace(clean(s)), mostName)); s == "" {
		return none
	}
	return s
}

// code is a code span; none when there is nothing to show.
func code(s string) string {
	s = clean(s)
	if strings.TrimSpace(s) == "" {
		return none
	}
	longest, run := 0, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	// One space on each side is taken off again ("Code spans", GitHub Flavored
	// Markdown Spec, 6.3).
	if s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' && s[len(s)-1] == ' ' {
		s = " " + s + " "
	}
	fence := strings.Repeat("`", longest+1)
	return fence + s + fence
}

const none = "–"

// cell is code in a table's cell. Parsers differ on pipes behind backslashes in
// code spans, so a text with a pipe stands there without the span.
func cell(s string) string {
	if strings.Contains(s, "|") {
		return inline(s)
	}
	return code(s)
}

// span is a code span in our own sentences, such as `allow`.
var span = regexp.MustCompile("`[a-zA-Z0-9_.:,/\\[\\] -]{1,80}`")

// said is a sentence of a decision: what stands between backticks in it becomes
// code, number becomes a link, the rest stands for itself.
func said(s string, repo promotion.Repository, number int) string {
	if s = cut(strings.TrimSpace(clean(s)), mostReason); s == "" {
		return none
	}
	var b strings.Builder
	at := 0
	for _, m := range span.FindAllStringIndex(s, -1) {
		b.WriteString(numbered(s[at:m[0]], repo, number))
		b.WriteString(s[m[0]:m[1]])
		at = m[1]
	}
	b.WriteString(numbered(s[at:], repo, number))
	return b.String()
}

// numbered is inline with the pull request's own number as a link. inline trims,
// so the spaces at both ends are put back.
func numbered(s string, repo promotion.Repository, number int) string {
	mark := "#" + strconv.Itoa(number)
	var b strings.Builder
	for number > 0 {
		i := strings.Index(s, mark)
		if i < 0 {
			break
		}
		rest := s[i+len(mark):]
		if rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			break
		}
		b.WriteString(spaced(s[:i]))
		b.WriteString(pull(repo, number))
		s = rest
	}
	b.WriteString(spaced(s))
	return b.String()
}

func spaced(s string) string {
	t := strings.TrimSpace(s)
	if t == "" {
		return s
	}
	i := strings.Index(s, t)
	return s[:i] + inline(t) + s[i+len(t):]
}

// A page's address as GitHub's API gives it: no character that could end a
// Markdown link or begin anything.
var page = regexp.MustCompile(`^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~%-]+)*$`)

// link is a link to a page of the repository; text has been escaped. Without a
// known address it is the text alone.
func link(text string, repo promotion.Repository, path string) string {
	if !page.MatchString(repo.URL) {
		return text
	}
	return "[" + text + "](" + repo.URL + path + ")"
}

// outside is what a check's own page may look like: https, a host without a
// user, and nothing that ends a Markdown link.
var (
	outside     = regexp.MustCompile(`^https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?(/[A-Za-z0-9._~%/+:@=,;-]*)?(\?[A-Za-z0-9._~%/+:@=,;&-]*)?(#[A-Za-z0-9._~%/+:@=,;&-]*)?$`)
	crossed     = regexp.MustCompile(`/(issues|pull|discussions|commit)/[0-9a-f]+/?([?#].*)?$`)
	mostAddress = 500
)

// elsewhere is a link to a page outside the repository; text is ours. Without a
// fit address it is the text alone. A page that GitHub would note the link on (an
// issue, say) is not linked.
func elsewhere(text, address string) string {
	if len(address) > mostAddress || !outside.MatchString(address) || crossed.MatchString(address) {
		return text
	}
	return "[" + text + "](" + strings.ReplaceAll(address, "&", "&amp;") + ")"
}

// who is a login, or org/team.
var who = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}(/[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?)?$`)

// mention tells a person or a team; what cannot be one is only named.
func mention(login string) string {
	if !who.MatchString(login) {
		return named(login)
	}
	return "@" + inline(login)
}

func pull(repo promotion.Repository, number int) string {
	n := strconv.Itoa(number)
	return link("#"+n, repo, "/pull/"+n)
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// commit is a link to a commit, named by its first ten characters.
func commit(repo promotion.Repository, id string) string {
	if !commitID.MatchString(id) {
		return cell(cut(id, mostName)) // a version, in a table too
	}
	return link(code(id[:10]), repo, "/commit/"+id)
}

// revision is a commit with its link, or a version.
func revision(repo promotion.Repository, name string) string {
	return commit(repo, name)
}

func compare(text string, repo promotion.Repository, from, to string) string {
	if !commitID.MatchString(from) || !commitID.MatchString(to) {
		return ""
	}
	return link(text, repo, "/compare/"+from+"..."+to)
}

// escapePath is percent-encoding for an address's path, slashes kept.
func escapePath(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// short is a revision or commit for people.
func short(revision string) string {
	if commitID.MatchString(revision) {
		return revision[:10]
	}
	return revision
}

// count is "1 value" or "3 values".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// more is what stands for the rest of a shortened list; "" when nothing is left out.
func more(n int) string {
	if n <= 0 {
		return ""
	}
	return "… and " + strconv.Itoa(n) + " more"
}

// listed joins at most most items and says how many it left out.
func listed(items []string, most int, separator string) string {
	return each(items, most, separator, func(s string) string { return s })
}

// each is listed over anything; only what is shown is written.
func each[T any](items []T, most int, separator string, write func(T) string) string {
	var out []string
	for _, i := range items[:min(len(items), most)] {
		out = append(out, write(i))
	}
	if left := len(items) - most; left > 0 {
		out = append(out, more(left))
	}
	return strings.Join(out, separator)
}

// lower goes on with a sentence.
func lower(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[size:]
}

// upper begins a sentence.
func upper(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
