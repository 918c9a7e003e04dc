package state

// Names: refs, branches and ids. Everything that comes from a repository (a
// folder's name in for_each, a version) is escaped before it becomes part of a
// ref; ids hash the raw, length-prefixed tuple, so that no two tuples collide
// by escaping.

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// RefPrefix is where the ledgers stand.
const RefPrefix = "refs/promobot/"

// MadePrefix is where commits stand that GitHub is asked to sign. No pipeline is
// escaped to its last segment.
const MadePrefix = RefPrefix + "=made/"

// BranchPrefix begins the name of every branch promobot makes.
const BranchPrefix = "promobot/"

// Ref is the ledger's ref of an environment: one segment each for pipeline and
// environment, so that no ref stands below another.
func Ref(pipeline, environment string) string {
	return RefPrefix + Escape(pipeline) + "/" + Escape(environment)
}

// ParseRef takes a ledger's ref apart.
func ParseRef(ref string) (pipeline, environment string, err error) {
	rest, ok := strings.CutPrefix(ref, RefPrefix)
	p, e, two := strings.Cut(rest, "/")
	if !ok || !two || strings.Contains(e, "/") {
		return "", "", fmt.Errorf("%q is not a ledger's ref", ref)
	}
	if pipeline, err = Unescape(p); err != nil {
		return "", "", fmt.Errorf("%q: %w", ref, err)
	}
	if environment, err = Unescape(e); err != nil {
		return "", "", fmt.Errorf("%q: %w", ref, err)
	}
	return pipeline, environment, nil
}

// maxRevisionInBranch keeps branch names readable and file systems content.
const maxRevisionInBranch = 40

// Branch is the head branch of a promotion's pull request.
func Branch(pipeline, environment, revision, id string) string {
	if len(revision) == 40 && isHex(revision) {
		revision = revision[:10]
	}
	if len(revision) > maxRevisionInBranch {
		revision = revision[:maxRevisionInBranch]
	}
	return BranchPrefix + Escape(pipeline) + "/" + Escape(environment) + "/" + Escape(revision) + "-" + id[:12]
}

// ID identifies one attempt to land one revision, as it landed upstream at one
// commit, in one environment of one pipeline of one repository. The upstream's
// landing is part of it, so that a revision that lands upstream again (after it
// was taken back there) needs no look into history to be told from the first.
func ID(repository int64, pipeline, environment, revision, landing string, attempt int) string {
	return Hash("promotion", strconv.FormatInt(repository, 10), pipeline, environment, revision, landing, strconv.Itoa(attempt))
}

// Hash is the hex SHA-256 of length-prefixed parts.
func Hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Escape makes one ref segment of any string: letters, digits, "-" and "_"
// stand for themselves, a dot too unless it is first, last or before another
// dot or "lock"; every other byte becomes "=XX". The empty string is "=".
func Escape(s string) string {
	if s == "" {
		return "="
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if isPlain(c) || c == '-' && i > 0 || c == '.' && i > 0 && isPlain(s[i-1]) && i+1 < len(s) && isPlain(s[i+1]) && !strings.HasPrefix(s[i+1:], "lock") {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "=%02X", c)
	}
	return b.String()
}

var errEscape = errors.New("not an escaped name")

// Unescape undoes Escape, and refuses what Escape would not have written.
func Unescape(s string) (string, error) {
	if s == "=" {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errEscape
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", errEscape
		}
		b.WriteByte(byte(n))
		i += 2
	}
	if Escape(b.String()) != s {
		return "", errEscape
	}
	return b.String(), nil
}

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

// ParseBranch takes the name of a promotion's branch apart.
func ParseBranch(branch string) (pipeline, environment string, ok bool) {
	rest, isOurs := strings.CutPrefix(branch, BranchPrefix)
	parts := strings.Split(rest, "/")
	if !isOurs || len(parts) != 3 {
		return "", "", false
	}
	p, err1 := Unescape(parts[0])
	e, err2 := Unescape(parts[1])
	return p, e, err1 == nil && err2 == nil
}
