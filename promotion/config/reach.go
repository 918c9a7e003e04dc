package config

// How far a file reaches: which environments render it. A change of a base is
// carried by no promotion, it is in all of them at once, and people should be
// told so before they merge it.

import (
	"cmp"
	"path"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxKustomization is the most bytes of a kustomization that are looked at.
const maxKustomization = 256 << 10

// Target is one environment of one pipeline, by their names.
type Target struct{ Pipeline, Environment string }

// Reach knows which environments render which folders and files.
type Reach struct {
	rendered map[string][]Target // folders and files that a kustomization names
	folders  map[string][]Target // the environments' own folders
	own      map[string][]Target // files that belong to some environments of a folder only
}

// SharedFromKustomizations finds what the kustomizations of the environments on
// the default branch have in
// common: kustomizations maps repository paths of kustomization files to their
// bytes, and resources, bases and components that are relative paths are
// followed from each environment's folder on. What cannot be read as YAML, and
// what lies outside the repository, is followed no further.
func SharedFromKustomizations(pipelines []Pipeline, kustomizations map[string][]byte) *Reach {
	r := &Reach{rendered: map[string][]Target{}, folders: map[string][]Target{}, own: map[string][]Target{}}
	graph := map[string][]string{}
	folders := make([]string, 0, len(kustomizations))
	for file, src := range kustomizations {
		dir := path.Dir(file)
		graph[dir] = append(graph[dir], followed(dir, src)...)
		folders = append(folders, dir)
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	for i := range pipelines {
		for j := range pipelines[i].Environments {
			e := &pipelines[i].Environments[j]
			if e.Present && e.Branch == "" && !e.Managed {
				r.add(Target{pipelines[i].Key, e.Name}, e, graph, folders)
			}
		}
	}
	return r
}

// add follows one environment's kustomizations.
func (r *Reach) add(t Target, e *Environment, graph map[string][]string, folders []string) {
	dir := cmp.Or(e.Place.Dir, ".")
	r.folders[dir] = append(r.folders[dir], t)
	for _, item := range e.Place.Items {
		if item.In != "" {
			file := path.Join(dir, item.In)
			r.own[file] = append(r.own[file], t)
		}
	}
	var start []string
	if _, ok := graph[dir]; ok {
		start = append(start, dir)
	}
	if dir != "." {
		for k := sort.SearchStrings(folders, dir+"/"); k < len(folders) && strings.HasPrefix(folders[k], dir+"/"); k++ {
			start = append(start, folders[k])
		}
	}
	seen := map[string]bool{}
	for len(start) > 0 {
		node := start[len(start)-1]
		start = start[:len(start)-1]
		if seen[node] {
			continue
		}
		seen[node] = true
		r.rendered[node] = append(r.rendered[node], t)
		start = append(start, graph[node]...)
	}
}

// followed are the local folders and files that a kustomization renders,
// relative to the repository's root.
func followed(dir string, src []byte) []string {
	if len(src) > maxKustomization {
		return nil
	}
	root, err := parseYAML(src)
	if err != nil || root == nil || root.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	var out []string
	for i := 0; i+1 < len(root.Content[0].Content); i += 2 {
		key, list := root.Content[0].Content[i].Value, root.Content[0].Content[i+1]
		if !slices.Contains([]string{"resources", "bases", "components"}, key) || list.Kind != yaml.SequenceNode {
			continue
		}
		for _, n := range list.Content {
			entry := n.Value
			// Remote ones are URLs, or hosts and users that kustomize clones.
			if n.Kind != yaml.ScalarNode || entry == "" || strings.Contains(entry, "//") || strings.ContainsAny(entry, "?@:") || path.IsAbs(entry) {
				continue
			}
			if joined := path.Join(dir, entry); joined != ".." && !strings.HasPrefix(joined, "../") {
				out = append(out, joined)
			}
		}
	}
	return out
}

// Of are the environments that a repository path reaches, sorted: those whose
// kustomizations render it or a folder it is in, and those in whose folder it
// lies, unless it is the very file of some of them.
func (r *Reach) Of(file string) []Target {
	var out []Target
	out = append(out, r.rendered[file]...)
	own, isOwn := r.own[file]
	out = append(out, own...)
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		out = append(out, r.rendered[dir]...)
		if !isOwn {
			out = append(out, r.folders[dir]...)
		}
		if dir == "." || dir == "/" {
			break
		}
	}
	slices.SortFunc(out, func(a, b Target) int {
		return cmp.Or(cmp.Compare(a.Pipeline, b.Pipeline), cmp.Compare(a.Environment, b.Environment))
	})
	return slices.Compact(out)
}

// Shared says whether a path reaches several environments of one pipeline at once.
func (r *Reach) Shared(file string) bool {
	targets := r.Of(file)
	for i := 1; i < len(targets); i++ {
		if targets[i].Pipeline == targets[i-1].Pipeline {
			return true
		}
	}
	return false
}

// Paths are the folders and files that the kustomizations of several
// environments of one pipeline render, sorted.
func (r *Reach) Paths() []string {
	var out []string
	for node, targets := range r.rendered {
		first := map[string]Target{}
		for _, t := range targets {
			if before, ok := first[t.Pipeline]; ok && before != t {
				out = append(out, node)
				break
			}
			first[t.Pipeline] = t
		}
	}
	slices.Sort(out)
	return out
}
