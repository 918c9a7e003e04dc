package content

// The digest: one hash over what a place promotes. Two environments with the
// same promoted content have the same digest wherever they lie: parts are
// named by their item and their path in the place, values that stay an
// environment's own are left out, and quoting does not count. Every part is
// written with its length, so that no two contents write the same bytes.

import (
	"crypto/sha1" //nolint:gosec // git's blob ids are SHA-1; nothing is secured by it here
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strconv"

	"github.com/promobot/promobot/promotion/content/edit"
)

// DigestNeeds lists the blobs whose bytes [Digest] reads, sorted: the files of
// values, images and matches, and copied files in which values stay their own.
func DigestNeeds(s Side) []string {
	sd, err := newSide(s, nil, nil)
	if err != nil {
		return nil
	}
	need := map[string]bool{}
	sd.digestNeeds(need)
	return sortedKeys(need)
}

func (s *side) digestNeeds(need map[string]bool) {
	for i := range s.items {
		if p := s.valueFile(i); p != "" && isRegular(s.listing[p].Mode) {
			need[s.listing[p].Blob] = true
		}
	}
	for _, c := range s.copies {
		if keep, never := s.hidden(c); len(keep)+len(never) > 0 && !s.never.file(c.path) {
			need[c.Blob] = true
		}
	}
}

func sortedKeys(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Digest hashes a side's projection. It fails with a *[MissingBlobError] when a
// needed blob is not there, and with a *[FileError] when a file in which values
// are promoted or kept cannot be read.
func Digest(s Side, blobs Blobs) (string, error) {
	sd, err := newSide(s, nil, blobs)
	if err != nil {
		return "", err
	}
	return sd.digest()
}

type partHash struct{ hash.Hash }

func (h partHash) part(fields ...string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(fields)))
	h.Write(n[:])
	for _, f := range fields {
		binary.BigEndian.PutUint64(n[:], uint64(len(f)))
		h.Write(n[:])
		h.Write([]byte(f))
	}
}

func (s *side) digest() (string, error) {
	h := partHash{sha256.New()}
	h.part("promobot content", "1")
	for _, c := range s.sorted() {
		if s.never.file(c.path) {
			continue
		}
		item := strconv.Itoa(c.item)
		if keep, never := s.hidden(c); len(keep)+len(never) == 0 {
			h.part(item, "file", c.key, c.Mode, c.Blob)
			continue
		}
		m, err := s.mask(c)
		if err != nil {
			return "", err
		}
		h.part(item, "file", c.key, c.Mode, gitBlobID(m.text))
	}
	for i := range s.items {
		if s.items[i].kind == Files {
			continue
		}
		vals, err := s.values(i)
		if err != nil {
			return "", err
		}
		for _, k := range vals.keys() {
			if v := vals.byKey[k]; !v.never {
				h.part(strconv.Itoa(i), "value", k, string(v.digestType()), v.digestText())
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// gitBlobID is the id git gives to these bytes in a SHA-1 repository.
func gitBlobID(data []byte) string {
	h := sha1.New() //nolint:gosec // git's blob ids are SHA-1; nothing is secured by it here
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// A value's type counts only where the text does not tell: null is not "null".
func (v value) digestType() edit.Type {
	if v.Type == edit.Null || v.Type == "alias" {
		return v.Type
	}
	if v.Collection {
		return "collection"
	}
	return ""
}

func (v value) digestText() string {
	if v.Collection {
		return string(v.Raw)
	}
	return v.Text
}
