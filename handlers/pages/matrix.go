package pages

// The matrix: what is where, for hundreds of services. Each row is a pipeline, each
// column an environment; pipelines with other environments have a table of their
// own. Where nothing is to be said, nothing is: a cell with a revision and a time
// alone is up to date.

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/view"
)

// filter is what the address says to show.
type filter struct {
	Words string // in a name of the repository, the pipeline or what stands
	Env   string // pattern of environments
	Is    string // one of states
}

// states are what a filter may ask for, as its form shows them.
var states = []struct{ Value, Text string }{
	{"", "Anything"},
	{"needs", "Needs a person"},
	{"moving", "On the move"},
	{"behind", "Behind"},
	{"held", "Held"},
	{"failing", "Failing"},
}

// most is how long a filter's text may be.
const most = 200

func filterOf(q url.Values) filter {
	f := filter{Words: strings.TrimSpace(q.Get("q")), Env: strings.TrimSpace(q.Get("env")), Is: q.Get("is")}
	if len(f.Words) > most {
		f.Words = ""
	}
	if _, err := path.Match(f.Env, ""); err != nil || len(f.Env) > most {
		f.Env = ""
	}
	if !slices.ContainsFunc(states, func(s struct{ Value, Text string }) bool { return s.Value == f.Is }) {
		f.Is = ""
	}
	return f
}

// States are for the template.
func (f filter) States() []struct{ Value, Text string } { return states }

// Any says whether the filter leaves anything out.
func (f filter) Any() bool { return f != filter{} }

func (f filter) environment(e *view.Environment) bool {
	if f.Env == "" {
		return true
	}
	for one := range strings.SplitSeq(f.Env, ",") {
		if ok, err := path.Match(strings.TrimSpace(one), e.Name); ok && err == nil {
			return true
		}
	}
	return false
}

func (f filter) state(e *view.Environment) bool {
	switch f.Is {
	case "needs":
		return e.Needs != ""
	case "behind":
		return e.Behind > 0
	case "held":
		return e.Hold != nil
	case "failing":
		return standingOf(*e).Text == "Failing"
	case "moving":
		switch promotion.Standing(e.Standing) {
		case promotion.Proposed, promotion.Waiting, promotion.Merging, promotion.Verifying:
			return true
		default:
			return false
		}
	}
	return true
}

func (f filter) words(r *view.Repository, p *view.Pipeline) bool {
	words := strings.ToLower(f.Words)
	if words == "" || strings.Contains(strings.ToLower(r.Owner+"/"+r.Name+" "+p.Key), words) {
		return true
	}
	return slices.ContainsFunc(p.Environments, func(e view.Environment) bool {
		l := e.Current
		return l != nil && f.environment(&e) && strings.Contains(strings.ToLower(l.Title+" "+l.Revision+" "+l.Subject), words)
	})
}

// matrix is all tables of a page.
type matrix struct {
	Filter filter
	To     string // the page, for the form
	Tables []table
	Shown  int // pipelines
	All    int
	Repos  bool // rows name their repository
	Names  []string
}

// table is a group of pipelines with the same environments.
type table struct {
	Columns []column
	Rows    []row
}

type column struct {
	Name       string
	Production bool
}

// Tag says whether the name does not tell by itself that it is production.
func (c column) Tag() bool { return c.Production && !strings.Contains(strings.ToLower(c.Name), "prod") }

type row struct {
	To, Title, Repo string
	Cells           []cell
}

// cell is what stands in one environment of one pipeline.
type cell struct {
	Absent bool // the pipeline has no such environment
	Title  string
	Since  time.Time
	Class  string // its tone; "" for nothing to say
	Word   string
	To     string
	Behind int
	Pull   pair
}

func newMatrix(repositories []view.Repository, f filter, to string) matrix {
	m := matrix{Filter: f, To: to, Repos: len(repositories) > 1}
	var shapes [][]view.Environment // of each table, the longest of its pipelines
	type placed struct {
		repository *view.Repository
		pipeline   *view.Pipeline
		shown      []view.Environment
	}
	var all []placed
	names := map[string]bool{}
	for i := range repositories {
		of := &repositories[i]
		for j := range of.Pipelines {
			p := &of.Pipelines[j]
			m.All++
			shown := slices.DeleteFunc(slices.Clone(p.Environments), func(e view.Environment) bool {
				names[e.Name] = true
				return !f.environment(&e)
			})
			if len(shown) == 0 || !f.words(of, p) || !slices.ContainsFunc(shown, func(e view.Environment) bool { return f.state(&e) }) {
				continue
			}
			all = append(all, placed{of, p, shown})
			shapes = append(shapes, shown)
		}
	}
	m.Shown = len(all)
	for name := range names {
		m.Names = append(m.Names, name)
	}
	slices.Sort(m.Names)
	slices.SortStableFunc(shapes, func(a, b []view.Environment) int { return cmp.Compare(len(b), len(a)) })
	for _, shape := range shapes {
		if !slices.ContainsFunc(m.Tables, func(t table) bool { return t.holds(shape) }) {
			m.Tables = append(m.Tables, tableOf(shape))
		}
	}
	for _, one := range all {
		for i := range m.Tables {
			if m.Tables[i].holds(one.shown) {
				m.Tables[i].Rows = append(m.Tables[i].Rows, m.row(m.Tables[i].Columns, one.repository, one.pipeline, one.shown))
				break
			}
		}
	}
	return m
}

func tableOf(shape []view.Environment) table {
	var t table
	for _, e := range shape {
		t.Columns = append(t.Columns, column{e.Name, e.Production})
	}
	return t
}

// holds says whether the table has a column for each of the environments.
func (t table) holds(shape []view.Environment) bool {
	for _, e := range shape {
		if !slices.Contains(t.Columns, column{e.Name, e.Production}) {
			return false
		}
	}
	return true
}

func (m matrix) row(columns []column, r *view.Repository, p *view.Pipeline, shown []view.Environment) row {
	out := row{To: pipePath(r, p.Key), Title: cmp.Or(p.Title, p.Key, r.Name)}
	if m.Repos {
		out.Repo = r.Owner + "/" + r.Name
	}
	for _, c := range columns {
		at := slices.IndexFunc(shown, func(e view.Environment) bool { return e.Name == c.Name })
		if at < 0 {
			out.Cells = append(out.Cells, cell{Absent: true})
			continue
		}
		out.Cells = append(out.Cells, cellOf(r, &shown[at]))
	}
	return out
}

func cellOf(r *view.Repository, e *view.Environment) cell {
	c := cell{Behind: e.Behind}
	if l := e.Current; l != nil {
		c.Title, c.Since = cmp.Or(l.Title, short(l.Revision)), l.Since
	}
	s := standingOf(*e)
	switch {
	case e.Needs != "":
		c.Class, c.Word = "w", "needs you"
		if s.Tone == "bad" {
			c.Class = "b"
		}
		if s.Tone == "bad" || e.Hold != nil {
			c.Word = strings.ToLower(s.Text) + ", needs you"
		}
	case s.Tone != "ok":
		c.Class, c.Word = s.Tone[:1], strings.ToLower(s.Text)
	}
	if c.Word != "" {
		c.To = envPath(r, e.Pipeline, e.Name)
	}
	if p := e.Promotion; p != nil && p.Ended.IsZero() && p.PullRequest != 0 {
		c.Pull = pullOf(p.URL, p.PullRequest)
	}
	return c
}
