package view

// Make: from what a run of the loop saw and decided to what is shown. It is pure;
// the same snapshot, decisions and entries always come to the same view.
//
// Rules:
//
//   - Nothing is decided here. What stands in the view is what the loop decided, in
//     its own words.
//   - Texts that come from a repository, a comment or a check are made visible and
//     cut; whoever draws them still escapes them.
//   - What no single run can know (since when a person is needed, what auto would
//     have done, the version behind a commit) is carried on from the view before.

import (
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// Seen is what a run of the loop came to.
type Seen struct {
	Snapshot  *promotion.Snapshot // nil: the repository could not be looked at
	Decisions []promotion.Decision
	// Entries are the newest of each environment's ledger, newest first.
	Entries map[promotion.Key][]Entry
	// Past are the promotions that the entries speak of, by their ids.
	Past map[string]*Past
	// File is the name of the pipeline file, "" for none; Problems is what is wrong
	// with it.
	File     string
	Problems config.Problems
	Next     time.Time // of the run that follows without an event
	// Error says why the run failed, At when.
	Error string
	At    time.Time
}

// Make makes the view of a repository. previous is the view of the run before, by
// an earlier process maybe; nil when there is none. Where the repository could not
// be looked at, At is zero and nothing but Error is new.
func Make(seen Seen, previous *Repository) Repository {
	r := Repository{Version: Version}
	if previous != nil {
		r = *previous
		r.Version = Version
	}
	if seen.Error != "" {
		r.Error, r.ErrorAt = text(seen.Error), seen.At
	} else {
		r.Error, r.ErrorAt = "", time.Time{}
	}
	s := seen.Snapshot
	if s == nil {
		return r
	}
	repo := s.Repository
	r.ID, r.Owner, r.Name, r.URL = repo.ID, repo.Owner, repo.Name, page(repo.URL)
	r.DefaultBranch, r.Archived = name(repo.DefaultBranch), repo.Archived
	r.At, r.Next = s.Now, seen.Next
	r.File, r.FileURL = text(seen.File), fileURL(s, seen.File)
	r.Problems = problems(s, seen)
	if len(r.Problems) > 0 {
		// What stood before the file broke still stands, but nothing can be done.
		r.Pipelines = withoutActions(r.Pipelines)
		return r
	}
	r.Pipelines = pipelines(seen, previous)
	return r
}

// problems are those of the pipeline file, with where they stand.
func problems(s *promotion.Snapshot, seen Seen) []Problem {
	var out []Problem
	for _, p := range seen.Problems {
		t := p.Message
		if p.Remedy != "" {
			t += "; " + p.Remedy
		}
		out = append(out, Problem{Line: p.Line, Text: text(t), URL: lineURL(fileURL(s, p.File), p.Line)})
	}
	return out
}

func withoutActions(ps []Pipeline) []Pipeline {
	out := make([]Pipeline, len(ps))
	for i, p := range ps {
		es := make([]Environment, len(p.Environments))
		for j, e := range p.Environments {
			e.Actions = nil
			es[j] = e
		}
		p.Environments = es
		out[i] = p
	}
	return out
}

// pipelines are all of a snapshot's, in its order.
func pipelines(seen Seen, previous *Repository) []Pipeline {
	s := seen.Snapshot
	before := environments(previous)
	titles := titlesOf(seen, before)
	several, named := false, false
	for i := range s.Environments {
		several = several || s.Environments[i].Key.Pipeline != s.Environments[0].Key.Pipeline
	}
	var out []Pipeline
	for i := range s.Environments {
		o := &s.Environments[i]
		if i >= len(seen.Decisions) || o.Config == nil || o.Pipeline == nil {
			break
		}
		if n := len(out); n == 0 || out[n-1].Key != o.Key.Pipeline {
			out = append(out, Pipeline{Key: o.Key.Pipeline, Title: name(o.Pipeline.Title)})
			named = !several || nameable(o.Key.Pipeline)
		}
		m := maker{seen: seen, s: s, o: o, d: &seen.Decisions[i], before: before[o.Key], titles: titles, several: several, named: named}
		p := &out[len(out)-1]
		p.Environments = append(p.Environments, m.environment())
	}
	return out
}

// environments are those of a view, by their keys.
func environments(r *Repository) map[promotion.Key]*Environment {
	out := map[promotion.Key]*Environment{}
	if r == nil {
		return out
	}
	for i := range r.Pipelines {
		p := &r.Pipelines[i]
		for j := range p.Environments {
			out[promotion.Key{Pipeline: p.Key, Environment: p.Environments[j].Name}] = &p.Environments[j]
		}
	}
	return out
}

// Production says whether an environment is where users are: its name begins with
// prod or live, or has such a word; or, where no environment of its pipeline is so
// called, nothing comes after it and something comes before it.
func Production(p *config.Pipeline, environment string) bool {
	called := false
	for _, e := range p.Environments {
		if soCalled(e.Name) {
			called = true
			if e.Name == environment {
				return true
			}
		}
	}
	if called {
		return false
	}
	last := false
	for _, e := range p.Environments {
		if e.Name == environment {
			last = len(e.From) > 0
		}
		if slices.Contains(e.From, environment) {
			return false
		}
	}
	return last
}

// soCalled looks at the words of a name: prod, production, prd and live, also with
// a number (prod1); never nonprod or preprod.
func soCalled(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	for i, w := range words {
		if i > 0 && (words[i-1] == "non" || words[i-1] == "pre") {
			continue
		}
		switch strings.TrimRight(w, "0123456789") {
		case "prod", "production", "prd", "live":
			return true
		}
	}
	return false
}
