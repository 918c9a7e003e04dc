package state

// Trailers stand in the last paragraph of the promotion's commit, of
// promobot's merge message and of ledger entries, in git's own format
// (git-interpret-trailers), so that `git log` and people can read them.

import (
	"strconv"
	"strings"
)

// Trailer is one "Key: value" line.
type Trailer struct{ Key, Value string }

// The keys of the trailers.
const (
	TrailerID          = "Promotion-Id"           // of one attempt to land one revision
	TrailerPipeline    = "Promotion-Pipeline"     // the pipeline's key
	TrailerEnvironment = "Promotion-Environment"  // the environment promoted to
	TrailerRevision    = "Promotion-Revision"     // a commit, or the id of a version
	TrailerAttempt     = "Promotion-Attempt"      // 1 for the first
	TrailerFrom        = "Promotion-From"         // upstream and its landing, as qa@<commit>; not on a rollback
	TrailerBase        = "Promotion-Base"         // commit of the base branch it was built on
	TrailerPullRequest = "Promotion-Pull-Request" // its URL, once it is known
	TrailerReverts     = "Promotion-Reverts"      // on a rollback: the id of the promotion that it takes back
	TrailerBatch       = "Promotion-Batch"        // where several travel in one pull request: which build of which batch
)

// Trailers are a promotion's.
func (p Promotion) Trailers(pipeline, environment string) []Trailer {
	ts := []Trailer{
		{TrailerID, p.ID},
		{TrailerPipeline, pipeline},
		{TrailerEnvironment, environment},
		{TrailerRevision, p.Revision},
		{TrailerAttempt, strconv.Itoa(p.Attempt)},
	}
	if p.Reverts != nil {
		ts = append(ts, Trailer{TrailerReverts, p.Reverts.Promotion})
	} else {
		ts = append(ts, Trailer{TrailerFrom, p.From + "@" + p.Landing})
	}
	ts = append(ts, Trailer{TrailerBase, p.Base})
	if p.Batch != nil {
		ts = append(ts, Trailer{TrailerBatch, p.Batch.Name()})
	}
	if p.URL != "" {
		ts = append(ts, Trailer{TrailerPullRequest, p.URL})
	}
	return ts
}

// FormatTrailers is a last paragraph. Values are folded to one line, so that
// nothing in them can look like a trailer of its own; empty ones are left out.
func FormatTrailers(ts []Trailer) string {
	var b strings.Builder
	for _, t := range ts {
		if t.Value == "" {
			continue
		}
		b.WriteString(t.Key + ": " + oneLine(t.Value) + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// trailerKey says whether a key is one: letters, digits and hyphens, a letter first.
func trailerKey(key string) bool {
	for i, c := range []byte(key) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return key != ""
}

// ParseTrailers reads the last paragraph of a message; nil when it holds
// anything else than trailers.
func ParseTrailers(message string) map[string]string {
	message = strings.TrimRight(strings.ReplaceAll(message, "\r\n", "\n"), "\n")
	last := message
	if i := strings.LastIndex(message, "\n\n"); i >= 0 {
		last = message[i+2:]
	}
	ts := map[string]string{}
	for line := range strings.SplitSeq(last, "\n") {
		key, value, found := strings.Cut(line, ": ")
		if !found || !trailerKey(key) {
			return nil
		}
		ts[key] = value
	}
	return ts
}

func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' || r == 0 }), " ")
}
