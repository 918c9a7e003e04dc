package githubsim

// Check runs: creating and updating them. Rules:
//
//   - Only Apps write check runs; a user's token is refused.
//   - What is too long or too many is refused in GitHub's words.
//   - A completed run stays completed: setting it to in progress is answered
//     200 and ignored; another conclusion is taken.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of a check run (Create a check run).
const (
	maxCheckText        = 65535
	maxCheckAnnotations = 50
	maxCheckActions     = 3
	maxRunsPerName      = 1000
)

// checkInput is the body of a create or an update. Pointers tell what was
// given.
type checkInput struct {
	Name        *string        `json:"name"`
	HeadSHA     *string        `json:"head_sha"`
	DetailsURL  *string        `json:"details_url"`
	ExternalID  *string        `json:"external_id"`
	Status      *string        `json:"status"`
	StartedAt   *time.Time     `json:"started_at"`
	Conclusion  *string        `json:"conclusion"`
	CompletedAt *time.Time     `json:"completed_at"`
	Output      *checkOutput   `json:"output"`
	Actions     *[]checkAction `json:"actions"`
}

type checkOutput struct {
	Title       *string           `json:"title"`
	Summary     *string           `json:"summary"`
	Text        *string           `json:"text"`
	Annotations []checkAnnotation `json:"annotations"`
}

type checkAnnotation struct {
	Path        string  `json:"path"`
	StartLine   *int    `json:"start_line"`
	EndLine     *int    `json:"end_line"`
	StartColumn *int    `json:"start_column"`
	EndColumn   *int    `json:"end_column"`
	Level       string  `json:"annotation_level"`
	Message     string  `json:"message"`
	Title       *string `json:"title"`
	RawDetails  *string `json:"raw_details"`
}

func invalidRequest(format string, args ...any) error {
	return unprocessable("Invalid request.\n\n" + fmt.Sprintf(format, args...))
}

func tooLong(text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return invalidRequest("Only %d characters are allowed; %d were supplied.", most, n)
	}
	return nil
}

func notMember(value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	quoted := make([]string, len(allowed))
	for i, one := range allowed {
		quoted[i] = strconv.Quote(one)
	}
	return invalidRequest("%q is not a member of [%s].", value, strings.Join(quoted, ", "))
}

var (
	checkStatuses    = []string{checkQueued, checkInProgress, checkCompleted}
	checkConclusions = []string{"success", "failure", "neutral", "cancelled", "timed_out", "action_required", "skipped"}
	annotationLevels = []string{"notice", "warning", "failure"}
)

// validate checks the values that were given; creating says that none was
// there before.
func (in *checkInput) validate(creating bool) error {
	if creating {
		if in.Name == nil || *in.Name == "" {
			return invalidRequest(`"name" wasn't supplied.`)
		}
		if in.HeadSHA == nil || *in.HeadSHA == "" {
			return invalidRequest(`"head_sha" wasn't supplied.`)
		}
	}
	if in.Status != nil {
		if err := notMember(*in.Status, checkStatuses); err != nil {
			return err
		}
		if *in.Status == checkCompleted && in.Conclusion == nil {
			return invalidRequest(`"conclusion" wasn't supplied.`)
		}
	}
	if in.Conclusion != nil {
		if err := notMember(*in.Conclusion, checkConclusions); err != nil {
			return err
		}
	}
	if err := in.validateOutput(creating); err != nil {
		return err
	}
	return in.validateActions()
}

