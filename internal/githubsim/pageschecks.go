package githubsim

// Checks as pages show them.

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

type checkView struct {
	ID                     int64
	Name, App, Mark, State string // Mark is passed, failed, pending or neutral
	Title, Summary, Text   string
	DetailsURL, SHA        string
	Status                 bool // a commit status, no check run
	Started, Completed     time.Time
	Actions                []checkAction
	Repo                   string   // owner/name
	People                 []string // who may press its buttons
	Annotations            []obj
}

// viewChecks are the newest check run of each name and the newest status of
// each context on a commit.
func (s *Server) viewChecks(r *repository, sha string) []checkView {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checksOf(r, sha)
}

func (s *Server) checksOf(r *repository, sha string) []checkView {
	var out []checkView
	for _, suite := range r.activity.suites[sha] {
		known := map[string]bool{}
		for _, run := range slices.Backward(suite.runs) {
			if name := run.state().name; !known[name] {
				known[name] = true
				out = append(out, s.checkViewOf(r, run))
			}
		}
	}
	for _, st := range r.latestStatuses(sha) {
		v := checkView{Name: st.context, App: st.creator.login, Title: st.description, DetailsURL: st.targetURL, Status: true, SHA: sha, State: st.state, Started: st.at}
		v.Mark = map[string]string{"success": "passed", "pending": "pending"}[st.state]
		if v.Mark == "" {
			v.Mark = "failed"
		}
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b checkView) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (s *Server) checkViewOf(r *repository, run *checkRun) checkView {
	state := s.seen(*run.state())
	v := checkView{
		ID: run.id, Name: state.name, App: run.suite.app.Name, State: state.status, Title: state.title, Summary: state.summary,
		Text: state.text, DetailsURL: state.detailsURL, SHA: run.suite.head.id, Started: state.startedAt, Completed: state.completedAt,
		Annotations: state.annotations, Mark: "pending", Repo: r.fullName(), People: s.mayPress(r),
	}
	if state.status == checkCompleted || s.habits.Checks.ButtonsAlways {
		v.Actions = state.actions
	}
	if state.status == checkCompleted {
		v.State = state.conclusion
		switch state.conclusion {
		case "success":
			v.Mark = "passed"
		case "neutral", "skipped", "stale":
			v.Mark = "neutral"
		default:
			v.Mark = "failed"
		}
	}
	return v
}

func (s *Server) viewRun(r *repository, id int64) *checkView {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := r.activity.runByID[id]
	if run == nil {
		return nil
	}
	v := s.checkViewOf(r, run)
	return &v
}

// markOf sums up checks: one that failed counts before one that is pending.
func markOf(checks []checkView) (mark, detail string) {
	if len(checks) == 0 {
		return "none", "no checks"
	}
	good, count := 0, map[string]int{}
	for _, c := range checks {
		count[c.Mark]++
		if c.Mark == "passed" || c.Mark == "neutral" {
			good++
		}
	}
	mark = "passed"
	switch {
	case count["failed"] > 0:
		mark = "failed"
	case count["pending"] > 0:
		mark = "pending"
	case count["passed"] == 0:
		mark = "neutral"
	}
	return mark, fmt.Sprintf("%d of %d checks OK", good, len(checks))
}
