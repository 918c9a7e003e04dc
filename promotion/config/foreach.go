package config

// for_each over the repository's paths: one binding of its variables for each
// match.
//
// Rules: a variable stands for one name of a folder or file, or a part of one,
// and never for a name that begins with a dot; $env stands for the environments'
// names only, the longest first, so that values-prod-us.yaml is that of prod-us
// and not of us. The path list is sorted, so that a folder is a range of it and
// nothing is ever scanned twice.

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// eachPattern is for_each, compiled.
type eachPattern struct {
	segments  []eachSegment
	variables []string // without env, in order
}

// eachSegment is a literal name, or a pattern with the variables of its groups.
type eachSegment struct {
	literal string
	pattern *regexp.Regexp
	groups  []string
}

// compileEach compiles a for_each over the given environments.
func compileEach(t pathTemplate, environments []string) (eachPattern, *refusal) {
	longest := slices.Clone(environments)
	slices.SortStableFunc(longest, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var e eachPattern
	for text := range strings.SplitSeq(t.text, "/") {
		one, bad := parseTemplate(text)
		if bad != nil {
			return e, bad
		}
		s := eachSegment{}
		var re strings.Builder
		re.WriteString("^")
		for i, p := range one.parts {
			switch {
			case p.variable == envVariable:
				re.WriteString("(" + strings.Join(longest, "|") + ")")
				s.groups = append(s.groups, p.variable)
			case p.variable != "":
				if i > 0 && one.parts[i-1].variable != "" {
					return e, refuse("put a text between the two", "%s has two variables side by side", clip(text))
				}
				if i == 0 {
					re.WriteString("([^.].*?)")
				} else {
					re.WriteString("(.+?)")
				}
				s.groups = append(s.groups, p.variable)
				if !slices.Contains(e.variables, p.variable) {
					e.variables = append(e.variables, p.variable)
				}
			default:
				re.WriteString(strings.ReplaceAll(regexp.QuoteMeta(p.literal), `\*`, `.*`))
			}
		}
		if strings.Contains(text, "**") {
			return e, refuse("name each folder by a variable or *", "%s spans folders by **", clip(text))
		}
		if len(s.groups) == 0 && !strings.Contains(text, "*") {
			s.literal = one.fill(nil, plain)
		} else {
			s.pattern = regexp.MustCompile("(?s)" + re.String() + "$")
		}
		e.segments = append(e.segments, s)
	}
	if len(e.variables) == 0 {
		return e, refuse("name what differs, as services/$name", "%s has no variable besides $env, so there is nothing to make pipelines of", clip(t.text))
	}
	return e, nil
}

// expand gives a binding for each match, sorted, each once; env is not among
// the variables.
func (e eachPattern) expand(x *index) []binding {
	var out []binding
	seen := map[string]bool{}
	var walk func(at int, prefix string, found map[string]string)
	walk = func(at int, prefix string, found map[string]string) {
		if at == len(e.segments) {
			b := make(binding, len(e.variables))
			for i, name := range e.variables {
				b[i] = variable{name, found[name]}
			}
			if k := b.key(); !seen[k] {
				seen[k] = true
				out = append(out, b)
			}
			return
		}
		s, last := e.segments[at], at == len(e.segments)-1
		if s.pattern == nil {
			path := prefix + s.literal
			if x.folder(path) || last && x.file(path) {
				walk(at+1, path+"/", found)
			}
			return
		}
		x.children(prefix, func(name string, folder bool) {
			if !folder && !last {
				return
			}
			m := s.pattern.FindStringSubmatch(name)
			if m == nil {
				return
			}
			more := make(map[string]string, len(found)+len(s.groups))
			maps.Copy(more, found)
			for i, group := range s.groups {
				if before, ok := more[group]; ok && before != m[i+1] {
					return
				}
				more[group] = m[i+1]
			}
			walk(at+1, prefix+name+"/", more)
		})
	}
	walk(0, "", map[string]string{})
	slices.SortFunc(out, func(a, b binding) int { return cmp.Compare(a.key(), b.key()) })
	return out
}

// key is the values joined by slashes, which no value holds.
func (b binding) key() string {
	if len(b) == 1 {
		return b[0].value
	}
	all := make([]string, len(b))
	for i, v := range b {
		all[i] = v.value
	}
	return strings.Join(all, "/")
}

// index answers questions about a sorted list of file paths.
type index struct{ paths []string }

// newIndex takes the paths as they are when they are sorted, as git lists them.
func newIndex(paths []string) *index {
	if !slices.IsSorted(paths) {
		paths = slices.Clone(paths)
		slices.Sort(paths)
	}
	return &index{paths: paths}
}

func (x *index) file(path string) bool {
	_, found := slices.BinarySearch(x.paths, path)
	return found
}

func (x *index) folder(path string) bool { return len(x.below(path)) > 0 }

// below are the files in a folder, at any depth; "" is the root.
func (x *index) below(folder string) []string {
	if folder == "" {
		return x.paths
	}
	from := sort.SearchStrings(x.paths, folder+"/")
	to := from + sort.SearchStrings(x.paths[from:], folder+"0") // the character after /
	return x.paths[from:to]
}

// children calls f for each name directly below a folder given with its slash.
func (x *index) children(prefix string, f func(name string, folder bool)) {
	rest := x.below(strings.TrimSuffix(prefix, "/"))
	for len(rest) > 0 {
		name, _, folder := strings.Cut(rest[0][len(prefix):], "/")
		f(name, folder)
		if folder {
			rest = rest[sort.SearchStrings(rest, prefix+name+"0"):]
		} else {
			rest = rest[1:]
		}
	}
}
