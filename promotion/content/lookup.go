package content

// The values of an item on one side.

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/promobot/promobot/promotion/content/edit"
)

// value is one value of a values, images or match item.
type value struct {
	edit.Value
	never bool
}

// valueSet are an item's values on one side. A file that is absent has none.
type valueSet struct {
	path   string // repository path of the file, "" when absent
	mode   string
	data   []byte
	parsed *edit.File // nil for match items
	byKey  map[string]value
	// problem says why the item cannot be read here, when it is not that the
	// file is absent: a symbolic link, a pattern with several hits.
	problem string
}

func (v valueSet) keys() []string {
	m := map[string]bool{}
	for k := range v.byKey {
		m[k] = true
	}
	return sortedKeys(m)
}

// values reads an item of one side.
func (s *side) values(item int) (valueSet, error) {
	path := s.valueFile(item)
	if path == "" {
		return valueSet{}, nil
	}
	f := s.listing[path]
	if !isRegular(f.Mode) {
		return valueSet{path: path, mode: f.Mode, problem: "it is not a regular file"}, nil
	}
	if s.never.file(path) {
		return valueSet{path: path, mode: f.Mode, problem: "never keeps this file"}, nil
	}
	data, err := s.bytes(path, f)
	if err != nil {
		return valueSet{}, err
	}
	v, err := s.valuesIn(item, path, data)
	v.mode = f.Mode
	return v, err
}

// valuesIn reads an item from a file's bytes.
func (s *side) valuesIn(item int, path string, data []byte) (valueSet, error) {
	set := valueSet{path: path, data: data, byKey: map[string]value{}}
	im := &s.items[item]
	if im.kind == Match {
		set.match(s.place.Items[item].Patterns)
		return set, nil
	}
	var err error
	if set.parsed, err = parseFile(path, data); err != nil {
		return set, err
	}
	patterns := im.values
	if im.kind == Images {
		patterns = imageFields
	}
	for _, v := range set.parsed.Find(false, patterns...) {
		if im.kind == Images && !imageNamed(s.place.Items[item].Patterns, v.Keys) {
			continue
		}
		set.byKey[v.Key] = value{Value: v, never: s.never.value(path, v.Keys)}
	}
	for _, k := range set.parsed.Kinds() {
		if slices.Contains(s.never.kinds, k) {
			set.problem = "never keeps documents of kind " + k
		}
	}
	return set, nil
}

// imageFields are the fields that images moves. newName stays: which registry
// an environment pulls from is its own.
var imageFields = mustPaths("images.*.newTag", "images.*.digest")

func mustPaths(paths ...string) []edit.Pattern {
	out, err := parsePaths(paths)
	if err != nil {
		panic(err) // a constant of this file
	}
	return out
}

func imageNamed(globs, keys []string) bool {
	return len(keys) == 3 && slices.ContainsFunc(globs, func(g string) bool { return doublestar.MatchUnvalidated(g, keys[1]) })
}

// match finds each pattern's group. A pattern without exactly one hit has no
// value, and the problem says so.
func (v *valueSet) match(patterns []string) {
	for i, p := range patterns {
		re, err := regexp.Compile(p)
		if err != nil || re.NumSubexp() != 1 {
			v.problem = fmt.Sprintf("match %q is not a regular expression with exactly one group", p)
			continue
		}
		hits := re.FindAllSubmatchIndex(v.data, 2)
		if len(hits) != 1 || hits[0][2] < 0 {
			if len(hits) > 1 {
				v.problem = fmt.Sprintf("match %q has several hits", p)
			}
			continue
		}
		lo, hi := hits[0][2], hits[0][3]
		val := edit.Value{Key: matchKey(i), Scalar: edit.Scalar{Text: string(v.data[lo:hi])}, Raw: v.data[lo:hi]}
		v.byKey[val.Key] = value{Value: val}
	}
}

func matchKey(pattern int) string { return fmt.Sprintf("match %d", pattern+1) }

// setMatch replaces the group of a pattern that has exactly one hit, and checks
// that it still has.
func setMatch(data []byte, pattern, text string) ([]byte, string) {
	re := regexp.MustCompile(pattern) // it has matched before
	hit := re.FindSubmatchIndex(data)
	out := slices.Concat(data[:hit[2]], []byte(text), data[hit[3]:])
	again := re.FindAllSubmatchIndex(out, 2)
	if len(again) != 1 || string(out[again[0][2]:again[0][3]]) != text {
		return nil, "with the new value the pattern would no longer hit exactly this place"
	}
	return out, ""
}
