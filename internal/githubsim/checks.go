package githubsim

// Check runs: reading them (REST API endpoints for check runs). Rules:
//
//   - A list shows the newest run of each name and App (filter=latest), and
//     may lag; a single run never lags.
//   - An incomplete run becomes stale when nobody touches it for 14 days.
//   - Writing is in checkswrite.go, suites are in checksuites.go.

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The states of a check run.
const (
	checkQueued     = "queued"
	checkInProgress = "in_progress"
	checkCompleted  = "completed"
)

// checkRun is one check run. Its state is a list of versions, for lists that
// lag; the last one is the truth.
type checkRun struct {
	id        int64
	suite     *checkSuite
	createdAt time.Time
	versions  []checkState
}

// checkState is what may change of a check run.
type checkState struct {
	at                   time.Time // when it became so
	name                 string
	externalID           string
	detailsURL           string
	status, conclusion   string
	startedAt            time.Time
	completedAt          time.Time
	title, summary, text string
	annotations          []obj
	actions              []checkAction
	touched              time.Time // of the last write, for staleness
	hasTitle, hasText    bool
	hasSummary           bool
}

// checkAction is a button of a check run.
type checkAction struct {
	Label       string `json:"label"`
	Description string `json:"description"`
	Identifier  string `json:"identifier"`
}

// keptVersions bounds what is remembered of a check run for lists that lag.
const keptVersions = 32

// state is the run's present state.
func (run *checkRun) state() *checkState { return &run.versions[len(run.versions)-1] }

// change appends a version for f to fill in.
func (run *checkRun) change(at time.Time, f func(*checkState)) {
	next := *run.state()
	next.at, next.touched = at, at
	f(&next)
	if len(run.versions) >= keptVersions {
		run.versions = slices.Clone(run.versions[1:])
	}
	run.versions = append(run.versions, next)
}

// asOf is the state that lists show at a time; nil if the run was not there.
func (run *checkRun) asOf(at time.Time) *checkState {
	for i := len(run.versions) - 1; i >= 0; i-- {
		if !run.versions[i].at.After(at) {
			return &run.versions[i]
		}
	}
	return nil
}

// seen is a state with staleness applied.
func (s *Server) seen(state checkState) checkState {
	after := s.habits.Checks.StaleAfter
	if after > 0 && state.status != checkCompleted && s.now().Sub(state.touched) >= after {
		state.status, state.conclusion = checkCompleted, "stale"
		state.completedAt = state.touched.Add(after)
	}
	return state
}

func (s *Server) checkRoutes() {
	read := need{app: reads("checks"), role: RoleRead}
	write := need{app: writes("checks"), role: RoleWrite}
	create := need{app: writes("checks"), role: RoleWrite}
	s.handle("POST", "/repos/{owner}/{repo}/check-runs", create, s.createCheckRun)
	s.handle("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}", write, s.updateCheckRun)
	s.handle("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}", read, s.getCheckRun)
	s.handle("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations", read, s.listAnnotations)
	s.handle("POST", "/repos/{owner}/{repo}/check-runs/{check_run_id}/rerequest", write, s.rerequestCheckRun)
	s.handle("GET", "/repos/{owner}/{repo}/commits/{ref...}/check-runs", read, s.listCheckRunsOfCommit)
	s.handle("GET", "/repos/{owner}/{repo}/commits/{ref...}/check-suites", read, s.listCheckSuites)
	s.handle("POST", "/repos/{owner}/{repo}/check-suites", create, s.createCheckSuite)
	s.handle("GET", "/repos/{owner}/{repo}/check-suites/{check_suite_id}", read, s.getCheckSuite)
	s.handle("GET", "/repos/{owner}/{repo}/check-suites/{check_suite_id}/check-runs", read, s.listCheckRunsOfSuite)
	s.handle("POST", "/repos/{owner}/{repo}/check-suites/{check_suite_id}/rerequest", write, s.rerequestCheckSuite)
}

// checkRun finds the run of the path.
func (s *Server) checkRun(c *call) (*checkRun, error) {
	id, err := c.id("check_run_id")
	if err != nil {
		return nil, err
	}
	run := c.repo.activity.runByID[id]
	if run == nil {
		return nil, notFound()
	}
	return run, nil
}

func (s *Server) getCheckRun(c *call) (reply, error) {
	run, err := s.checkRun(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.checkRunJSON(c.repo, run, *run.state())), nil
}

func (s *Server) listAnnotations(c *call) (reply, error) {
	run, err := s.checkRun(c)
	if err != nil {
		return reply{}, err
	}
	return ok(paginate(c, append([]obj{}, run.state().annotations...))), nil
}

func (s *Server) listCheckRunsOfCommit(c *call) (reply, error) {
	head, err := c.commitNamed(c.param("ref"))
	if err != nil {
		return reply{}, err
	}
	return s.listCheckRuns(c, c.repo.activity.suites[head.id])
}

func (s *Server) listCheckRunsOfSuite(c *call) (reply, error) {
	suite, err := s.checkSuite(c)
	if err != nil {
		return reply{}, err
	}
	return s.listCheckRuns(c, []*checkSuite{suite})
}

