package content

// A side with its files sorted to the items they belong to, and the bytes that
// are looked at read once.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/content/edit"
)

// The git modes of files.
const (
	modeFile       = "100644"
	modeExecutable = "100755"
	modeSymlink    = "120000"
	modeSubmodule  = "160000"
)

// MissingBlobError is a blob whose bytes are needed and were not given. It
// never stands for a file that is not there.
type MissingBlobError struct {
	Path, Blob string
}

// Error names the file and the blob.
func (e *MissingBlobError) Error() string {
	return fmt.Sprintf("the bytes of %s (blob %s) were not read", e.Path, e.Blob)
}

// FileError is a file that cannot be read as YAML or JSON where values in it
// matter.
type FileError struct {
	Path string
	Line int // 1-based; 0 when unknown
	Err  error
}

// Error is "path: line 3: message" and why that matters.
func (e *FileError) Error() string {
	return fmt.Sprintf("%s: %v; values in it can be promoted or kept only when it can be read", e.Path, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// copied is a file that a files item names.
type copied struct {
	item int
	key  string
	rel  string
	path string
	File
}

type side struct {
	*Matcher
	listing Listing
	blobs   Blobs
	copies  map[string]copied // by item and key
}

func newSide(s Side, extraNever []string, blobs Blobs) (*side, error) {
	p := s.Place
	p.Never = slices.Concat(p.Never, extraNever)
	m, err := Compile(p)
	if err != nil {
		return nil, err
	}
	out := &side{Matcher: m, listing: s.Files, blobs: blobs, copies: map[string]copied{}}
	for repoPath, f := range s.Files {
		rel, ok := strings.CutPrefix(repoPath, m.prefix)
		if !ok {
			continue
		}
		for i := range m.items {
			if im := &m.items[i]; im.kind == Files && im.copies(rel) {
				c := copied{item: i, key: im.key(rel), rel: rel, path: repoPath, File: f}
				out.copies[c.id()] = c
				break
			}
		}
	}
	return out, nil
}

func (c copied) id() string { return fmt.Sprintf("%06d\x00%s", c.item, c.key) }

// sorted are the copied files in the order of items and keys.
func (s *side) sorted() []copied {
	var ids []string
	for id := range s.copies {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := make([]copied, len(ids))
	for i, id := range ids {
		out[i] = s.copies[id]
	}
	return out
}

// valueFile is the file of a values, images or match item; "" when it is absent.
func (s *side) valueFile(item int) string {
	for _, in := range s.items[item].in {
		if _, ok := s.listing[s.prefix+in]; ok {
			return s.prefix + in
		}
	}
	return ""
}

func (s *side) bytes(path string, f File) ([]byte, error) {
	b, ok := s.blobs[f.Blob]
	if !ok {
		return nil, &MissingBlobError{path, f.Blob}
	}
	return b, nil
}

func isRegular(mode string) bool { return mode == modeFile || mode == modeExecutable }

// hidden are the value paths that stay a file's own: its item's keep, and never.
func (s *side) hidden(c copied) (keep, never []edit.Pattern) {
	if !isRegular(c.Mode) || !edit.Readable(c.rel) {
		return nil, nil
	}
	return s.items[c.item].keep, s.never.paths(c.rel)
}

// parseFile reads a file as YAML or JSON.
func parseFile(path string, data []byte) (*edit.File, error) {
	f, err := edit.Parse(path, data)
	if err != nil {
		e := &FileError{Path: path, Err: err}
		if syntax, ok := errors.AsType[*edit.SyntaxError](err); ok {
			e.Line = syntax.Line
		}
		return nil, e
	}
	return f, nil
}

// masked is a copied file's text with the values that stay its own taken out.
type masked struct {
	data   []byte
	text   []byte
	values map[string]edit.Value
	// opaque is true for a file that never has something to say about, but
	// that cannot be read, such as a template: its text is taken as it is.
	opaque bool
}

func (s *side) mask(c copied) (masked, error) {
	data, err := s.bytes(c.path, c.File)
	if err != nil {
		return masked{}, err
	}
	return s.maskBytes(c, data)
}

func (s *side) maskBytes(c copied, data []byte) (masked, error) {
	keep, never := s.hidden(c)
	if len(keep)+len(never) == 0 {
		return masked{data: data, text: data}, nil
	}
	f, err := parseFile(c.path, data)
	if err == nil {
		m, maskErr := f.Mask(slices.Concat(keep, never)...)
		if maskErr == nil {
			return masked{data: data, text: m.Text, values: m.Values}, nil
		}
		err = &FileError{Path: c.path, Err: maskErr}
	}
	if len(keep) > 0 {
		return masked{}, err
	}
	return masked{data: data, text: data, opaque: true}, nil
}
