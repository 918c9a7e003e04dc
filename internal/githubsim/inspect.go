package githubsim

// Looking into the server, for tests that check what a run has led to.

import (
	"maps"
	"slices"
	"time"
)

// PullState is a pull request as it really is, without lag.
type PullState struct {
	Number           int
	Title, Body      string
	Author           string
	Head, Base       string // branch names
	HeadSHA, BaseSHA string
	// Open, Merged: neither is closed without merging.
	Open, Merged, Draft bool
	MergeCommit         string // of a merged one
	MergedBy, ClosedBy  string // logins
	Labels, Assignees   []string
	Reviewers           []string // asked and not yet answered
	Comments            int
	CreatedAt           time.Time
	UpdatedAt           time.Time
	ClosedAt, MergedAt  time.Time
}

// Pulls are all pull requests of a repository in the order of their numbers.
func (s *Server) Pulls(repo string) ([]PullState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return nil, err
	}
	var out []PullState
	for _, n := range slices.Sorted(maps.Keys(r.issues)) {
		if p := r.issues[n].pull; p != nil {
			out = append(out, p.state())
		}
	}
	return out, nil
}

func (p *pull) state() PullState {
	st := PullState{
		Number: p.number, Title: p.title, Body: p.body, Author: p.author.login, Head: p.headRef, Base: p.baseRef,
		HeadSHA: p.headSHA, BaseSHA: p.baseSHA, Open: !p.closed, Merged: !p.mergedAt.IsZero(), Draft: p.draft,
		Comments: p.comments, CreatedAt: p.createdAt, UpdatedAt: p.updatedAt, ClosedAt: p.closedAt, MergedAt: p.mergedAt,
	}
	if st.Merged {
		st.MergeCommit = p.mergeSHA
	}
	if p.mergedBy != nil {
		st.MergedBy = p.mergedBy.login
	}
	if p.closedBy != nil {
		st.ClosedBy = p.closedBy.login
	}
	for _, l := range p.labels {
		st.Labels = append(st.Labels, l.name)
	}
	for _, u := range p.assignees {
		st.Assignees = append(st.Assignees, u.login)
	}
	for _, u := range p.reviewers {
		st.Reviewers = append(st.Reviewers, u.login)
	}
	return st
}

// Refs are the refs of a repository: full name → object id.
func (s *Server) Refs(repo string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return nil, err
	}
	return maps.Clone(r.refs), nil
}

// Path is the folder of a repository's bare repository, for reading.
func (s *Server) Path(repo string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return "", err
	}
	return r.store.path, nil
}
