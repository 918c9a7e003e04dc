package githubsim

// The list of what the server answers, one line per subject. A subject adds
// its routes in a method of its own, in its own file, with Server.handle.

import "net/http"

// registerRoutes fills the router. Called once, by New.
func (s *Server) registerRoutes() {
	s.appRoutes()
	s.rateLimitRoutes()
	s.repositoryRoutes()
	s.branchRoutes()
	s.protectionRoutes()
	s.branchRuleRoutes()
	s.refRoutes()
	s.gitDataRoutes()
	s.commitRoutes()
	s.contentRoutes()
	s.pullRoutes()
	s.mergeRoutes()
	s.reviewRoutes()
	s.activityRoutes()
}

// layers are the handlers around the dispatcher, the innermost first: faults
// and the journal.
func (s *Server) layers() []func(http.Handler) http.Handler {
	return s.activityLayers()
}
