package githubsim

// Check suites: one per App and commit (of GitHub Actions, one per workflow run),
// made when a commit is pushed or when the App writes its first run (REST API
// endpoints for check suites), and the events of checks.

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// checkSuite is all that one App says about one commit.
type checkSuite struct {
	id            int64
	app           *app
	head          commit
	branch        string // "" when not pushed to a branch
	before, after string
	createdAt     time.Time
	updatedAt     time.Time
	runs          []*checkRun // in the order of creation
	rerequested   bool        // and nothing was reported since
}

// latest is the newest run of a name, or nil.
func (suite *checkSuite) latest(name string) *checkRun {
	for _, run := range slices.Backward(suite.runs) {
		if run.state().name == name {
			return run
		}
	}
	return nil
}

// forgetOldest deletes the oldest run of a name beyond GitHub's limit.
func (suite *checkSuite) forgetOldest(r *repository, name string) {
	count, oldest := 0, -1
	for i, run := range suite.runs {
		if run.state().name == name {
			count++
			if oldest < 0 {
				oldest = i
			}
		}
	}
	if count > maxRunsPerName {
		delete(r.activity.runByID, suite.runs[oldest].id)
		suite.runs = slices.Delete(suite.runs, oldest, oldest+1)
	}
}

// suiteFor finds or makes the App's suite for a commit.
func (s *Server) suiteFor(r *repository, a *app, head commit, branch, before, after string) *checkSuite {
	for _, suite := range r.activity.suites[head.id] {
		if suite.app == a {
			return suite
		}
	}
	return s.newSuite(r, a, head, branch, before, after)
}

// newSuite makes another suite of an App for a commit.
func (s *Server) newSuite(r *repository, a *app, head commit, branch, before, after string) *checkSuite {
	if branch == "" {
		branch = branchAt(r, head.id)
	}
	suite := &checkSuite{
		id: s.next("check suite"), app: a, head: head, branch: branch, before: before, after: after,
		createdAt: s.now(), updatedAt: s.now(),
	}
	put(&r.activity.suites, head.id, append(r.activity.suites[head.id], suite))
	put(&r.activity.suiteByID, suite.id, suite)
	return suite
}

// branchAt is a branch whose tip is a commit, the default branch before
// others, or "".
func branchAt(r *repository, sha string) string {
	if r.refs["refs/heads/"+r.defaultBranch] == sha {
		return r.defaultBranch
	}
	found := ""
	for name, id := range r.refs {
		branch, is := strings.CutPrefix(name, "refs/heads/")
		if is && id == sha && (found == "" || branch < found) {
			found = branch
		}
	}
	return found
}

// suiteState sums up the newest run of each name: queued while there is none,
// completed with the worst conclusion.
func (s *Server) suiteState(suite *checkSuite) (status, conclusion string) {
	// From the worst to the best.
	order := []string{"failure", "timed_out", "action_required", "cancelled", "stale", "success", "neutral", "skipped"}
	worst := len(order)
	known := map[string]bool{}
	for _, run := range slices.Backward(suite.runs) {
		state := s.seen(*run.state())
		if known[state.name] {
			continue
		}
		known[state.name] = true
		if state.status != checkCompleted {
			return checkInProgress, ""
		}
		worst = min(worst, slices.Index(order, state.conclusion))
	}
	if len(known) == 0 || suite.rerequested {
		return checkQueued, ""
	}
	return checkCompleted, order[worst]
}

func (s *Server) checkSuite(c *call) (*checkSuite, error) {
	id, err := c.id("check_suite_id")
	if err != nil {
		return nil, err
	}
	suite := c.repo.activity.suiteByID[id]
	if suite == nil {
		return nil, notFound()
	}
	return suite, nil
}

func (s *Server) getCheckSuite(c *call) (reply, error) {
	suite, err := s.checkSuite(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.checkSuiteJSON(c.repo, suite)), nil
}

func (s *Server) listCheckSuites(c *call) (reply, error) {
	head, err := c.commitNamed(c.param("ref"))
	if err != nil {
		return reply{}, err
	}
	list := slices.DeleteFunc(slices.Clone(c.repo.activity.suites[head.id]), func(suite *checkSuite) bool {
		if id := c.query("app_id"); id != "" && id != formatID(suite.app.ID) {
			return true
		}
		name := c.query("check_name")
		return name != "" && suite.latest(name) == nil
	})
	return ok(obj{
		"total_count":  len(list),
		"check_suites": render(paginate(c, list), func(suite *checkSuite) obj { return s.checkSuiteJSON(c.repo, suite) }),
	}), nil
}

func (s *Server) createCheckSuite(c *call) (reply, error) {
	a, err := onlyApps(c)
	if err != nil {
		return reply{}, err
	}
	var in struct {
		HeadSHA string `json:"head_sha"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.HeadSHA == "" {
		return reply{}, invalidRequest(`"head_sha" wasn't supplied.`)
	}
	head, err := c.commitNamed(in.HeadSHA)
	if err != nil {
		return reply{}, err
	}
	known := len(c.repo.activity.suites[head.id])
	suite := s.suiteFor(c.repo, a, head, "", "", "")
	if len(c.repo.activity.suites[head.id]) == known {
		return ok(s.checkSuiteJSON(c.repo, suite)), nil
	}
	return created(s.checkSuiteJSON(c.repo, suite)), nil
}

