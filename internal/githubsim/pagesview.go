package githubsim

// What pages show, copied out of the model under the mutex or read from git
// without it.

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

type repoView struct {
	Owner, Name, FullName, Description, Default string
	Private, Archived                           bool
	OpenPulls                                   int
	CloneURL                                    string
	repo                                        *repository
}

type entryView struct {
	Name, Path string
	Folder     bool
}

type commitView struct {
	SHA, Message     string
	Author           string
	When             time.Time
	Parents          []string
	Mark, MarkDetail string // of its checks: passed, failed, pending or none
}

// Subject is the first line of the message.
func (c commitView) Subject() string { s, _, _ := strings.Cut(c.Message, "\n"); return s }

// Body is the message without its first line.
func (c commitView) Body() string {
	_, b, _ := strings.Cut(c.Message, "\n")
	return strings.TrimSpace(b)
}

type labelView struct{ Name, Color, Description string }

type commentView struct {
	ID           int64
	Author, Body string
	When         time.Time
	Reactions    []string
	Verdict      string // of a review
}

type pullView struct {
	Number               int
	Title, Body, Author  string
	State                string // open, draft, merged, closed
	Tab                  string // of its pages: "", checks, files
	HeadRef, BaseRef     string
	Head, Base           string
	Merged, MergedBy     string
	When, Ended          time.Time
	EndedBy              string
	Labels               []labelView
	Assignees, Reviewers []string
	Comments             []commentView
	Checks               []checkView
	Commits              []commitView
	Diff                 []diffView
	Mark, MarkDetail     string
}

type issueView struct {
	Number              int
	Title, Body, Author string
	Closed              bool
	When                time.Time
	Labels              []labelView
	Comments            []commentView
}

type releaseView struct {
	Name, Tag, Body, Author string
	Draft, Prerelease       bool
	When                    time.Time
}

func (s *Server) viewRepo(owner, name string) *repoView {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(owner, name)
	if r == nil || r.deleted {
		return nil
	}
	v := &repoView{
		Owner: r.owner.login, Name: r.name, FullName: r.fullName(), Description: r.description, Default: r.defaultBranch,
		Private: r.private, Archived: r.archived, CloneURL: r.html(s, ".git"), repo: r,
	}
	for _, i := range r.issues {
		if i.pull != nil && !i.closed {
			v.OpenPulls++
		}
	}
	return v
}

// resolveForPage turns a branch, tag or object id into an object id.
func (s *Server) resolveForPage(r *repository, name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if id := r.refs[prefix+name]; id != "" {
			return id, true
		}
	}
	return name, isObjectID(name)
}

// splitRef tells the ref from the path behind it: the longest name that is a
// branch or tag, else the first segment.
func (s *Server) splitRef(r *repository, rest string) (ref, path string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for end := len(rest); end > 0; end = strings.LastIndex(rest[:end], "/") {
		if r.refs["refs/heads/"+rest[:end]] != "" || r.refs["refs/tags/"+rest[:end]] != "" {
			return rest[:end], strings.Trim(rest[end:], "/"), nil
		}
	}
	ref, path, _ = strings.Cut(rest, "/")
	if !isObjectID(ref) {
		return "", "", errNoPage
	}
	return ref, strings.Trim(path, "/"), nil
}

