package guess

// Where in a path an environment is named.
//
// Rules: a folder or a file's name counts only where others beside it name other
// environments, so that a service called dev-tools is none; the outermost such
// name counts; regions in folders of their own belong to the name before or
// after them.

import (
	"path"
	"slices"
	"strings"
)

// environmentHole stands for the environment's name in a template.
const environmentHole = "\x00"

// naming knows which names stand beside which.
type naming struct {
	children map[string]map[string]bool // names of folders and stems of files, by folder
	folders  map[string]bool            // "folder/name" that are folders
	good     map[string]bool            // by folder and what is around the name: whether several environments are there
}

func newNaming(paths []string) *naming {
	n := &naming{children: map[string]map[string]bool{}, folders: map[string]bool{}, good: map[string]bool{}}
	for _, p := range paths {
		for at := p; ; {
			dir, base := path.Dir(at), path.Base(at)
			if dir == "." {
				dir = ""
			}
			if n.children[dir] == nil {
				n.children[dir] = map[string]bool{}
			}
			if at != p {
				n.folders[at] = true
			}
			if n.children[dir][base] {
				break
			}
			n.children[dir][base] = true
			if dir == "" {
				break
			}
			at = dir
		}
	}
	return n
}

// located is a path with its environment's name taken out.
type located struct {
	template string // the path with environmentHole
	name     name
	file     bool // the name stands in the file's own name
}

// locate finds the environment that a file belongs to.
func (n *naming) locate(p string) (located, bool) {
	segments := strings.Split(p, "/")
	for i, s := range segments[:len(segments)-1] {
		dir := strings.Join(segments[:i], "/")
		found, ok := read(s, i > 0 && containers[segments[i-1]])
		if !ok || !n.several(dir, "", "", true) {
			continue
		}
		from, to := i, i+1
		if i+2 < len(segments) && region(segments[i+1]) && found.within == "" && n.regions(dir) {
			to++
		} else if i > 0 && region(segments[i-1]) && found.within == "" {
			from--
		}
		if to-from > 1 {
			raw := strings.Join(segments[from:to], "/")
			where := segments[i+1]
			if from < i {
				where = segments[i-1]
			}
			found = name{raw: raw, env: valid(found.env + "-" + where), rank: found.rank, within: strings.ToLower(where)}
			if found.env == "" {
				continue
			}
		}
		template := strings.Join(slices.Concat(segments[:from], []string{environmentHole}, segments[to:]), "/")
		return located{template: template, name: found}, true
	}
	base := segments[len(segments)-1]
	dir := strings.Join(segments[:len(segments)-1], "/")
	ext := path.Ext(base)
	if ext != ".yaml" && ext != ".yml" && ext != ".json" {
		return located{}, false
	}
	before, found, after, ok := split(strings.TrimSuffix(base, ext))
	if !ok || !n.several(dir, before, after+ext, false) {
		return located{}, false
	}
	return located{template: path.Join(dir, before+environmentHole+after+ext), name: found, file: true}, true
}

// split takes the environment's name out of a file's: values-prod-eu, prod.values,
// checkout-dev, dev.
func split(stem string) (before string, n name, after string, ok bool) {
	if n, ok = readKnown(stem); ok {
		return "", n, "", true
	}
	for i := range stem {
		if strings.ContainsRune("-_.", rune(stem[i])) {
			if n, ok = readKnown(stem[i+1:]); ok {
				return stem[:i+1], n, "", true
			}
		}
	}
	for i := len(stem) - 1; i > 0; i-- {
		if strings.ContainsRune("-_.", rune(stem[i])) {
			if n, ok = readKnown(stem[:i]); ok {
				return "", n, stem[i:], true
			}
		}
	}
	return "", n, "", false
}

func readKnown(s string) (name, bool) { return read(s, false) }

// several says whether a folder has environments of at least two ranks whose
// names stand between the same texts.
func (n *naming) several(dir, before, after string, folders bool) bool {
	key := dir + "\x00" + before + "\x00" + after
	if folders {
		key += "\x00/"
	}
	if known, ok := n.good[key]; ok {
		return known
	}
	found := map[int]bool{}
	inContainer := containers[path.Base(dir)]
	for child := range n.children[dir] {
		if folders != n.folders[path.Join(dir, child)] {
			continue
		}
		var one name
		var ok bool
		if folders {
			one, ok = read(child, inContainer)
		} else if rest, has := strings.CutPrefix(child, before); has {
			if rest, has = strings.CutSuffix(rest, after); has {
				one, ok = readKnown(rest)
			}
		}
		if ok {
			found[one.rank] = true
		}
	}
	n.good[key] = len(found) > 1
	if folders && len(found) == 1 && region(path.Base(dir)) {
		n.good[key] = true // clusters/eu/prod, where the region comes first
	}
	if folders && len(found) == 1 && !n.good[key] {
		n.good[key] = n.elsewhere(dir, found)
	}
	return n.good[key]
}

// elsewhere says whether folders beside this one, of the same inner name, have
// other environments: services/a/overlays has dev alone, services/b/overlays more.
func (n *naming) elsewhere(dir string, found map[int]bool) bool {
	segments := strings.Split(dir, "/")
	if len(segments) < 2 || !containers[segments[len(segments)-1]] {
		return false
	}
	at := len(segments) - 2
	parent := strings.Join(segments[:at], "/")
	for other := range n.children[parent] {
		for child := range n.children[path.Join(parent, other, segments[len(segments)-1])] {
			if one, ok := read(child, true); ok && !found[one.rank] {
				return true
			}
		}
	}
	return false
}

// regions says whether the environments in a folder have regions in folders of
// their own: each child folder of each environment that has only folders is one.
func (n *naming) regions(dir string) bool {
	found := false
	for child := range n.children[dir] {
		at := path.Join(dir, child)
		if _, ok := read(child, containers[path.Base(dir)]); !ok || !n.folders[at] {
			continue
		}
		for inner := range n.children[at] {
			if n.folders[path.Join(at, inner)] {
				found = found || region(inner)
			}
		}
	}
	return found
}
