package content

// Which files belong to a place. Globs are those of doublestar, relative to the
// place's folder; never is relative to the repository's root. A history of
// hundreds of thousands of paths is held against a [Matcher], so all that can
// be prepared is prepared once.

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/promobot/promobot/promotion/content/edit"
)

// Matcher is a compiled [Place].
type Matcher struct {
	place  Place
	prefix string // Dir with a slash, or ""
	items  []itemMatcher
	never  neverMatcher
}

type itemMatcher struct {
	kind    ItemKind
	literal map[string]int // patterns without wildcards, to their index
	globs   []string
	except  []string
	in      []string // files that values are looked for in, in order
	keep    []edit.Pattern
	values  []edit.Pattern
}

// neverMatcher is what no pipeline can move.
type neverMatcher struct {
	globs     []string
	kinds     []string
	values    []edit.Pattern
	kustomize []edit.Pattern // only in kustomization files
}

var kustomizationFiles = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isKustomization(file string) bool { return slices.Contains(kustomizationFiles, path.Base(file)) }

// Compile prepares a place. It fails on a glob or value path that cannot be
// read, saying which.
func Compile(p Place) (*Matcher, error) {
	m := &Matcher{place: p, prefix: strings.TrimSuffix(p.Dir, "/")}
	if m.prefix != "" {
		m.prefix += "/"
	}
	for _, it := range p.Items {
		im := itemMatcher{kind: it.Kind, literal: map[string]int{}, except: it.Except}
		if err := checkGlobs(it.Except); err != nil {
			return nil, err
		}
		var err error
		switch it.Kind {
		case Files:
			if err := checkGlobs(it.Patterns); err != nil {
				return nil, err
			}
			for i, g := range it.Patterns {
				if strings.ContainsAny(g, `*?[{\`) {
					im.globs = append(im.globs, g)
				} else {
					im.literal[path.Clean(g)] = i
				}
			}
			im.keep, err = parsePaths(it.Keep)
		case Values:
			im.in = []string{path.Clean(it.In)}
			im.values, err = parsePaths(it.Patterns)
		case Images:
			im.in = kustomizationFiles
			if it.In != "" {
				im.in = []string{path.Clean(it.In)}
			}
			err = checkGlobs(it.Patterns)
		case Match:
			im.in = []string{path.Clean(it.In)}
		default:
			err = fmt.Errorf("unknown kind of item %q", it.Kind)
		}
		if err != nil {
			return nil, err
		}
		m.items = append(m.items, im)
	}
	var err error
	m.never, err = parseNever(p.Never)
	return m, err
}

func checkGlobs(globs []string) error {
	for _, g := range globs {
		if !doublestar.ValidatePattern(g) {
			return fmt.Errorf("glob %q cannot be read", g)
		}
	}
	return nil
}

func parsePaths(paths []string) ([]edit.Pattern, error) {
	var out []edit.Pattern
	for _, p := range paths {
		parsed, err := edit.ParsePattern(p)
		if err != nil {
			return nil, err
		}
		out = append(out, parsed)
	}
	return out, nil
}

func parseNever(never []string) (neverMatcher, error) {
	var n neverMatcher
	for _, s := range never {
		kind, isKind := strings.CutPrefix(s, "kind:")
		switch {
		case isKind:
			n.kinds = append(n.kinds, strings.TrimSpace(kind))
		case strings.Contains(s, "/") && !strings.ContainsAny(s, `"'`):
			if err := checkGlobs([]string{s}); err != nil {
				return n, err
			}
			n.globs = append(n.globs, s)
		default:
			p, err := edit.ParsePattern(s)
			if err != nil {
				return n, err
			}
			if s == "namespace" || s == "namePrefix" || s == "nameSuffix" {
				n.kustomize = append(n.kustomize, p)
			} else {
				n.values = append(n.values, p)
			}
		}
	}
	return n, nil
}

func (n *neverMatcher) file(repoPath string) bool {
	for _, g := range n.globs {
		if doublestar.MatchUnvalidated(g, repoPath) {
			return true
		}
	}
	return false
}

// paths are the value paths that never covers in a file of this name.
func (n *neverMatcher) paths(file string) []edit.Pattern {
	if isKustomization(file) {
		return slices.Concat(n.values, n.kustomize)
	}
	return n.values
}

func (n *neverMatcher) value(file string, keys []string) bool {
	for _, p := range n.paths(file) {
		if p.Match(keys) {
			return true
		}
	}
	return false
}

// Owns reports whether a repository path can belong to the place's projection:
// whether a change of it can be a landing here. Compile once to ask often.
func (p Place) Owns(repoPath string) bool {
	m, err := Compile(p)
	return err == nil && m.Owns(repoPath)
}

// Owns reports whether a repository path can belong to the place's projection.
func (m *Matcher) Owns(repoPath string) bool {
	rel, ok := strings.CutPrefix(repoPath, m.prefix)
	if !ok || rel == "" {
		return false
	}
	for i := range m.items {
		if m.items[i].owns(rel) {
			return !m.never.file(repoPath)
		}
	}
	return false
}

func (im *itemMatcher) owns(rel string) bool {
	if im.kind == Files {
		return im.copies(rel)
	}
	return slices.Contains(im.in, rel)
}

// copies reports whether a files item names the path.
func (im *itemMatcher) copies(rel string) bool {
	found := false
	if _, ok := im.literal[rel]; ok {
		found = true
	}
	for i := 0; i < len(im.globs) && !found; i++ {
		found = doublestar.MatchUnvalidated(im.globs[i], rel)
	}
	if !found {
		return false
	}
	for _, g := range im.except {
		if doublestar.MatchUnvalidated(g, rel) {
			return false
		}
	}
	return true
}

// key names a copied file alike in every environment: by its path in the
// place, or, for a pattern that is a file's name and so may hold the
// environment's, by the pattern's number.
func (im *itemMatcher) key(rel string) string {
	if i, ok := im.literal[rel]; ok {
		return fmt.Sprintf("\x00%d", i)
	}
	return rel
}
