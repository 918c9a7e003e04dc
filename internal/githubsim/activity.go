package githubsim

// What stands around the core: state of checks, statuses, deployments,
// comments, releases, teams, deliveries and the journal. The core (model.go)
// only holds these structs; the files that fill them own their fields.

import (
	"net/http"
	"time"
)

// CheckHabits are GitHub's habits with checks, statuses and deployments.
type CheckHabits struct {
	// ListLag is how far the list of a commit's check runs lags behind
	// writes, by the server's clock. Reading one check run never lags.
	ListLag time.Duration
	// StaleAfter is when an incomplete check run becomes stale; 0 is never.
	// (About status checks: "after 14 days".)
	StaleAfter time.Duration
	// Reopen lets a completed check run be set to queued or in progress
	// again. GitHub answers 200 and leaves status and conclusion as they are.
	Reopen bool
	// ButtonsAlways shows the buttons of check runs that are not completed.
	ButtonsAlways bool
}

func defaultCheckHabits() CheckHabits {
	return CheckHabits{StaleAfter: 14 * 24 * time.Hour}
}

// serverActivity is state of the whole server. The journal, the faults and the
// latency have locks of their own; the rest is guarded by Server.mu.
type serverActivity struct {
	journal    journal
	faults     faults
	latency    latency
	hookFaults []*armedHook
	watchers   []*hookWatcher
	teams      map[string]*team // lower-case organization/slug
	held       heldHooks
	scripts    scripts
	converting map[string]conversion // Apps made of a manifest, by code
	oauth      oauth
}

// repositoryActivity is state of one repository, guarded by Server.mu. Its
// maps are made when first written.
type repositoryActivity struct {
	suites      map[string][]*checkSuite // by commit, in the order of creation
	suiteByID   map[int64]*checkSuite
	runByID     map[int64]*checkRun
	statuses    map[string][]*commitStatus // by commit, in the order of creation
	deployments []*deployment
	commentByID map[int64]*comment
	releases    []*release
	customRoles map[string]string // lower-case login → name of a custom role

	workflows    []*workflow
	workflowRuns []*workflowRun // in the order of creation
}

// issueActivity is state of one issue or pull request, guarded by Server.mu.
type issueActivity struct {
	comments    []*comment // in the order of creation
	reactions   []*reaction
	stateReason string
}

// activityRoutes are the operations of everything held here.
func (s *Server) activityRoutes() {
	s.checkRoutes()
	s.statusRoutes()
	s.deploymentRoutes()
	s.issueRoutes()
	s.assigneeRoutes()
	s.commentRoutes()
	s.labelRoutes()
	s.teamRoutes()
	s.releaseRoutes()
	s.dispatchRoutes()
	s.workflowRoutes()
	s.deliveryRoutes()
	s.manifestRoutes()
	s.hooks.intercept = s.interceptHooks
	s.pages = s.pageHandler()
}

// activityLayers are the layers around the dispatcher, the innermost first.
func (s *Server) activityLayers() []func(http.Handler) http.Handler {
	return []func(http.Handler) http.Handler{s.faultLayer, s.latencyLayer, s.journalLayer}
}

// put writes into a map that may not be there yet.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}