func (in *checkInput) validateOutput(creating bool) error {
	if in.Output == nil {
		return nil
	}
	if in.Output.Summary == nil {
		return invalidRequest(`"summary" wasn't supplied.`)
	}
	if in.Output.Title == nil && creating {
		return invalidRequest(`"title" wasn't supplied.`)
	}
	for _, text := range []*string{in.Output.Summary, in.Output.Text} {
		if text == nil {
			continue
		}
		if err := tooLong(*text, maxCheckText); err != nil {
			return err
		}
	}
	if n := len(in.Output.Annotations); n > maxCheckAnnotations {
		return invalidRequest("No more than %d items are allowed; %d were supplied.", maxCheckAnnotations, n)
	}
	for _, a := range in.Output.Annotations {
		switch {
		case a.Path == "":
			return invalidRequest(`"path" wasn't supplied.`)
		case a.StartLine == nil:
			return invalidRequest(`"start_line" wasn't supplied.`)
		case a.EndLine == nil:
			return invalidRequest(`"end_line" wasn't supplied.`)
		case a.Message == "":
			return invalidRequest(`"message" wasn't supplied.`)
		}
		if err := notMember(a.Level, annotationLevels); err != nil {
			return err
		}
		if (a.StartColumn != nil || a.EndColumn != nil) && *a.StartLine != *a.EndLine {
			return invalid(fieldError{Resource: "CheckRun", Field: "annotations", Code: "invalid"})
		}
	}
	return nil
}

