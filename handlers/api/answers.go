package api

// What is answered: the types of promotion/view, and the lists over many
// repositories that are made of them. Fields are added, never renamed or removed.

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/view"
)

// Repositories is the answer of GET /api/v1/repositories.
type Repositories struct {
	Version      int       `json:"version"`
	Repositories []Summary `json:"repositories"` // by owner and name
	More         bool      `json:"more,omitempty"`
}

// Summary is a repository without its pipelines, and how many environments there
// are of each kind.
type Summary struct {
	view.Repository
	Environments int `json:"environments"`
	Needs        int `json:"needs"` // that need a person
	Held         int `json:"held"`
}

// Changes is the answer of GET /api/v1/changes.
type Changes struct {
	Version int            `json:"version"`
	Changes []view.Changed `json:"changes"` // newest first
	More    bool           `json:"more,omitempty"`
}

// Status is the answer of GET /api/v1/status.
type Status struct {
	Version      int       `json:"version"`
	Environments []Row     `json:"environments"`
	Troubles     []Trouble `json:"troubles,omitempty"`
	More         bool      `json:"more,omitempty"` // there are more environments; narrow the question
}

// Row is one environment at a glance.
type Row struct {
	Repository  string        `json:"repository"` // owner/name
	Pipeline    string        `json:"pipeline"`
	Environment string        `json:"environment"`
	Mode        string        `json:"mode,omitempty"`
	Production  bool          `json:"production,omitempty"`
	Standing    string        `json:"standing"`
	Reason      string        `json:"reason,omitempty"`
	Until       time.Time     `json:"until,omitzero"`
	Needs       string        `json:"needs,omitempty"`
	NeedsSince  time.Time     `json:"needs_since,omitzero"`
	Current     *view.Landing `json:"current,omitempty"`
	Behind      int           `json:"behind"`
	Offered     *view.Landing `json:"offered,omitempty"`
	PullRequest int           `json:"pull_request,omitempty"` // of the promotion under way
	URL         string        `json:"url,omitempty"`          // of that pull request
	Hold        *view.Hold    `json:"hold,omitempty"`
	At          time.Time     `json:"at"` // when it was looked at
}

// Trouble is why a repository as a whole is not as it should be.
type Trouble struct {
	Repository string    `json:"repository"`
	Text       string    `json:"text"`
	URL        string    `json:"url,omitempty"`
	Since      time.Time `json:"since,omitzero"`
}

func nameOf(r *view.Repository) string { return r.Owner + "/" + r.Name }

func sorted(repositories []view.Repository) []view.Repository {
	repositories = slices.Clone(repositories)
	slices.SortFunc(repositories, func(a, b view.Repository) int {
		return cmp.Or(cmp.Compare(strings.ToLower(nameOf(&a)), strings.ToLower(nameOf(&b))), cmp.Compare(a.ID, b.ID))
	})
	return repositories
}

func summarise(repositories []view.Repository, limit int) Repositories {
	out := Repositories{Version: view.Version, Repositories: []Summary{}}
	for _, r := range repositories {
		if len(out.Repositories) == limit {
			out.More = true
			break
		}
		s := Summary{Repository: r}
		s.Pipelines = nil
		for _, p := range r.Pipelines {
			for i := range p.Environments {
				s.Environments++
				if p.Environments[i].Needs != "" {
					s.Needs++
				}
				if p.Environments[i].Hold != nil {
					s.Held++
				}
			}
		}
		out.Repositories = append(out.Repositories, s)
	}
	return out
}

// StatusOf is the rows of repositories, in their order and their files', and what
// is wrong with a repository as a whole.
func StatusOf(repositories []view.Repository, wanted func(*view.Environment) bool, limit int) Status {
	out := Status{Version: view.Version, Environments: []Row{}}
	for i := range repositories {
		r := &repositories[i]
		if r.Error != "" {
			out.Troubles = append(out.Troubles, Trouble{Repository: nameOf(r), Text: r.Error, URL: r.URL, Since: r.ErrorAt})
		}
		for _, p := range r.Problems {
			out.Troubles = append(out.Troubles, Trouble{Repository: nameOf(r), Text: p.Text, URL: cmp.Or(p.URL, r.FileURL)})
		}
		for _, p := range r.Pipelines {
			for j := range p.Environments {
				e := &p.Environments[j]
				switch {
				case !wanted(e):
				case len(out.Environments) == limit:
					out.More = true
				default:
					out.Environments = append(out.Environments, rowOf(r, e))
				}
			}
		}
	}
	return out
}

func rowOf(r *view.Repository, e *view.Environment) Row {
	row := Row{
		Repository: nameOf(r), Pipeline: e.Pipeline, Environment: e.Name, Mode: e.Mode, Production: e.Production,
		Standing: e.Standing, Reason: e.Reason, Until: e.Until, Needs: e.Needs, NeedsSince: e.NeedsSince,
		Current: e.Current, Behind: e.Behind, Offered: e.Offered, Hold: e.Hold, At: r.At,
	}
	if p := e.Promotion; p != nil && p.Ended.IsZero() {
		row.PullRequest, row.URL = p.PullRequest, p.URL
	}
	return row
}

// narrowed is a repository with the wanted environments alone, and the pipelines
// that have any.
func narrowed(r view.Repository, wanted func(*view.Environment) bool) view.Repository {
	var pipelines []view.Pipeline
	for _, p := range r.Pipelines {
		var environments []view.Environment
		for i := range p.Environments {
			if wanted(&p.Environments[i]) {
				environments = append(environments, p.Environments[i])
			}
		}
		if len(environments) > 0 {
			p.Environments = environments
			pipelines = append(pipelines, p)
		}
	}
	r.Pipelines = pipelines
	return r
}