func (s *Server) viewTree(ctx context.Context, r *repository, tip, path string) ([]entryView, error) {
	o, err := r.store.object(tip + ":" + path)
	if err != nil {
		return nil, err
	}
	if o.kind != "tree" {
		return nil, errNoPage
	}
	list, err := r.store.tree(ctx, o.id, false)
	if err != nil {
		return nil, err
	}
	var out []entryView
	for _, e := range list {
		out = append(out, entryView{Name: e.name, Path: strings.TrimPrefix(path+"/"+e.name, "/"), Folder: e.kind == "tree"})
	}
	slices.SortStableFunc(out, func(a, b entryView) int {
		if a.Folder != b.Folder {
			return map[bool]int{true: -1, false: 1}[a.Folder]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

func (s *Server) readCommit(r *repository, sha string) (commitView, error) {
	c, err := r.store.commit(sha)
	if err != nil {
		return commitView{}, err
	}
	return s.commitView(r, c), nil
}

func (s *Server) commitView(r *repository, c commit) commitView {
	v := commitView{SHA: c.id, Message: c.message, Author: c.author.name, When: c.committer.when, Parents: c.parents}
	v.Mark, v.MarkDetail = markOf(s.viewChecks(r, c.id))
	return v
}

// viewCommits lists commits of a range, the newest first.
func (s *Server) viewCommits(ctx context.Context, r *repository, span string, most int) ([]commitView, error) {
	out, err := r.store.run(ctx, gitInput{}, "rev-list", "--max-count="+strconv.Itoa(most), span)
	if err != nil {
		return nil, err
	}
	var list []commitView
	for id := range strings.FieldsSeq(string(out)) {
		v, err := s.readCommit(r, id)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// viewPulls lists pull requests, the newest first.
func (s *Server) viewPulls(r *repository, keep func(pullView) bool) []pullView {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []pullView
	for n := r.lastNumber; n > 0; n-- {
		if i := r.issues[n]; i != nil && i.pull != nil {
			if v := s.pullViewOf(i); keep(v) {
				out = append(out, v)
			}
		}
	}
	return out
}

func (s *Server) viewPull(r *repository, number int) *pullView {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := r.issues[number]
	if i == nil || i.pull == nil {
		return nil
	}
	v := s.pullViewOf(i)
	v.Comments = commentViews(i)
	for _, one := range i.pull.reviews {
		v.Comments = append(v.Comments, commentView{Author: one.author.login, Body: one.body, When: one.submittedAt, Verdict: strings.ToLower(strings.ReplaceAll(one.state, "_", " "))})
	}
	slices.SortStableFunc(v.Comments, func(a, b commentView) int { return a.When.Compare(b.When) })
	return &v
}

func (s *Server) pullViewOf(i *issue) pullView {
	p := i.pull
	base, head := p.diffTips()
	v := pullView{
		Number: i.number, Title: i.title, Body: i.body, Author: login(i.author), State: "open", HeadRef: p.headRef, BaseRef: p.baseRef,
		Head: head, Base: base, When: i.createdAt, Ended: i.closedAt, EndedBy: login(i.closedBy), Labels: labelViews(i.labels),
		Checks: s.checksOf(i.repo, p.headSHA),
	}
	switch {
	case !p.mergedAt.IsZero():
		v.State, v.Merged, v.MergedBy = "merged", p.mergeSHA, login(p.mergedBy)
	case i.closed:
		v.State = "closed"
	case p.draft:
		v.State = "draft"
	}
	for _, u := range i.assignees {
		v.Assignees = append(v.Assignees, u.login)
	}
	for _, u := range p.reviewers {
		v.Reviewers = append(v.Reviewers, u.login)
	}
	v.Mark, v.MarkDetail = markOf(v.Checks)
	return v
}

func login(u *user) string {
	if u == nil {
		return "ghost"
	}
	return u.login
}

func labelViews(list []*label) []labelView {
	var out []labelView
	for _, l := range list {
		out = append(out, labelView{l.name, l.color, l.description})
	}
	return out
}

func commentViews(i *issue) []commentView {
	var out []commentView
	for _, m := range i.activity.comments {
		v := commentView{ID: m.id, Author: login(m.author), Body: m.body, When: m.createdAt}
		for _, one := range m.reactions {
			v.Reactions = append(v.Reactions, one.content)
		}
		out = append(out, v)
	}
	return out
}

// viewIssue is an issue; it tells pull requests apart.
func (s *Server) viewIssue(r *repository, number int) (v *issueView, isPull bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := r.issues[number]
	if i == nil {
		return nil, false
	}
	return &issueView{
		Number: number, Title: i.title, Body: i.body, Author: login(i.author), Closed: i.closed, When: i.createdAt,
		Labels: labelViews(i.labels), Comments: commentViews(i),
	}, i.pull != nil
}

func (s *Server) viewRelease(r *repository, tag string) *releaseView {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rel := range r.activity.releases {
		if rel.tag != tag || rel.draft {
			continue
		}
		v := &releaseView{Name: rel.tag, Tag: rel.tag, Author: login(rel.author), Prerelease: rel.prerelease, When: rel.publishedAt}
		if rel.name != nil && *rel.name != "" {
			v.Name = *rel.name
		}
		if rel.body != nil {
			v.Body = *rel.body
		}
		return v
	}
	return nil
}
