package config

// Values that must not travel, and places that another tool writes: what only
// the files' bytes tell. Both are told when a pipeline file is checked.
//
// Rules: a value that means another version from day to day (a range, latest,
// main) promotes nothing that was verified, so its source must be pinned, or be
// told by what runs there, unless nothing travels anyway (mode: observe); two tools that write one value undo each other.

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/content"
)

// policyMarker is how a line says that Flux's image automation writes it
// ("Configure image updates", Flux documentation).
var policyMarker = regexp.MustCompile(`#\s*\{\s*"\$imagepolicy"\s*:\s*"([^"]{1,200})"`)

// overrideFile is where Argo CD Image Updater writes an application's versions
// ("Update methods", Argo CD Image Updater documentation).
const overrideFile = ".argocd-source-*.yaml"

// taken is a promoted value as a file has it.
type taken struct {
	label, text string
	line        int
	pinned      bool // a digest beside it says what it means
}

// values are what an item that is no files item names in a file.
func (c *checker) values(item *content.Item, src []byte) []taken {
	if len(src) > maxChecked {
		return nil
	}
	if item.Kind == content.Match {
		re, err := regexp.Compile(item.Patterns[0])
		if err != nil {
			return nil
		}
		if m := re.FindSubmatchIndex(src); len(m) == 4 && m[2] >= 0 {
			return []taken{{label: item.Patterns[0], text: string(src[m[2]:m[3]]), line: 1 + bytes.Count(src[:m[2]], []byte("\n"))}}
		}
		return nil
	}
	all, ok := scalars(src)
	if !ok {
		return nil
	}
	var out []taken
	for key, s := range all {
		for _, p := range item.Patterns {
			switch {
			case item.Kind == content.Values && pathCovers(p, s.keys):
				out = append(out, taken{label: key, text: s.text, line: s.line})
			case item.Kind == content.Images && len(s.keys) == 3 && s.keys[0] == "images" && s.keys[2] == "newTag" && matchGlob(p, s.keys[1]):
				out = append(out, taken{label: "image " + s.keys[1], text: s.text, line: s.line, pinned: s.digest})
			}
		}
	}
	slices.SortFunc(out, func(a, b taken) int { return strings.Compare(a.label, b.label) })
	return slices.Compact(out)
}

// watched says whether an environment is only looked at by what is said of it,
// and not by the file's ceiling alone, which is there to be lifted.
func (e *Environment) watched() bool {
	return e.Mode == Observe && !slices.ContainsFunc(e.Settings, func(s Setting) bool { return s.Key == "mode" && s.From.What == "mode" })
}

// fixed refuses values that would be taken from a place and move by themselves.
func (c *checker) fixed(l *layout, p *Pipeline, e *Environment, from *Environment, branch string) {
	if e.watched() {
		return
	}
	for k := range e.Place.Items {
		item := &from.Place.Items[k]
		if item.Kind == content.Files {
			continue
		}
		file := c.resolver.inFile(&Environment{Branch: branch, Place: from.Place}, item)
		at := l.spec.promote.value[k].position
		for _, v := range c.values(item, c.contents[At{branch, file}]) {
			if v.pinned || !content.Moving(v.text) {
				continue
			}
			where := file
			if branch != "" {
				where += " on branch " + branch
			}
			c.add(at.line, at.column, fmt.Sprintf("%s would take %s of %s from %s, where it is %s: that means another version from day to day", p.Key, v.label, where, from.Name, clip(v.text)),
				fmt.Sprintf("pin it there; or, if another tool decides what runs in %s, say managed: elsewhere and a source for it; or say mode: observe for %s", from.Name, strings.Join([]string{p.Title, e.Name}, " in ")))
		}
	}
}

// written refuses places that promobot writes and another tool too.
func (c *checker) written(l *layout, p *Pipeline, e *Environment) {
	if e.Managed || !e.Present || len(e.From) == 0 && e.Source == nil && e.Read == "" {
		return
	}
	remedy := "say managed: elsewhere and a source for " + e.Name + ", or stop the other tool there"
	for k := range e.Place.Items {
		item := &e.Place.Items[k]
		at := l.spec.promote.value[k].position
		files := []string{c.resolver.inFile(e, item)}
		if item.Kind == content.Files {
			files = files[:0]
			for _, rel := range selected(c.resolver.x.on(e.Branch), e.Place.Dir, item, false) {
				files = append(files, inDir(e.Place.Dir, rel))
			}
		}
		for _, file := range files {
			src := c.contents[At{e.Branch, file}]
			lines := policies(src)
			if len(lines) == 0 {
				continue
			}
			if item.Kind == content.Files {
				keepPolicies(item.Keep, src, lines)
				for _, line := range sorted(lines) {
					c.add(at.line, at.column, fmt.Sprintf("%s would write line %d of %s, which Flux's image automation writes too (policy %s)", p.Key, line, file, clip(lines[line])), remedy)
				}
				continue
			}
			for _, v := range c.values(item, src) {
				if policy, ok := lines[v.line]; ok {
					c.add(at.line, at.column, fmt.Sprintf("%s would write %s of %s, which Flux's image automation writes too (line %d, policy %s)", p.Key, v.label, file, v.line, clip(policy)), remedy)
				}
			}
		}
	}
	at := l.get(e.Name).name.position
	for _, file := range overriding(c.resolver.x.on(e.Branch), e.Place.Dir) {
		c.add(at.line, at.column, fmt.Sprintf("%s is written by Argo CD Image Updater: %s overrides what %s would promote to it", e.Name, file, p.Key), remedy)
	}
}

// overriding are the files in a folder by which Argo CD Image Updater writes.
func overriding(x *index, dir string) []string {
	var out []string
	for _, p := range x.below(dir) {
		if path.Dir(p) == path.Clean(dir) && matchGlob(overrideFile, path.Base(p)) {
			out = append(out, p)
		}
	}
	return out
}

// policies are the lines of a file that have a policy's marker, counted from 1.
func policies(src []byte) map[int]string {
	out := map[int]string{}
	if len(src) > maxChecked || !bytes.Contains(src, []byte("$imagepolicy")) {
		return out
	}
	n := 0
	for line := range bytes.Lines(src) {
		n++
		if m := policyMarker.FindSubmatch(line); m != nil {
			out[n] = string(m[1])
		}
	}
	return out
}

// keepPolicies takes out the lines whose values stay the target's own.
func keepPolicies(keep []string, src []byte, lines map[int]string) {
	all, _ := scalars(src)
	for _, s := range all {
		if slices.ContainsFunc(keep, func(k string) bool { return pathCovers(k, s.keys) }) {
			delete(lines, s.line)
		}
	}
}

func sorted(lines map[int]string) []int {
	out := make([]int, 0, len(lines))
	for n := range lines {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