// listCheckRuns lists the runs of suites, newest first, as far as the list
// knows of them.
func (s *Server) listCheckRuns(c *call, suites []*checkSuite) (reply, error) {
	var appID int64
	if text := c.query("app_id"); text != "" {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return reply{}, invalid(fieldError{Resource: "CheckRun", Field: "app_id", Code: "invalid"})
		}
		appID = id
	}
	asOf := c.now.Add(-s.habits.Checks.ListLag)
	latest := c.query("filter") != "all"
	type shown struct {
		run   *checkRun
		state checkState
	}
	var list []shown
	for _, suite := range suites {
		if appID != 0 && suite.app.ID != appID {
			continue
		}
		known := map[string]bool{}
		for _, run := range slices.Backward(suite.runs) {
			state := run.asOf(asOf)
			if state == nil {
				continue
			}
			if latest && known[state.name] {
				continue
			}
			known[state.name] = true
			visible := s.seen(*state)
			if name := c.query("check_name"); name != "" && name != visible.name {
				continue
			}
			if status := c.query("status"); status != "" && status != visible.status {
				continue
			}
			list = append(list, shown{run, visible})
		}
	}
	slices.SortStableFunc(list, func(a, b shown) int { return int(b.run.id - a.run.id) })
	return ok(obj{
		"total_count": len(list),
		"check_runs": render(paginate(c, list), func(one shown) obj {
			return s.checkRunJSON(c.repo, one.run, one.state)
		}),
	}), nil
}

// checkRunJSON is a check-run.
func (s *Server) checkRunJSON(r *repository, run *checkRun, state checkState) obj {
	state = s.seen(state)
	return obj{
		"id": run.id, "node_id": nodeID("CheckRun", run.id), "head_sha": run.suite.head.id, "name": state.name,
		"external_id": state.externalID, "url": r.api(s, "/check-runs/%d", run.id), "html_url": r.html(s, "/runs/%d", run.id),
		"details_url": state.detailsURL, "status": state.status, "conclusion": orNull(state.conclusion),
		"started_at": stamp(state.startedAt), "completed_at": stamp(state.completedAt),
		"output": obj{
			"title": present(state.hasTitle, state.title), "summary": present(state.hasSummary, state.summary),
			"text": present(state.hasText, state.text), "annotations_count": len(state.annotations),
			"annotations_url": r.api(s, "/check-runs/%d/annotations", run.id),
		},
		"check_suite": obj{"id": run.suite.id}, "app": s.appJSON(run.suite.app),
		"pull_requests": s.pullsAt(r, run.suite.head.id),
	}
}

func present(has bool, text string) any {
	if !has {
		return nil
	}
	return text
}

// pullsAt are the open pull requests whose head is a commit, in short.
func (s *Server) pullsAt(r *repository, sha string) []obj {
	side := func(ref, sha string) obj {
		return obj{"ref": ref, "sha": sha, "repo": obj{"id": r.id, "url": r.api(s, ""), "name": r.name}}
	}
	out := []obj{}
	for n := 1; n <= r.lastNumber; n++ {
		i := r.issues[n]
		if i == nil || i.pull == nil || i.closed || i.pull.headSHA != sha {
			continue
		}
		out = append(out, obj{
			"id": i.pull.pullID, "number": n, "url": r.api(s, "/pulls/%d", n),
			"head": side(i.pull.headRef, i.pull.headSHA), "base": side(i.pull.baseRef, i.pull.baseSHA),
		})
	}
	return out
}

// commitNamed finds the commit that a branch, a tag, a ref or an object id
// names. Unknown names are 422, as GitHub answers for commits.
func (c *call) commitNamed(name string) (commit, error) {
	expression := ""
	for _, prefix := range []string{"refs/heads/", "refs/tags/", "refs/", ""} {
		if id, found := c.repo.refs[prefix+name]; found && (prefix != "" || strings.HasPrefix(name, "refs/")) {
			expression = id
			break
		}
	}
	if expression == "" {
		if !isObjectID(name) {
			return commit{}, unprocessable("No commit found for SHA: " + name)
		}
		expression = name
	}
	var found commit
	st := c.repo.store
	err := c.git(func() error {
		var err error
		found, err = st.commit(expression)
		return err
	})
	if errors.Is(err, errNoObject) {
		return commit{}, unprocessable("No commit found for SHA: " + name)
	}
	if err != nil {
		return commit{}, fmt.Errorf("reading commit %s: %w", name, err)
	}
	return found, nil
}

// isObjectID tells whether text may be an object id, full or shortened.
func isObjectID(text string) bool {
	if len(text) < 4 || len(text) > 40 {
		return false
	}
	return strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// requiredContext tells how the required check name stands on sha. A non-zero
// app accepts only what that App reported. Called with Server.mu held.
func (s *Server) requiredContext(r *repository, sha, name string, app int64) contextVerdict {
	verdict := contextAbsent
	worse := func(v contextVerdict) {
		// Several Apps may report the same name: the one that holds back counts.
		if verdict == contextAbsent || v < verdict {
			verdict = v
		}
	}
	for _, suite := range r.activity.suites[sha] {
		if app != 0 && suite.app.ID != app {
			continue
		}
		if run := suite.latest(name); run != nil {
			worse(verdictOf(s.seen(*run.state())))
		}
	}
	if status := r.latestStatus(sha, name); status != nil && (app == 0 || status.app == app) {
		switch status.state {
		case "success":
			worse(contextPassed)
		case "pending":
			worse(contextPending)
		default:
			worse(contextFailed)
		}
	}
	return verdict
}

func verdictOf(state checkState) contextVerdict {
	if state.status != checkCompleted {
		return contextPending
	}
	switch state.conclusion {
	case "success", "neutral", "skipped":
		return contextPassed
	}
	return contextFailed
}

// contextVerdict says how one required check stands on a commit.
type contextVerdict int

const (
	contextAbsent  contextVerdict = iota // no check run or status of that name
	contextPending                       // reported, not finished
	contextFailed                        // finished, not a success
	contextPassed                        // success, neutral or skipped
)
