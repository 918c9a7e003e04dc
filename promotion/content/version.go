package content

// Versions as upstream: where a source names a version instead of files, the
// upstream side is the target's own with the version in every value that its
// place names. So the one rule of compute.go serves both.

import (
	"maps"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/content/edit"
)

// VersionTag is a version without its digest: 1.42.0 of 1.42.0@sha256:….
func VersionTag(version string) string {
	tag, _, _ := strings.Cut(version, "@")
	return tag
}

// WithVersion is a side as it would be with a version in every value, match and
// image that its place names, and the blobs with those that this makes. An
// image's newTag is the version, its digest the one behind the version's @; a
// version without one takes the digest away, which would keep the old image.
// What the side does not have, or cannot be set, is refused.
func WithVersion(s Side, blobs Blobs, version string) (Side, Blobs, []Refusal, error) {
	out := Side{Place: s.Place, Files: maps.Clone(s.Files)}
	all := maps.Clone(blobs)
	var refused []Refusal
	for i := range s.Place.Items {
		sd, err := newSide(out, nil, all)
		if err != nil {
			return Side{}, nil, nil, err
		}
		if sd.items[i].kind == Files {
			continue
		}
		set, err := sd.values(i)
		if err != nil {
			return Side{}, nil, nil, err
		}
		data, rs, err := sd.versioned(i, set, version)
		if err != nil {
			return Side{}, nil, nil, err
		}
		refused = append(refused, rs...)
		if data != nil {
			id := gitBlobID(data)
			out.Files[set.path], all[id] = File{set.mode, id}, data
		}
	}
	return out, all, refused, nil
}

// versioned is an item's file with the version in each of its values; nil when
// none changes.
func (s *side) versioned(item int, set valueSet, version string) (data []byte, refused []Refusal, err error) {
	it := s.place.Items[item]
	file := set.path
	if file == "" {
		file = s.prefix + s.items[item].in[0]
	}
	refuse := func(value, reason, remedy string) {
		refused = append(refused, Refusal{File: file, Value: value, Reason: reason, Remedy: remedy, Never: strings.HasPrefix(reason, "never")})
	}
	switch {
	case set.path == "":
		refuse("", "the file is absent", "add the file first, with its own settings")
		return nil, refused, nil
	case set.problem != "" && len(set.byKey) == 0:
		refuse("", set.problem, "mend the file, or leave it out of promote")
		return nil, refused, nil
	}
	data = set.data
	change := func(now []byte, reason, value string) {
		if reason != "" {
			refuse(value, reason, "change it by hand")
			return
		}
		data = now
	}
	tag, digest, _ := strings.Cut(version, "@")
	for _, f := range s.versionFields(item, set) {
		text := tag
		if strings.HasSuffix(f.key, ".digest") && it.Kind == Images {
			text = digest
		}
		current, err := s.valuesIn(item, set.path, data)
		if err != nil {
			return nil, nil, err
		}
		v, there := current.byKey[f.key]
		switch {
		case there && v.never:
		case it.Kind == Match && !there:
			refuse(it.Patterns[0], "the pattern has no hit", "bring the line in the form that the pattern expects")
		case it.Kind == Match:
			pattern := ""
			for n, p := range it.Patterns {
				if matchKey(n) == f.key {
					pattern = p
				}
			}
			now, reason := setMatch(data, pattern, text)
			change(now, reason, pattern)
		case text == "" && there:
			now, reason := said(current.parsed.Remove(v.Value))
			change(now, reason, f.key)
		case text == "":
		case there && v.Text == text:
		case there:
			// A version stays text where the file writes it as such: 1.10 is no number.
			now, reason := said(current.parsed.Set(v.Value, edit.Scalar{Text: text, Type: edit.String}))
			change(now, reason, f.key)
		case it.Kind == Images || it.Create:
			now, reason := said(current.parsed.Insert(f.keys, edit.Scalar{Text: text, Type: edit.String}))
			change(now, reason, f.key)
		default:
			refuse(f.key, "it is absent", "add it, or say if_absent: create")
		}
	}
	if slices.Equal(data, set.data) {
		return nil, refused, nil
	}
	return data, refused, nil
}

// field is a value that carries a version.
type field struct {
	key  string
	keys []string // for one that is absent
}

// versionFields are the fields of an item that carry a version: what is there,
// what is named without wildcards, and an image's two.
func (s *side) versionFields(item int, set valueSet) []field {
	fields := map[string][]string{}
	kind := s.items[item].kind
	for k, v := range set.byKey {
		fields[k] = v.Keys
		if kind == Images {
			for _, name := range []string{"newTag", "digest"} {
				keys := append(slices.Clone(v.Keys[:len(v.Keys)-1]), name)
				fields[strings.TrimSuffix(strings.TrimSuffix(k, "newTag"), "digest")+name] = keys
			}
		}
	}
	for _, p := range s.items[item].values {
		if keys, literal := p.Keys(); literal && kind == Values && fields[edit.Key(keys)] == nil {
			fields[edit.Key(keys)] = keys
		}
	}
	if kind == Match {
		for n := range s.place.Items[item].Patterns {
			fields[matchKey(n)] = nil
		}
	}
	out := make([]field, 0, len(fields))
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, field{k, fields[k]})
	}
	return out
}
