package main

import "fmt"

// Secret is a text that never shows: printed, logged or encoded in whatever way,
// it is "(redacted)".
type Secret struct{ text string }

// Reveal returns the secret itself, for the one place that needs it.
func (s Secret) Reveal() string { return s.text }

// IsZero tells that no secret was given.
func (s Secret) IsZero() bool { return s.text == "" }

// String shows whether there is a secret, and nothing else.
func (s Secret) String() string {
	if s.text == "" {
		return "(none)"
	}
	return "(redacted)"
}

// Format serves every verb of fmt, %#v and %x too.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = fmt.Fprint(state, s.String()) }

// MarshalText serves JSON, YAML, zerolog and whatever else encodes texts.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil } //nolint:unparam // encoding.TextMarshaler