func (in *checkInput) validateActions() error {
	if in.Actions == nil {
		return nil
	}
	if n := len(*in.Actions); n > maxCheckActions {
		return invalidRequest("No more than %d items are allowed; %d were supplied.", maxCheckActions, n)
	}
	for _, a := range *in.Actions {
		for _, part := range []struct {
			name, text string
			most       int
		}{{"label", a.Label, 20}, {"description", a.Description, 40}, {"identifier", a.Identifier, 20}} {
			if part.text == "" {
				return invalidRequest("%q wasn't supplied.", part.name)
			}
			if err := tooLong(part.text, part.most); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply writes what was given into a state.
func (in *checkInput) apply(s *Server, r *repository, head string, state *checkState, now time.Time) {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&state.name, in.Name)
	set(&state.externalID, in.ExternalID)
	set(&state.detailsURL, in.DetailsURL)
	if in.StartedAt != nil {
		state.startedAt = in.StartedAt.UTC()
	}
	if in.Output != nil {
		out := in.Output
		if out.Title != nil {
			state.title, state.hasTitle = *out.Title, true
		}
		if out.Summary != nil {
			state.summary, state.hasSummary = *out.Summary, true
		}
		if out.Text != nil {
			state.text, state.hasText = *out.Text, true
		}
		// GitHub adds annotations to those that are there.
		added := slices.Clone(state.annotations)
		for _, a := range out.Annotations {
			added = append(added, a.json(s, r, head))
		}
		state.annotations = added
	}
	if in.Actions != nil {
		state.actions = slices.Clone(*in.Actions)
	}
	in.applyStatus(s, state, now)
}

func (in *checkInput) applyStatus(s *Server, state *checkState, now time.Time) {
	wasCompleted := state.status == checkCompleted
	switch {
	case in.Conclusion != nil:
		state.status, state.conclusion = checkCompleted, *in.Conclusion
		if in.CompletedAt != nil {
			state.completedAt = in.CompletedAt.UTC()
		} else if !wasCompleted || state.completedAt.IsZero() {
			state.completedAt = now
		}
	case in.Status != nil && wasCompleted && !s.habits.Checks.Reopen:
		// Ignored: see CheckHabits.Reopen.
	case in.Status != nil:
		state.status, state.conclusion, state.completedAt = *in.Status, "", time.Time{}
	case in.CompletedAt != nil && wasCompleted:
		state.completedAt = in.CompletedAt.UTC()
	}
	if state.status == "" {
		state.status = checkQueued
	}
	if state.startedAt.IsZero() {
		state.startedAt = now
	}
}

func (a checkAnnotation) json(s *Server, r *repository, head string) obj {
	number := func(n *int) any {
		if n == nil {
			return nil
		}
		return *n
	}
	text := func(t *string) any {
		if t == nil {
			return nil
		}
		return *t
	}
	return obj{
		"path": a.Path, "start_line": *a.StartLine, "end_line": *a.EndLine, "start_column": number(a.StartColumn),
		"end_column": number(a.EndColumn), "annotation_level": a.Level, "message": a.Message, "title": text(a.Title),
		"raw_details": text(a.RawDetails), "blob_href": r.html(s, "/blob/%s/%s", head, escapePath(a.Path)),
	}
}

// onlyApps refuses callers that are no App.
func onlyApps(c *call) (*app, error) {
	inst := c.who.installation()
	if inst == nil {
		return nil, forbidden("You must authenticate via a GitHub App.")
	}
	return inst.app, nil
}

func (s *Server) createCheckRun(c *call) (reply, error) {
	a, err := onlyApps(c)
	if err != nil {
		return reply{}, err
	}
	var in checkInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if err := in.validate(true); err != nil {
		return reply{}, err
	}
	if len(*in.HeadSHA) != len(zeroID) {
		return reply{}, unprocessable("No commit found for SHA: " + *in.HeadSHA)
	}
	head, err := c.commitNamed(*in.HeadSHA)
	if err != nil {
		return reply{}, err
	}
	run := s.addCheckRun(c.repo, a, head, &in)
	return created(s.checkRunJSON(c.repo, run, *run.state())), nil
}

// addCheckRun makes a run in the App's suite for the commit, and tells about it.
func (s *Server) addCheckRun(r *repository, a *app, head commit, in *checkInput) *checkRun {
	return s.addRunTo(r, s.suiteFor(r, a, head, "", "", ""), in)
}

// addRunTo makes a run in a suite, and tells about it.
func (s *Server) addRunTo(r *repository, suite *checkSuite, in *checkInput) *checkRun {
	now, a, head := s.now(), suite.app, suite.head
	run := &checkRun{id: s.next("check run"), suite: suite, createdAt: now}
	state := checkState{at: now, touched: now, detailsURL: s.url + "/apps/" + a.Slug}
	in.apply(s, r, head.id, &state, now)
	run.versions = []checkState{state}
	suite.runs = append(suite.runs, run)
	suite.forgetOldest(r, state.name)
	suite.updatedAt, suite.rerequested = now, false
	put(&r.activity.runByID, run.id, run)
	s.emitCheckRun(r, run, "created", a.bot, nil)
	if state.status == checkCompleted {
		s.completed(r, run, a.bot)
	}
	return run
}

// completed tells that a run, and perhaps its suite, has ended.
func (s *Server) completed(r *repository, run *checkRun, sender *user) {
	s.emitCheckRun(r, run, "completed", sender, nil)
	if status, _ := s.suiteState(run.suite); status == checkCompleted {
		s.emitCheckSuite(r, run.suite, "completed", sender)
	}
}

func (s *Server) updateCheckRun(c *call) (reply, error) {
	a, err := onlyApps(c)
	if err != nil {
		return reply{}, err
	}
	run, err := s.checkRun(c)
	if err != nil {
		return reply{}, err
	}
	if run.suite.app != a {
		return reply{}, forbidden(fmt.Sprintf("Invalid app_id `%d` - check run can only be modified by the GitHub App that created it.", a.ID))
	}
	var in checkInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if err := in.validate(false); err != nil {
		return reply{}, err
	}
	s.changeCheckRun(c.repo, run, &in)
	return ok(s.checkRunJSON(c.repo, run, *run.state())), nil
}

func (s *Server) changeCheckRun(r *repository, run *checkRun, in *checkInput) {
	now := s.now()
	before := s.seen(*run.state())
	run.change(now, func(state *checkState) {
		state.status, state.conclusion, state.completedAt = before.status, before.conclusion, before.completedAt
		in.apply(s, r, run.suite.head.id, state, now)
	})
	run.suite.updatedAt, run.suite.rerequested = now, false
	after := run.state()
	if after.status == checkCompleted && (before.status != checkCompleted || before.conclusion != after.conclusion) {
		s.completed(r, run, run.suite.app.bot)
	}
}
