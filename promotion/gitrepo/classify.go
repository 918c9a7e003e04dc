package gitrepo

// What git's answer to a push says of each ref. git's own refusals and those of
// the receiving side come in porcelain lines; the cause of "failed to update
// ref" and of a failed transaction stands in the remote's words to people. The
// phrases are those of git's send-pack and receive-pack, and of GitHub's pages
// "About protected branches" and "Troubleshooting rules" (GH006, GH009, GH013).

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/promobot/promobot/promotion"
)

// refLine is one porcelain line: flag, "from:to", summary with the reason in
// parentheses ("git push", OUTPUT).
type refLine struct {
	flag    byte
	summary string // such as [rejected], [remote rejected], [up to date]
	reason  string
}

type verdict struct {
	status promotion.PushStatus
	reason string
}

func copyTo(w io.Writer) func(*bufio.Reader) error {
	return func(out *bufio.Reader) error {
		_, err := out.WriteTo(w)
		return err
	}
}

// readPorcelain reads the lines of refs, by the remote's ref.
func readPorcelain(out string) map[string]refLine {
	lines := map[string]refLine{}
	for line := range strings.Lines(out) {
		parts := strings.SplitN(strings.TrimRight(line, "\r\n"), "\t", 3)
		if len(parts) != 3 || len(parts[0]) != 1 {
			continue
		}
		_, ref, ok := strings.Cut(parts[1], ":")
		if !ok {
			continue
		}
		l := refLine{flag: parts[0][0], summary: parts[2]}
		if strings.HasPrefix(l.summary, "[") {
			if end := strings.Index(l.summary, "]"); end > 0 {
				l.reason = strings.TrimSpace(l.summary[end+1:])
				l.reason = strings.TrimSuffix(strings.TrimPrefix(l.reason, "("), ")")
				l.summary = l.summary[:end+1]
			}
		}
		lines[ref] = l
	}
	return lines
}

// remoteLines are the remote's words to people.
func remoteLines(stderr string) []string {
	var out []string
	for line := range strings.Lines(stderr) {
		if text, ok := strings.CutPrefix(line, "remote:"); ok {
			text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "\x1b[K"))
			if text != "" {
				out = append(out, text)
			}
		}
	}
	return out
}

// The reasons of a refused ref. They are compared in lower case; conflicts come
// first only where the reason is git's own and exact.
var (
	conflictReasons = []string{
		"stale info", "fetch first", "non-fast-forward", "needs force", "already exists",
		"remote ref updated since checkout", "incorrect old value provided", "reference already exists",
		"reference does not exist",
	}
	bystanderReasons = []string{"atomic push failed", "atomic push failure"}
	// The cause of these stands elsewhere.
	elsewhereReasons = []string{"failed to update ref", "failed to update", "atomic transaction failed", "transaction failed", "failed to lock", "cannot lock ref"}
	unknownReasons   = []string{"internal server error", "internal error", "timed out", "timeout", "try again", "unavailable", "remote failed to report status", "unable to create", "unable to write", "unpacker error", "missing necessary objects"}
)

// Causes in the remote's words of a ref that could not be moved.
var (
	permanentCause = []string{"exists; cannot create"}
	conflictCauses = []string{
		" is at ", "reference already exists", "unable to resolve reference", "reference is missing",
		"incorrect old value", ".lock': file exists", "no such ref",
	}
)

// classify gives each ref its verdict. Unknown ones need a look at the remote.
func classify(answer pushAnswer, refs []string) []verdict {
	verdicts := make([]verdict, len(refs))
	named := map[string][]string{} // what the remote said of each ref
	anyNamed := false
	for _, ref := range refs {
		for _, line := range answer.remote {
			if names(line, ref) {
				named[ref] = append(named[ref], line)
				anyNamed = true
			}
		}
	}
	for i, ref := range refs {
		line, ok := answer.lines[ref]
		if !ok {
			verdicts[i] = verdict{status: promotion.Unknown}
			continue
		}
		verdicts[i] = classifyLine(line, named[ref], anyNamed, len(refs) > 1)
		if verdicts[i].status == promotion.Refused {
			verdicts[i].reason = withRemoteWords(verdicts[i].reason, named[ref], answer.remote, anyNamed)
		}
	}
	return verdicts
}

func classifyLine(line refLine, said []string, anyNamed, several bool) verdict {
	if line.flag != '!' {
		return verdict{status: promotion.Pushed}
	}
	reason := strings.ToLower(line.reason)
	full := oneLine(line.summary + " " + line.reason)
	causes := strings.ToLower(strings.Join(append([]string{line.reason}, said...), "\n"))
	switch {
	case holds(reason, bystanderReasons):
		return verdict{promotion.Bystander, full}
	case holds(causes, permanentCause):
		return verdict{promotion.Refused, causeLine(full, said)}
	case holds(reason, conflictReasons):
		return verdict{promotion.Conflict, full}
	case holds(reason, elsewhereReasons):
		switch {
		case holds(causes, conflictCauses):
			return verdict{promotion.Conflict, causeLine(full, said)}
		case len(said) == 0 && anyNamed && strings.Contains(reason, "transaction failed"):
			return verdict{promotion.Bystander, full}
		}
		return verdict{promotion.Unknown, causeLine(full, said)}
	case strings.Contains(reason, "pre-receive hook declined") && several && anyNamed && len(said) == 0:
		// One hook answers for the whole push: it named the refs it minds.
		return verdict{promotion.Bystander, full}
	case holds(reason, unknownReasons), reason == "":
		return verdict{promotion.Unknown, full}
	}
	return verdict{promotion.Refused, full}
}

func holds(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// names says whether a line names a ref, whole and not as the start of another.
func names(line, ref string) bool {
	for rest := line; ; {
		at := strings.Index(rest, ref)
		if at < 0 {
			return false
		}
		after := rest[at+len(ref):]
		before := rest[:at]
		if (before == "" || strings.ContainsRune(" '\"`", rune(before[len(before)-1]))) && endsName(after) {
			return true
		}
		rest = after
	}
}

func endsName(after string) bool {
	if after == "" || strings.ContainsRune(" '\"`,:;)", rune(after[0])) {
		return true
	}
	return after[0] == '.' && (len(after) == 1 || after[1] == ' ')
}

func causeLine(reason string, said []string) string {
	if len(said) == 0 {
		return reason
	}
	return oneLine(said[0])
}

// withRemoteWords adds what the remote said: of this ref if it said so of any,
// else to all.
func withRemoteWords(reason string, said, all []string, anyNamed bool) string {
	words := said
	if !anyNamed {
		words = all
	} else if len(said) > 0 {
		words = all // GitHub names the ref in the first line and the rules below it
	}
	for _, w := range words {
		if !strings.Contains(reason, w) {
			reason += "; " + w
		}
	}
	return oneLine(reason)
}

// refusedWhole says whether the remote refused to talk about any ref at all for
// want of permission: 403, with its words ("Write access to repository not
// granted", "This repository was archived so it is read-only").
func refusedWhole(err error, answer pushAnswer) (bool, string) {
	if !errors.Is(err, ErrForbidden) || len(answer.lines) > 0 {
		return false, ""
	}
	reason := ErrForbidden.Error()
	if len(answer.remote) > 0 {
		reason = strings.Join(answer.remote, "; ")
	}
	return true, oneLine(reason)
}

// oneLine makes one readable line of text from elsewhere.
func oneLine(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
	return clip(strings.Join(strings.Fields(scrub(s, nil)), " "), 600)
}
