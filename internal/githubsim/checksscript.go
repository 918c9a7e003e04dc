package githubsim

// Checks by themselves: a scripted CI system that reports on every pushed
// commit some time later, and what people do to checks in the browser.

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// ScriptedCheck is a CI system of an App: for each commit pushed to a branch
// it posts a check run after a while, and completes it after another. A check
// that never appears has no script.
type ScriptedCheck struct {
	// App is the id of the App that reports; it must be installed.
	App int64
	// Repo is owner/name, Branch a pattern as of path.Match; any when empty.
	Repo, Branch string
	// Name is that of the check run, or the context of the status.
	Name string
	// AsStatus posts commit statuses instead of a check run.
	AsStatus bool
	// After is when it appears, Takes how long it is in progress; by the
	// server's clock (see Poke).
	After, Takes time.Duration
	// Conclude is the conclusion for a commit; "" leaves it in progress for
	// ever. When nil, it is "success".
	Conclude func(repo, branch, sha string) string
}

// scripts are the scripted checks and what they will do.
type scripts struct {
	rules   []*ScriptedCheck
	due     []scriptStep // by time
	changed chan struct{}
}

// scriptStep is something to do at a time, with Server.mu held.
type scriptStep struct {
	at time.Time
	do func()
}

// ScriptChecks adds a scripted check, for pushes from now on.
func (s *Server) ScriptChecks(check ScriptedCheck) error {
	if _, err := path.Match(check.Branch, ""); err != nil {
		return fmt.Errorf("the branch %q of a scripted check is no pattern: %w", check.Branch, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps[check.App] == nil {
		return fmt.Errorf("no App %d", check.App)
	}
	if s.closed {
		return errors.New("the server is closed")
	}
	s.activity.scripts.rules = append(s.activity.scripts.rules, &check)
	return nil
}

// scheduleScripts puts the scripted checks of a pushed commit on the clock.
func (s *Server) scheduleScripts(r *repository, branch string, head commit) {
	for _, rule := range s.activity.scripts.rules {
		if rule.Repo != "" && rule.Repo != r.fullName() {
			continue
		}
		if matched, err := path.Match(rule.Branch, branch); rule.Branch != "" && (err != nil || !matched) {
			continue
		}
		s.schedule(rule.After, func() { s.startScript(rule, r, branch, head) })
	}
}

func (s *Server) schedule(after time.Duration, do func()) {
	box := &s.activity.scripts
	if s.closed {
		return
	}
	if box.changed == nil {
		box.changed = make(chan struct{}, 1)
		s.owned.Go(s.runScripts)
	}
	step := scriptStep{at: s.clock().Add(after), do: do}
	at, _ := slices.BinarySearchFunc(box.due, step, func(a, b scriptStep) int {
		if a.at.After(b.at) {
			return 1
		}
		return -1 // the same time: behind
	})
	box.due = slices.Insert(box.due, at, step)
	box.wake()
}

func (box *scripts) wake() {
	if box.changed == nil {
		return
	}
	select {
	case box.changed <- struct{}{}:
	default: // it has been told already
	}
}

// startScript posts a scripted check and schedules its end.
func (s *Server) startScript(rule *ScriptedCheck, r *repository, branch string, head commit) {
	a := s.apps[rule.App]
	if a == nil || r.deleted {
		return
	}
	conclusion := "success"
	if rule.Conclude != nil {
		conclusion = rule.Conclude(r.fullName(), branch, head.id)
	}
	if rule.AsStatus {
		post := func(state string) {
			// A context that is full takes no more, as on GitHub.
			_ = s.addStatus(r, head, &commitStatus{state: state, context: rule.Name, creator: a.bot, app: a.ID})
		}
		post("pending")
		if conclusion != "" {
			s.schedule(rule.Takes, func() { post(statusOf(conclusion)) })
		}
		return
	}
	status := checkInProgress
	run := s.addCheckRun(r, a, head, &checkInput{Name: &rule.Name, Status: &status})
	if conclusion != "" {
		s.schedule(rule.Takes, func() { s.changeCheckRun(r, run, &checkInput{Conclusion: &conclusion}) })
	}
}

func statusOf(conclusion string) string {
	switch conclusion {
	case "success", "neutral", "skipped":
		return "success"
	}
	return "failure"
}

// runScripts does what is due until Close.
func (s *Server) runScripts() {
	for {
		s.mu.Lock()
		box := &s.activity.scripts
		var wait time.Duration
		for {
			if len(box.due) == 0 {
				wait = 0
				break
			}
			if wait = box.due[0].at.Sub(s.clock()); wait > 0 {
				break
			}
			step := box.due[0]
			box.due = box.due[1:]
			step.do()
		}
		s.mu.Unlock()
		var due <-chan time.Time
		var timer *time.Timer
		if wait > 0 {
			timer = time.NewTimer(wait)
			due = timer.C
		}
		select {
		case <-box.changed:
		case <-due:
		case <-s.life.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if s.life.Err() != nil {
			return
		}
	}
}

// CheckPost is a check run as PostCheck writes it.
type CheckPost struct {
	App  int64 // the App's id
	Name string
	// Conclusion completes the run; empty leaves it in progress.
	Conclusion           string
	Title, Summary, Text string
}

// PostCheck posts a check run of an App on a commit, as its API would, and
// returns its id.
func (s *Server) PostCheck(repo, sha string, post CheckPost) (int64, error) {
	s.mu.Lock()
	r, err := s.lookup(repo)
	if err != nil {
		s.mu.Unlock()
		return 0, err
	}
	st := r.store
	s.mu.Unlock()
	head, err := st.commit(sha)
	if err != nil {
		return 0, fmt.Errorf("no commit %s in %s: %w", sha, repo, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[post.App]
	if a == nil {
		return 0, fmt.Errorf("no App %d", post.App)
	}
	status := checkInProgress
	in := &checkInput{Name: &post.Name, HeadSHA: &head.id, Status: &status}
	if post.Conclusion != "" {
		in.Conclusion, in.Status = &post.Conclusion, nil
	}
	if post.Title != "" {
		in.Output = &checkOutput{Title: &post.Title, Summary: &post.Summary, Text: &post.Text}
	}
	if err := in.validate(true); err != nil {
		return 0, err
	}
	return s.addCheckRun(r, a, head, in).id, nil
}

// ClickAction is a person pressing a check run's button. It fails when the
// button is not shown, or the person may not press it.
func (s *Server) ClickAction(repo string, run int64, identifier, login string) error {
	return s.click(repo, run, login, func(r *repository, one *checkRun, who *user) error {
		state := s.seen(*one.state())
		if state.status != checkCompleted && !s.habits.Checks.ButtonsAlways {
			return fmt.Errorf("the check run %d shows no buttons: it is %s", run, state.status)
		}
		if !slices.ContainsFunc(state.actions, func(a checkAction) bool { return a.Identifier == identifier }) {
			return fmt.Errorf("the check run %d has no button %q", run, identifier)
		}
		s.emitCheckRun(r, one, "requested_action", who, obj{"requested_action": obj{"identifier": identifier}})
		return nil
	})
}

// ClickRerun is a person asking for a check run again.
func (s *Server) ClickRerun(repo string, run int64, login string) error {
	return s.click(repo, run, login, func(r *repository, one *checkRun, who *user) error {
		if s.seen(*one.state()).status != checkCompleted {
			return fmt.Errorf("the check run %d is not completed", run)
		}
		s.rerequestRun(r, one, who)
		return nil
	})
}

func (s *Server) click(repo string, run int64, login string, do func(*repository, *checkRun, *user) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	one, who := r.activity.runByID[run], s.user(login)
	if one == nil || who == nil {
		return fmt.Errorf("no check run %d in %s, or no user %q", run, repo, login)
	}
	if r.roleOf(who) < RoleWrite {
		return fmt.Errorf("%s may not write to %s, so sees no buttons", login, repo)
	}
	return do(r, one, who)
}
