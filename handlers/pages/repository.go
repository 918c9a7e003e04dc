package pages

// A repository, a pipeline, an environment, a promotion: each page of what belongs
// to one repository.

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/view"
)

// answersSince is how far back the answers on a repository's page reach.
const answersSince = 24 * time.Hour

// repositoryPage is /OWNER/REPO.
type repositoryPage struct {
	*view.Repository
	Needs   []need
	More    int
	Matrix  matrix
	Shadows []shadow
	Answers []view.Answer // newest first
}

// shadow is the score of one environment of one pipeline.
type shadow struct {
	Repository  *view.Repository
	Environment *view.Environment
	*view.Shadow
}

// Decided is how many of the offers people have decided.
func (s shadow) Decided() int { return s.Same + s.Changed + s.Closed + s.Reverted }

// bar is one part of a score's bar; all of them are 100 wide.
type bar struct {
	X, Width int
	Tone     string
}

// Bars are the score as a picture, of which the text beside it says the same.
func (s shadow) Bars() []bar {
	var out []bar
	done := 0
	for _, part := range []struct {
		n    int
		tone string
	}{{s.Same, "ok"}, {s.Changed, "wait"}, {s.Closed + s.Reverted, "bad"}} {
		until := percent(done+part.n, s.Decided())
		if x := percent(done, s.Decided()); until > x {
			out = append(out, bar{x, until - x, part.tone})
		}
		done += part.n
	}
	return out
}

func (p *Pages) repository(r *http.Request, who *Person) (*answer, error) {
	repo, err := p.one(r)
	if err != nil {
		return nil, err
	}
	a := &answer{template: "repository", page: page{Title: repo.Owner + "/" + repo.Name, Live: liveOf(repo), Once: newOnce()}}
	a.page.Crumbs = crumbs(repo)
	d := repositoryPage{Repository: repo, Matrix: newMatrix([]view.Repository{*repo}, filterOf(r.URL.Query()), repoPath(repo))}
	d.Needs, d.More = p.needs([]view.Repository{*repo}, who, a.page.Once)
	for i := range repo.Pipelines {
		for j := range repo.Pipelines[i].Environments {
			if e := &repo.Pipelines[i].Environments[j]; e.Shadow != nil && e.Shadow.Offered > 0 {
				d.Shadows = append(d.Shadows, shadow{repo, e, e.Shadow})
			}
		}
	}
	slices.SortStableFunc(d.Shadows, func(a, b shadow) int { return cmp.Compare(b.Offered, a.Offered) })
	d.Shadows = d.Shadows[:min(len(d.Shadows), mostNeeds)]
	if d.Answers, err = p.options.Store.Answers(r.Context(), repo.ID, p.options.Now().Add(-answersSince)); err != nil {
		return nil, err
	}
	slices.SortStableFunc(d.Answers, func(a, b view.Answer) int { return b.At.Compare(a.At) })
	d.Answers = d.Answers[:min(len(d.Answers), mostChanges)]
	a.page.Data = d
	return a, nil
}

// liveOf is what names a repository in events: its page, which has no line ends.
func liveOf(repo *view.Repository) string { return repoPath(repo) }

func crumbs(repo *view.Repository, more ...crumb) []crumb {
	return append([]crumb{{"Overview", "/"}, {repo.Owner + "/" + repo.Name, repoPath(repo)}}, more...)
}

// titleOf is a pipeline's name for people; a repository's only one may have none.
func titleOf(repo *view.Repository, p *view.Pipeline) string {
	return cmp.Or(p.Title, p.Key, repo.Name)
}

// pipelinePage is one pipeline as lanes: what comes from the same upstreams stands
// side by side.
type pipelinePage struct {
	Repository *view.Repository
	Pipeline   *view.Pipeline
	Title      string
	Stages     [][]lane
}

// lane is one environment on a pipeline's page.
type lane struct {
	Repository *view.Repository
	*view.Environment
	Forms []*form
}

