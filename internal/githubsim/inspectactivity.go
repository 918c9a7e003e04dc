package githubsim

// Looking into checks, statuses and comments, for tests that check what a run
// has led to (see also inspect.go).

import (
	"fmt"
	"slices"
	"time"
)

// CheckState is a check run as it really is, without lag.
type CheckState struct {
	ID                   int64
	App                  string // slug
	Name, ExternalID     string
	Status, Conclusion   string
	Title, Summary, Text string
	DetailsURL           string
	Annotations          int
	Actions              []string // identifiers, also those that are not shown
	Writes               int      // how often it was written, up to 32
	CreatedAt            time.Time
	CompletedAt          time.Time
}

// CheckRuns are all check runs of a commit in the order of creation.
func (s *Server) CheckRuns(repo, sha string) ([]CheckState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return nil, err
	}
	var out []CheckState
	for _, suite := range r.activity.suites[sha] {
		for _, run := range suite.runs {
			state := s.seen(*run.state())
			one := CheckState{
				ID: run.id, App: suite.app.Slug, Name: state.name, ExternalID: state.externalID, Status: state.status,
				Conclusion: state.conclusion, Title: state.title, Summary: state.summary, Text: state.text,
				DetailsURL: state.detailsURL, Annotations: len(state.annotations), Writes: len(run.versions),
				CreatedAt: run.createdAt, CompletedAt: state.completedAt,
			}
			for _, a := range state.actions {
				one.Actions = append(one.Actions, a.Identifier)
			}
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b CheckState) int { return int(a.ID - b.ID) })
	return out, nil
}

// CommentState is a comment of an issue or pull request.
type CommentState struct {
	ID           int64
	Author, Body string
	Reactions    []string // login and content, as "mona eyes"
}

// Comments are the comments of an issue or pull request in the order of
// creation.
func (s *Server) Comments(repo string, number int) ([]CommentState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return nil, err
	}
	i := r.issues[number]
	if i == nil {
		return nil, fmt.Errorf("no issue or pull request %s#%d", repo, number)
	}
	var out []CommentState
	for _, m := range i.activity.comments {
		one := CommentState{ID: m.id, Author: login(m.author), Body: m.body}
		for _, re := range m.reactions {
			one.Reactions = append(one.Reactions, re.user.login+" "+re.content)
		}
		out = append(out, one)
	}
	return out, nil
}
