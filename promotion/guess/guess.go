// Package guess makes a first pipeline file from what a repository looks like:
// where its environments are, what moves between them, in which order, and why
// each of these was thought.
//
// It is pure: paths, bytes, branch names and history in; a file and reasons out.
//
// Its rules:
//
//   - What is promoted is as little as carries a version: images and chart
//     versions, single values. Whole files only where environments are branches
//     in which nothing smaller is found.
//   - Nothing it writes does anything: mode is observe. What is not known is said
//     as a doubt, with what else it could be, and is not made up.
//   - The file is held against the repository as `promobot validate --repo` does
//     before it is given; what does not hold is mended or left out, aloud.
//   - Names come out of the repository and are hostile: in YAML they are quoted,
//     in comments they are printable and on one line.
package guess

import (
	"slices"

	"github.com/promobot/promobot/promotion/config"
)

// Repository is what is looked at. Contents are the bytes of [Wanted]; those
// that are missing count as files that say nothing.
type Repository struct {
	Name     string              // of the repository, for the pipeline where nothing else names it; may be empty
	Default  string              // the default branch's name
	Paths    []string            // files of the default branch, sorted
	Branches map[string][]string // other branches' files, by name: those that [Branches] chose
	Commits  []Commit            // history of the default branch, newest first; may be cut off
	Contents map[config.At][]byte
}

// Commit is one commit of the history.
type Commit struct {
	Subject string
	Changed []string // paths that differ from the first parent
}

// Guess is what a repository was taken for.
type Guess struct {
	File    []byte   // the pipeline file; nil when nothing could be guessed
	Reasons []string // why, one sentence each, with file names
	Doubts  []string // what could be otherwise or was left out, with what to write then
	Looked  []string // what was looked for; filled when nothing was found
}

// Make guesses.
func Make(r Repository) Guess {
	if !slices.IsSorted(r.Paths) {
		r.Paths = slices.Clone(r.Paths)
		slices.Sort(r.Paths)
	}
	s := &search{repository: r, naming: newNaming(r.Paths)}
	s.folders()
	s.branches()
	s.deployers()
	pipelines := s.choose()
	if s.more > 0 {
		s.doubts = append(s.doubts, sentence("and %d more of the kind", s.more))
	}
	if len(pipelines) == 0 {
		return Guess{Doubts: s.doubts, Looked: looked(r)}
	}
	f := s.draft(pipelines)
	f.fit()
	if len(f.pipelines) == 0 {
		return Guess{Doubts: f.doubts, Looked: looked(r)}
	}
	return Guess{File: f.write(), Reasons: f.reasons, Doubts: f.doubts}
}

// search is what has been found so far.
type search struct {
	repository Repository
	naming     *naming
	places     []place    // a file that several environments have, with what moves in it
	shapes     []*shape   // places that are alike
	names      []branches // groups of branches that are environments
	reasons    []string
	doubts     []string
	more       int // doubts that are only counted
}

func (s *search) because(format string, args ...any) {
	s.reasons = add(s.reasons, sentence(format, args...))
}

// doubt notes one; past the first few of a hostile or odd repository the rest
// are only counted.
func (s *search) doubt(format string, args ...any) {
	if len(s.doubts) >= mostDoubts {
		s.more++
		return
	}
	s.doubts = add(s.doubts, sentence(format, args...))
}

const mostDoubts = 20

// add appends a text that is not there yet.
func add(all []string, text string) []string {
	if slices.Contains(all, text) {
		return all
	}
	return append(all, text)
}

// looked says what was looked for, for a repository in which nothing was found.
func looked(r Repository) []string {
	return []string{
		sentence("folders named as environments (dev, test, qa, staging, uat, preprod, canary, prod, prod-eu …) beside each other, as overlays/dev, envs/staging, clusters/prod or services/NAME/overlays/ENV, among %d files", len(r.Paths)),
		"files named so beside each other, as values-dev.yaml and values-prod.yaml, or dev.yaml and prod.yaml",
		"branches named so, as env/dev and env/prod",
		"in them: images of kustomizations, image tags of Helm values, chart versions of Flux HelmReleases and Argo CD Applications, container images of manifests",
	}
}
