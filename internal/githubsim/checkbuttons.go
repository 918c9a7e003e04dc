package githubsim

// The buttons of check runs, as people press them on GitHub's pages: an App's own
// ones, and "Re-run". Rules:
//
//   - An App's buttons are shown on completed runs only, to people with write
//     access, and GitHub tells the App that made them and nobody else ("check_run",
//     Webhook events and payloads: requested_action, rerequested).
//   - A press changes nothing by itself: the run stays as it is.
//   - The simulator's pages know nobody: whoever presses says who they are.

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// PressButton presses a button of a check run in a person's name: one that it has,
// or had on a page that nobody has refreshed since.
func (s *Server) PressButton(repo, login string, runID int64, identifier string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, run, u, err := s.presses(repo, login, runID)
	if err != nil {
		return err
	}
	state := s.seen(*run.state())
	if state.status != checkCompleted && !s.habits.Checks.ButtonsAlways {
		return fmt.Errorf("the check run %d is %s: its buttons are shown once it is completed", runID, state.status)
	}
	shown := func(v checkState) bool {
		return slices.ContainsFunc(v.actions, func(a checkAction) bool { return a.Identifier == identifier })
	}
	if !slices.ContainsFunc(run.versions, shown) {
		return fmt.Errorf("the check run %d has no button %q", runID, identifier)
	}
	s.emitCheckRun(r, run, "requested_action", u, obj{"requested_action": obj{"identifier": identifier}})
	return nil
}

// RerunCheck presses "Re-run" on a check run in a person's name.
func (s *Server) RerunCheck(repo, login string, runID int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, run, u, err := s.presses(repo, login, runID)
	if err != nil {
		return err
	}
	s.rerequestRun(r, run, u)
	return nil
}

// presses finds what someone presses, who may. Called with Server.mu held.
func (s *Server) presses(repo, login string, runID int64) (*repository, *checkRun, *user, error) {
	r, err := s.lookup(repo)
	if err != nil {
		return nil, nil, nil, err
	}
	run, u := r.activity.runByID[runID], s.user(login)
	switch {
	case run == nil:
		return nil, nil, nil, fmt.Errorf("no check run %d in %s", runID, repo)
	case u == nil || u.kind != kindUser:
		return nil, nil, nil, fmt.Errorf("no person %q", login)
	case r.roleOf(u) < RoleWrite:
		return nil, nil, nil, fmt.Errorf("%s sees no buttons: they ask for write access to %s", login, repo)
	}
	return r, run, u, nil
}

// mayPress are those who see the buttons of a repository's check runs. Called
// with Server.mu held.
func (s *Server) mayPress(r *repository) []string {
	return slices.DeleteFunc(s.peopleOf(""), func(login string) bool { return r.roleOf(s.user(login)) < RoleWrite })
}

// pressByPage presses what a form of a check run's page says, and shows the page
// again.
func (s *Server) pressByPage(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		s.writePage(w, http.StatusNotFound, "missing", page{Title: "Not found"})
		return
	}
	repo, person := r.PathValue("owner")+"/"+r.PathValue("repo"), r.PostFormValue("person")
	if identifier := r.PostFormValue("button"); identifier != "" {
		err = s.PressButton(repo, person, id, identifier)
	} else {
		err = s.RerunCheck(repo, person, id)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	http.Redirect(w, r, "/"+escapePath(repo)+"/runs/"+strconv.FormatInt(id, 10), http.StatusSeeOther)
}
