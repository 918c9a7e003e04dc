package config

// Two pipelines, or two environments, that would move the same file or the same
// value: each would undo the other for ever. Values of one file may be moved by
// different pipelines as long as they differ.

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/promobot/promobot/promotion/content"
)

// claim is one item of one environment on a file.
type claim struct {
	pipeline, environment int
	item                  *content.Item
	at                    int // index of the item
}

// collisions reports and blocks environments that claim what others claim. A
// file that only one environment of a pipeline has counts for all of them, since
// it travels.
func (r *resolver) collisions(pipelines []Pipeline) {
	claims := map[At][]claim{}
	add := func(e *Environment, path string, c claim) {
		at := At{e.Branch, path}
		claims[at] = append(claims[at], c)
	}
	for p := range pipelines {
		environments := pipelines[p].Environments
		if len(environments) == 0 {
			continue
		}
		for i := range environments[0].Place.Items {
			var union map[string]bool
			for n := range environments {
				e := &environments[n]
				item := &e.Place.Items[i]
				if item.Kind != content.Files {
					if e.Present && !e.Managed {
						add(e, r.inFile(e, item), claim{p, n, item, i})
					}
					continue
				}
				for _, x := range r.holding(e) {
					for _, rel := range selected(x, e.Place.Dir, item, false) {
						if union == nil {
							union = map[string]bool{}
						}
						union[rel] = true
					}
				}
			}
			for n := range environments {
				e := &environments[n]
				for rel := range union {
					if item := &e.Place.Items[i]; e.Present && takes(item, rel) {
						add(e, inDir(e.Place.Dir, rel), claim{p, n, item, i})
					}
				}
			}
		}
	}
	places := make([]At, 0, 8)
	for at, all := range claims {
		if len(all) > 1 || r.isFile(at) {
			places = append(places, at)
		}
	}
	slices.SortFunc(places, func(a, b At) int {
		return cmp.Or(cmp.Compare(a.Branch, b.Branch), cmp.Compare(a.Path, b.Path))
	})
	for _, at := range places {
		r.collide(pipelines, at, claims[at])
	}
}

// isFile says whether a file is the pipeline file, which counts on the default
// branch only.
func (r *resolver) isFile(at At) bool {
	return at.Branch == "" && (at.Path == Path || at.Path == r.file.name)
}

// holding are the files that an environment has and may get: those of its branch
// and of the branch it is read from.
func (r *resolver) holding(e *Environment) []*index {
	if e.Read == "" {
		return []*index{r.x.on(e.Branch)}
	}
	return []*index{r.x.on(e.Branch), r.x.on(e.Read)}
}

// takes says whether a files item names a path relative to its folder.
func takes(item *content.Item, rel string) bool {
	match := func(globs []string) bool {
		return slices.ContainsFunc(globs, func(g string) bool { return matchGlob(g, rel) })
	}
	return match(item.Patterns) && !match(item.Except)
}

// inFile is the repository path of the file that an item looks in.
func (r *resolver) inFile(e *Environment, item *content.Item) string {
	if item.Kind != content.Images {
		return inDir(e.Place.Dir, item.In)
	}
	for _, x := range r.holding(e) {
		for _, k := range kustomizations {
			if path := inDir(e.Place.Dir, k); x.file(path) {
				return path
			}
		}
	}
	return inDir(e.Place.Dir, kustomizations[0])
}

// collide compares the claims on one file, each with those before it.
func (r *resolver) collide(pipelines []Pipeline, at At, all []claim) {
	path := at.Path
	name := func(c claim) string {
		return fmt.Sprintf("%s in %s", pipelines[c.pipeline].Key, pipelines[c.pipeline].Environments[c.environment].Name)
	}
	block := func(c claim, reason string) {
		e := &pipelines[c.pipeline].Environments[c.environment]
		if e.Blocked == "" {
			e.Blocked = reason
		}
	}
	position := func(c claim) position {
		for _, l := range r.file.layouts {
			if l.group.value == pipelines[c.pipeline].Group {
				return l.spec.promote.value[c.at].position
			}
		}
		return position{}
	}
	for i, c := range all {
		if r.isFile(at) {
			block(c, "the pipeline file itself would be moved")
			p := position(c)
			r.d.add(p.line, p.column, name(c)+" would move the pipeline file itself", "add except: "+Path)
			continue
		}
		// A file that hundreds claim says all in its first dozen.
		for _, o := range all[max(0, i-12):i] {
			what := sameTarget(path, o.item, c.item)
			if what == "" {
				continue
			}
			reason := fmt.Sprintf("%s and %s both move %s", name(o), name(c), what)
			if at.Branch != "" {
				reason += " on branch " + at.Branch
			}
			block(c, reason)
			block(o, reason)
			p := position(c)
			r.d.add(p.line, p.column, reason, "let one of them have it: use except, narrower globs, or other values")
		}
	}
}

// sameTarget says what two items on one file have in common, or "".
func sameTarget(path string, a, b *content.Item) string {
	if a.Kind == content.Files || b.Kind == content.Files {
		return path
	}
	if a.Kind == content.Match || b.Kind == content.Match {
		// Where expressions hit is known only with the bytes; the same one hits the same.
		if a.Kind == b.Kind && !slices.Equal(a.Patterns, b.Patterns) {
			return ""
		}
		if a.Kind == b.Kind {
			return fmt.Sprintf("what %s matches in %s", a.Patterns[0], path)
		}
		return ""
	}
	for _, x := range a.Patterns {
		for _, y := range b.Patterns {
			if valuesMeet(a.Kind, x, b.Kind, y) {
				if a.Kind == content.Images && b.Kind == content.Images {
					return fmt.Sprintf("image %s in %s", y, path)
				}
				return fmt.Sprintf("%s in %s", y, path)
			}
		}
	}
	return ""
}

// valuesMeet says whether two patterns can name the same value. An image is the
// values newTag and digest of an item under images.
func valuesMeet(ak content.ItemKind, a string, bk content.ItemKind, b string) bool {
	switch {
	case ak == bk && ak == content.Images:
		return globsOverlap(a, b)
	case ak == bk:
		return pathsOverlap(a, b)
	case ak == content.Images:
		return pathsOverlap("images.*.newTag", b) || pathsOverlap("images.*.digest", b)
	default:
		return pathsOverlap(a, "images.*.newTag") || pathsOverlap(a, "images.*.digest")
	}
}