func (p *Pages) pipeline(r *http.Request, who *Person) (*answer, error) {
	repo, err := p.one(r)
	if err != nil {
		return nil, err
	}
	key := fromSegments(r.PathValue("pipeline"))
	at := slices.IndexFunc(repo.Pipelines, func(p view.Pipeline) bool { return p.Key == key })
	if at < 0 {
		return nil, errNotFound
	}
	of := &repo.Pipelines[at]
	a := &answer{template: "pipeline", page: page{Title: titleOf(repo, of), Live: liveOf(repo), Once: newOnce()}}
	a.page.Crumbs = crumbs(repo, crumb{titleOf(repo, of), pipePath(repo, of.Key)})
	d := pipelinePage{Repository: repo, Pipeline: of, Title: titleOf(repo, of)}
	for i, stage := range stages(of.Environments) {
		for len(d.Stages) <= stage {
			d.Stages = append(d.Stages, nil)
		}
		e := &of.Environments[i]
		d.Stages[stage] = append(d.Stages[stage], lane{repo, e, newForms(repo, e, who, a.page.Once)})
	}
	a.page.Data = d
	return a, nil
}

// stages are how many environments each one is from the beginning, at the most.
// They are in the file's order, upstreams first.
func stages(list []view.Environment) []int {
	depth := make([]int, len(list))
	for i, e := range list {
		for j := range i {
			if slices.Contains(e.From, list[j].Name) {
				depth[i] = max(depth[i], depth[j]+1)
			}
		}
	}
	return depth
}

// environmentPage is one environment with everything that is known of it.
type environmentPage struct {
	Repository *view.Repository
	*view.Environment
	Title  string // of the pipeline
	Only   bool   // the pipeline is the repository's only one
	Forms  []*form
	Asked  *asked // what the person has just pressed
	Score  *shadow
	Days   []day
	Landed []view.Verdict // newest first
	Before []listed       // promotions, newest first
}

// day is what a ledger tells of one day.
type day struct {
	Day     time.Time
	Entries []view.Entry
}

// days groups entries, newest first, by their day in UTC.
func days(entries []view.Entry) []day {
	var out []day
	for _, e := range entries {
		at := e.Time.UTC().Truncate(24 * time.Hour)
		if len(out) == 0 || !out[len(out)-1].Day.Equal(at) {
			out = append(out, day{Day: at})
		}
		out[len(out)-1].Entries = append(out[len(out)-1].Entries, e)
	}
	return out
}

func (p *Pages) environment(r *http.Request, who *Person) (*answer, error) {
	repo, err := p.one(r)
	if err != nil {
		return nil, err
	}
	of, e := find(repo, fromSegments(r.PathValue("pipeline")), strings.TrimPrefix(r.PathValue("environment"), "~"))
	if e == nil {
		return nil, errNotFound
	}
	title := titleOf(repo, of)
	a := &answer{template: "environment", page: page{Title: e.Name + " · " + title, Live: liveOf(repo), Once: newOnce()}}
	a.page.Crumbs = crumbs(repo, crumb{title, pipePath(repo, of.Key)}, crumb{e.Name, envPath(repo, of.Key, e.Name)})
	d := environmentPage{
		Repository: repo, Environment: e, Title: title, Only: len(repo.Pipelines) == 1,
		Forms: newForms(repo, e, who, a.page.Once), Days: days(e.Entries), Landed: slices.Clone(e.Verdicts),
	}
	slices.SortStableFunc(d.Landed, func(a, b view.Verdict) int { return b.Time.Compare(a.Time) })
	for _, f := range d.Forms {
		f.More = f.Action.Name == command.NameHold
	}
	for i := range e.Earlier {
		d.Before = append(d.Before, listed{repo, &e.Earlier[i]})
	}
	if e.Shadow != nil {
		d.Score = &shadow{repo, e, e.Shadow}
	}
	if id := r.URL.Query().Get("answer"); id != "" {
		if d.Asked, err = p.asked(r, repo, who, id); err != nil {
			return nil, err
		}
		a.page.Waits = d.Asked != nil && d.Asked.Answer == nil
	}
	a.page.Data = d
	return a, nil
}

