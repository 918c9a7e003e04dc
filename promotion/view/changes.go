package view

// What changed, over many repositories: the same list for the first page, the
// JSON API and the terminal.

import (
	"cmp"
	"slices"
	"time"
)

// Changed is one thing that changed in an environment: something landed, was
// judged, stopped or went on.
type Changed struct {
	Repository  string    `json:"repository"` // owner/name
	Pipeline    string    `json:"pipeline"`
	Environment string    `json:"environment"`
	Production  bool      `json:"production,omitempty"`
	Time        time.Time `json:"time"`
	Kind        string    `json:"kind"` // the ledger entry's; landed also for what a person landed
	Text        string    `json:"text"` // one sentence
	By          string    `json:"by,omitempty"`
	URL         string    `json:"url,omitempty"`
}

// telling are the kinds of ledger entries after which an environment is not as it
// was before. The others say that something is under way.
var telling = []string{"landed", "verdict", "failed", "halted", "hold", "resume", "veto", "approve", "past"}

// Changes is what changed since a time in the environments that are wanted,
// newest first. What a person landed stands in no ledger entry of its own; it is
// told from what stands now, so of several such in one environment only the newest.
func Changes(repositories []Repository, since time.Time, wanted func(*Environment) bool) []Changed {
	var all []Changed
	for i := range repositories {
		r := &repositories[i]
		for _, p := range r.Pipelines {
			for j := range p.Environments {
				if e := &p.Environments[j]; wanted(e) {
					all = append(all, e.changes(r.Owner+"/"+r.Name, since)...)
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Changed) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Pipeline, b.Pipeline), cmp.Compare(a.Environment, b.Environment))
	})
	return all
}

func (e *Environment) changes(repository string, since time.Time) []Changed {
	at := Changed{Repository: repository, Pipeline: e.Pipeline, Environment: e.Name, Production: e.Production}
	var all []Changed
	for _, entry := range e.Entries {
		if slices.Contains(telling, entry.Kind) && !entry.Time.Before(since) {
			c := at
			c.Time, c.Kind, c.Text, c.URL = entry.Time, entry.Kind, entry.Sentence, entry.URL
			all = append(all, c)
		}
	}
	if l := e.Current; l != nil && !l.Baseline && !l.Since.Before(since) && !e.promoted(l) {
		c := at
		c.Time, c.Kind, c.By, c.URL = l.Since, "landed", cmp.Or(l.By, l.Author), l.URL
		c.Text = cmp.Or(l.Title, l.Revision) + " landed"
		if l.Subject != "" {
			c.Text += ": " + l.Subject
		}
		all = append(all, c)
	}
	return all
}

// promoted says whether a landing is the newest promotion's, whose ledger entry
// tells of it.
func (e *Environment) promoted(l *Landing) bool {
	p := e.Promotion
	return p != nil && (p.PullRequest != 0 && p.PullRequest == l.PullRequest || p.Commit != "" && p.Commit == l.Commit)
}
