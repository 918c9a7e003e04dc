package state

// Entries: the messages of the ledger's commits. The signature covers the
// repository, the ref, the parents, the tree and the whole message, so that an
// entry copied to another environment, another repository or another place in
// the chain is worth nothing.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// EmptyTree is git's id of the tree without entries.
const EmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

const (
	version          = 1
	trailerEntry     = "Promobot-Entry"     // the entry's kind
	trailerNonce     = "Promobot-Nonce"     // random, so that no two entries are the same commit
	trailerSignature = "Promobot-Signature" // HMAC-SHA-256, in hexadecimal; always the last line
	signaturePrefix  = "\n" + trailerSignature + ": "
)

// Entry is one step of an environment.
type Entry struct {
	Kind     Kind
	Sentence string // for people, one line
	State    Environment
	// Promotion's trailers, when the entry is about one.
	Trailers []Trailer
}

// Place is where an entry stands: all that its signature covers besides the
// message.
type Place struct {
	Repository int64
	Ref        string
	Parents    []string // the entry before, then the promotion's commit of a claim
}

// Keys sign and check entries. The first key signs; all are tried when
// checking, so that a key can be rotated.
type Keys struct{ keys [][]byte }

// NewKeys derives the ledger's keys from secrets, such as the App's private
// key in PEM form: current first, older ones after it.
func NewKeys(secrets ...[]byte) (Keys, error) {
	if len(secrets) == 0 {
		return Keys{}, errors.New("the ledger needs at least one signing key")
	}
	var k Keys
	for _, s := range secrets {
		m := hmac.New(sha256.New, s)
		m.Write([]byte("promobot ledger v1"))
		k.keys = append(k.keys, m.Sum(nil))
	}
	return k, nil
}

// Encode writes an entry's commit message. The nonce makes every commit
// different, because git answers "up to date" to a second push of the same one.
func (k Keys) Encode(at Place, e Entry, nonce string) (string, error) {
	e.State.Version = version
	block, err := json.Marshal(e.State)
	if err != nil {
		return "", fmt.Errorf("encode ledger entry: %w", err)
	}
	ts := append([]Trailer{{trailerEntry, string(e.Kind)}}, e.Trailers...)
	ts = append(ts, Trailer{trailerNonce, nonce})
	m := oneLine(e.Sentence) + "\n\n" + string(block) + "\n\n" + FormatTrailers(ts)
	return m + signaturePrefix + hex.EncodeToString(sign(k.keys[0], at, m)), nil
}

// Errors of Decode.
var (
	ErrSignature = errors.New("the entry's signature is not promobot's")
	ErrFormat    = errors.New("not a ledger entry")
)

// Decode checks and reads an entry's commit message.
func (k Keys) Decode(at Place, message string) (Entry, error) {
	message = strings.TrimRight(message, "\n")
	i := strings.LastIndex(message, signaturePrefix)
	if i < 0 {
		return Entry{}, fmt.Errorf("%w: it has no signature", ErrFormat)
	}
	signed, text := message[:i], message[i+len(signaturePrefix):]
	given, err := hex.DecodeString(text)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: its signature is not hexadecimal", ErrFormat)
	}
	good := false
	for _, key := range k.keys {
		if hmac.Equal(given, sign(key, at, signed)) {
			good = true
		}
	}
	if !good {
		return Entry{}, ErrSignature
	}
	parts := strings.SplitN(signed, "\n\n", 3)
	if len(parts) != 3 {
		return Entry{}, fmt.Errorf("%w: it has no state", ErrFormat)
	}
	e := Entry{Sentence: parts[0]}
	if err := json.Unmarshal([]byte(parts[1]), &e.State); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if e.State.Version != version {
		return Entry{}, fmt.Errorf("%w: version %d, and this promobot reads %d", ErrFormat, e.State.Version, version)
	}
	e.Kind = Kind(ParseTrailers(parts[2])[trailerEntry])
	if e.Kind == "" {
		return Entry{}, fmt.Errorf("%w: it has no kind", ErrFormat)
	}
	return e, nil
}

// Peek reads an entry without checking its signature, for people looking at a
// clone without the key. Nothing may be decided on it.
func Peek(message string) (Entry, error) {
	parts := strings.SplitN(strings.TrimRight(message, "\n"), "\n\n", 3)
	if len(parts) != 3 {
		return Entry{}, ErrFormat
	}
	e := Entry{Sentence: parts[0]}
	if err := json.Unmarshal([]byte(parts[1]), &e.State); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	e.Kind = Kind(ParseTrailers(parts[2])[trailerEntry])
	return e, nil
}

func sign(key []byte, at Place, message string) []byte {
	m := hmac.New(sha256.New, key)
	parts := append([]string{fmt.Sprint(at.Repository), at.Ref, EmptyTree, message}, at.Parents...)
	for _, p := range parts {
		fmt.Fprintf(m, "%d:%s", len(p), p)
	}
	return m.Sum(nil)
}