// find is an environment of a repository, and its pipeline; nil where there is none.
func find(repo *view.Repository, pipeline, environment string) (*view.Pipeline, *view.Environment) {
	for i := range repo.Pipelines {
		of := &repo.Pipelines[i]
		if of.Key != pipeline {
			continue
		}
		for j := range of.Environments {
			if of.Environments[j].Name == environment {
				return of, &of.Environments[j]
			}
		}
	}
	return nil, nil
}

// promotionPage is one promotion: everything that happened, and why.
type promotionPage struct {
	Repository  *view.Repository
	Environment *view.Environment
	*view.Promotion
	Pipeline string // its title
	Gates    []view.Gate
	Verdict  *view.Verdict // of what it landed
	Watch    *view.Watch
	Landing  *view.Landing
	Alike    []listed // others of the same revision to the same environment
	Forms    []*form
	Days     []day
}

func (p *Pages) promotion(r *http.Request, who *Person) (*answer, error) {
	repo, err := p.one(r)
	if err != nil {
		return nil, err
	}
	id := strings.TrimPrefix(r.PathValue("id"), "~")
	for i := range repo.Pipelines {
		of := &repo.Pipelines[i]
		for j := range of.Environments {
			e := &of.Environments[j]
			known := promotionsOf(e)
			at := slices.IndexFunc(known, func(p *view.Promotion) bool { return p.ID == id })
			if at < 0 {
				continue
			}
			title := titleOf(repo, of)
			a := &answer{template: "promotion", page: page{Title: cmp.Or(known[at].Title, e.Name), Live: liveOf(repo), Once: newOnce()}}
			a.page.Crumbs = crumbs(repo, crumb{title, pipePath(repo, of.Key)}, crumb{e.Name, envPath(repo, of.Key, e.Name)}, crumb{"Promotion", ""})
			d := newPromotionPage(repo, e, known[at])
			d.Pipeline = title
			if known[at] == e.Promotion {
				d.Forms = newForms(repo, e, who, a.page.Once)
			}
			a.page.Data = d
			return a, nil
		}
	}
	return nil, &refusal{
		status: http.StatusNotFound, title: "Too long ago", back: repoPath(repo),
		text: "The newest promotions of each environment have a page. What became of this one stands in the environment's ledger: promobot log shows all of it.",
	}
}

// listed is one promotion in a list.
type listed struct {
	Repository *view.Repository
	*view.Promotion
}

// promotionsOf are those that are known of an environment, newest first.
func promotionsOf(e *view.Environment) []*view.Promotion {
	var out []*view.Promotion
	if e.Promotion != nil {
		out = append(out, e.Promotion)
	}
	for i := range e.Earlier {
		out = append(out, &e.Earlier[i])
	}
	return out
}

func newPromotionPage(repo *view.Repository, e *view.Environment, p *view.Promotion) promotionPage {
	d := promotionPage{Repository: repo, Environment: e, Promotion: p}
	if p.Ended.IsZero() {
		d.Gates = e.Gates
	}
	if p.Landed != "" {
		if l := e.Current; l != nil && l.Commit == p.Landed {
			d.Landing = l
		}
		if w := e.Watch; w != nil && w.Landing == p.Landed {
			d.Watch = w
		}
		for i := range e.Verdicts {
			if e.Verdicts[i].Landing == p.Landed {
				d.Verdict = &e.Verdicts[i]
			}
		}
	}
	for _, other := range promotionsOf(e) {
		if other != p && other.Revision == p.Revision {
			d.Alike = append(d.Alike, listed{repo, other})
		}
	}
	var own []view.Entry
	for _, entry := range e.Entries {
		if entry.Promotion == p.ID {
			own = append(own, entry)
		}
	}
	d.Days = days(own)
	return d
}
