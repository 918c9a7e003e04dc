package pages

// The first page, in the order in which it is wanted at night: is promobot well,
// what needs a person, what changed in production, and then everything.

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/view"
)

const (
	changedSince = 2 * time.Hour
	mostNeeds    = 20
	mostChanges  = 20
	// lateWork is how long work may wait before that is a trouble.
	lateWork = 10 * time.Minute
	// quiet is after how long without an event a webhook may have been lost.
	quiet = 24 * time.Hour
)

// home is the first page.
type home struct {
	Health  healthShown
	Needs   []need
	More    int // needs that are not shown
	Changes []view.Changed
	Changed int // how many there are
	Matrix  matrix
	Broken  []view.Repository // that could not be looked at, or whose file is wrong
	None    bool              // the person sees no repository
}

// healthShown is promobot's health with what is said of it.
type healthShown struct {
	Health
	Well     bool
	Late     bool // work waits for long
	Short    bool // of requests
	Quiet    bool
	Unknown  bool
	Troubles []string
}

// need is what a person has to do in one environment.
type need struct {
	Repository  *view.Repository
	Environment *view.Environment
	Press       *form // the one button
	Link        pair  // where there is nothing to press
}

func (p *Pages) home(r *http.Request, who *Person) (*answer, error) {
	seen, err := p.visible(r)
	if err != nil {
		return nil, err
	}
	now := p.options.Now()
	h := home{Health: p.health(r, now), None: len(seen) == 0}
	a := &answer{template: "home", page: page{Title: "Overview", Live: "*", Once: newOnce()}}
	h.Needs, h.More = p.needs(seen, who, a.page.Once)
	h.Changes = view.Changes(seen, now.Add(-changedSince), func(e *view.Environment) bool { return e.Production })
	h.Changed = len(h.Changes)
	h.Changes = h.Changes[:min(len(h.Changes), mostChanges)]
	for _, one := range seen {
		if one.Error != "" || len(one.Problems) > 0 {
			h.Broken = append(h.Broken, one)
		}
	}
	h.Matrix = newMatrix(seen, filterOf(r.URL.Query()), "/")
	a.page.Data = h
	return a, nil
}

func (p *Pages) health(r *http.Request, now time.Time) healthShown {
	h, err := p.options.Health(r.Context())
	if err != nil {
		p.options.Log.Error().Err(err).Msg("The pages cannot tell how promobot does")
		return healthShown{Unknown: true}
	}
	shown := healthShown{
		Health:   h,
		Late:     !h.OldestWork.IsZero() && now.Sub(h.OldestWork) > lateWork,
		Short:    h.BudgetLimit > 0 && h.Budget*10 < h.BudgetLimit,
		Quiet:    !h.LastEvent.IsZero() && now.Sub(h.LastEvent) > quiet,
		Troubles: h.Troubles,
	}
	shown.Well = !shown.Late && !shown.Short && len(shown.Troubles) == 0
	return shown
}

// needs are what persons have to do, production first, oldest first.
func (p *Pages) needs(repositories []view.Repository, who *Person, once string) (list []need, more int) {
	for i := range repositories {
		repo := &repositories[i]
		for j := range repo.Pipelines {
			of := &repo.Pipelines[j]
			for k := range of.Environments {
				if e := &of.Environments[k]; e.Needs != "" {
					list = append(list, need{Repository: repo, Environment: e})
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b need) int {
		if a.Environment.Production != b.Environment.Production {
			if a.Environment.Production {
				return -1
			}
			return 1
		}
		return a.Environment.NeedsSince.Compare(b.Environment.NeedsSince)
	})
	more = max(0, len(list)-mostNeeds)
	list = list[:len(list)-more]
	for i := range list {
		list[i].offer(who, once)
	}
	return list, more
}

// goesOn are the commands by which a person gives what is waited for.
var goesOn = []string{command.NameApprove, command.NameResume, command.NameRetry, command.NamePromote, command.NameRebuild}

// offer finds the one button: what lets the environment go on, else the pull
// request that has to be read, else the page that tells more.
func (n *need) offer(who *Person, once string) {
	e := n.Environment
	for _, a := range e.Actions {
		if slices.Contains(goesOn, a.Name) {
			n.Press = newForm(n.Repository, e, a, who, once)
			return
		}
	}
	if u := e.Promotion; u != nil && u.Ended.IsZero() && link(u.URL) != "" {
		n.Link = pair{link(u.URL), "Review " + pullOf("", u.PullRequest).Text}
	}
}

func sortRepositories(list []view.Repository) {
	slices.SortFunc(list, func(a, b view.Repository) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Owner), strings.ToLower(b.Owner)), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
}