// checkSuiteJSON is a check-suite.
func (s *Server) checkSuiteJSON(r *repository, suite *checkSuite) obj {
	status, conclusion := s.suiteState(suite)
	person := func(sig signature) obj { return obj{"name": sig.name, "email": sig.email} }
	return obj{
		"id": suite.id, "node_id": nodeID("CheckSuite", suite.id), "head_branch": orNull(suite.branch), "head_sha": suite.head.id,
		"status": status, "conclusion": orNull(conclusion), "url": r.api(s, "/check-suites/%d", suite.id),
		"before": orNull(suite.before), "after": orNull(suite.after), "pull_requests": s.pullsAt(r, suite.head.id),
		"app": s.appJSON(suite.app), "repository": s.repositoryJSON(r), "created_at": stamp(suite.createdAt),
		"updated_at": stamp(suite.updatedAt), "latest_check_runs_count": len(suite.runs),
		"check_runs_url": r.api(s, "/check-suites/%d/check-runs", suite.id), "rerequestable": true, "runs_rerequestable": true,
		"head_commit": obj{
			"id": suite.head.id, "tree_id": suite.head.tree, "message": suite.head.message,
			"timestamp": stamp(suite.head.committer.when), "author": person(suite.head.author), "committer": person(suite.head.committer),
		},
	}
}

// suiteHookJSON is a check suite as its own events carry it.
func (s *Server) suiteHookJSON(r *repository, suite *checkSuite) obj {
	out := s.checkSuiteJSON(r, suite)
	delete(out, "repository") // it stands beside
	return out
}

// runHookJSON is a check run as its events carry it, with its suite in short.
func (s *Server) runHookJSON(r *repository, run *checkRun) obj {
	out := s.checkRunJSON(r, run, *run.state())
	suite := s.checkSuiteJSON(r, run.suite)
	for _, name := range []string{"latest_check_runs_count", "check_runs_url", "head_commit", "rerequestable", "runs_rerequestable", "repository"} {
		delete(suite, name)
	}
	out["check_suite"] = suite
	return out
}

// emitCheckRun tells about a run. What only its App may hear (rerequested,
// requested_action) goes to that App alone (Webhook events: check_run).
func (s *Server) emitCheckRun(r *repository, run *checkRun, action string, sender *user, more obj) {
	payload := obj{"check_run": s.runHookJSON(r, run)}
	maps.Copy(payload, more)
	only := run.suite.app
	if action == "created" || action == "completed" {
		only = nil
	}
	s.emitOnly(only, r, "check_run", action, sender, payload)
}

// emitCheckSuite tells about a suite: completed to all, the rest to its App.
func (s *Server) emitCheckSuite(r *repository, suite *checkSuite, action string, sender *user) {
	only := suite.app
	if action == "completed" {
		only = nil
	}
	s.emitOnly(only, r, "check_suite", action, sender, obj{"check_suite": s.suiteHookJSON(r, suite)})
}

func (s *Server) rerequestCheckRun(c *call) (reply, error) {
	run, err := s.checkRun(c)
	if err != nil {
		return reply{}, err
	}
	s.rerequestRun(c.repo, run, c.actor)
	return created(obj{}), nil
}

// rerequestRun asks a run's App to do it again. The suite is queued again, the
// run itself stays as it is (Rerequest a check run).
func (s *Server) rerequestRun(r *repository, run *checkRun, sender *user) {
	run.suite.rerequested = true
	s.emitCheckRun(r, run, "rerequested", sender, nil)
}

func (s *Server) rerequestCheckSuite(c *call) (reply, error) {
	suite, err := s.checkSuite(c)
	if err != nil {
		return reply{}, err
	}
	suite.rerequested = true
	s.emitCheckSuite(c.repo, suite, "rerequested", c.actor)
	return created(obj{}), nil
}

// commitPushed is called when a branch moved to a commit: every App that may
// write checks gets a suite and is asked for its runs, scripted checks are put
// on the clock, and workflows begin. Called with Server.mu held.
func (s *Server) commitPushed(r *repository, branch, before string, head commit, sender *user) {
	for _, inst := range s.sortedInstallations() {
		if !inst.suspendedAt.IsZero() || !inst.covers(r) || inst.permissions["checks"] != "write" {
			continue
		}
		known := len(r.activity.suites[head.id])
		suite := s.suiteFor(r, inst.app, head, branch, before, head.id)
		if len(r.activity.suites[head.id]) > known {
			s.emitCheckSuite(r, suite, "requested", sender)
		}
	}
	s.scheduleScripts(r, branch, head)
	s.pushedTo(r, branch, head, sender)
}
