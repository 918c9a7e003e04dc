package githubsim

// What follows when refs have moved, by a git push, a merge or the API: the
// model's refs, push, create and delete events, and the pull requests whose
// head or base moved. Only heads and tags have events.

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// maxPushCommits is how many commits a push event lists at most.
	maxPushCommits = 2048
	// maxTagsAtOnce is how many tags may be pushed at once and still cause
	// events (Webhook events and payloads: push).
	maxTagsAtOnce = 3
)

// pushedCommit is one commit of a push event.
type pushedCommit struct {
	commit
	added, removed, modified []string
}

// movedRef is a ref that moved, with what its events need from git.
type movedRef struct {
	refUpdate
	forced  bool
	commits []pushedCommit // oldest first
	head    *pushedCommit  // the commit it now points to; nil if deleted or no commit
}

// refsMoved lets ref changes that have happened in the bare repository take
// effect. first, when set, runs with Server.mu held before pull requests are
// looked at, and returns what is to run after the push events. Called with
// repo.gitMu held and Server.mu not.
func (s *Server) refsMoved(ctx context.Context, r *repository, actor *user, updates []refUpdate, first func() (after func())) error {
	slices.SortFunc(updates, func(a, b refUpdate) int { return strings.Compare(a.name, b.name) })
	s.mu.Lock()
	before := maps.Clone(r.refs)
	s.mu.Unlock()
	tags := 0
	for _, u := range updates {
		if strings.HasPrefix(u.name, "refs/tags/") {
			tags++
		}
	}
	known, err := r.store.describeNew(ctx, updates, before)
	if err != nil {
		return err
	}
	var loud []movedRef // those with events
	for _, u := range updates {
		if m, is := known[u.name]; is {
			loud = append(loud, m)
			continue
		}
		isTag := strings.HasPrefix(u.name, "refs/tags/")
		if (!isTag && !strings.HasPrefix(u.name, "refs/heads/")) || (isTag && tags > maxTagsAtOnce) {
			continue
		}
		m, err := r.store.describeMove(ctx, u, before)
		if err != nil {
			return err
		}
		loud = append(loud, m)
	}
	plan, err := s.planPulls(ctx, r, updates)
	if err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range updates {
		if u.new == zeroID {
			delete(r.refs, u.name)
		} else {
			r.refs[u.name] = u.new
		}
	}
	for _, u := range plan.refs {
		if u.new == zeroID {
			delete(r.refs, u.name)
		} else {
			r.refs[u.name] = u.new
		}
	}
	if len(loud) > 0 {
		r.pushedAt = s.now()
	}
	var after func()
	if first != nil {
		after = first()
	}
	for _, m := range loud {
		s.emitMove(r, actor, m)
	}
	if after != nil {
		after()
	}
	s.carryOut(r, actor, plan)
	return nil
}

// describeNew is describeMove for new branches of one commit each on a branch's
// tip, all of them in one look: pushes make many of those at once.
func (st *store) describeNew(ctx context.Context, updates []refUpdate, before map[string]string) (map[string]movedRef, error) {
	tips := map[string]bool{}
	for name, id := range before {
		tips[id] = strings.HasPrefix(name, "refs/heads/") || tips[id]
	}
	var in strings.Builder
	simple := map[string]refUpdate{} // by the new commit
	for _, u := range updates {
		if u.old != zeroID || u.new == zeroID || !strings.HasPrefix(u.name, "refs/heads/") || simple[u.new].name != "" {
			continue
		}
		if c, err := st.commit(u.new); err == nil && len(c.parents) == 1 && tips[c.parents[0]] {
			simple[u.new] = u
			in.WriteString(u.new + "\n")
		}
	}
	if len(simple) < 2 {
		return nil, nil
	}
	list, err := st.commitsWithFiles(ctx, in.String(), len(simple), "--no-walk")
	if err != nil {
		return nil, err
	}
	out := map[string]movedRef{}
	for _, c := range list {
		if u, is := simple[c.id]; is {
			out[u.name] = movedRef{refUpdate: u, commits: []pushedCommit{c}, head: &c}
		}
	}
	return out, nil
}

// describeMove reads what the events of a moved ref need.
func (st *store) describeMove(ctx context.Context, u refUpdate, before map[string]string) (movedRef, error) {
	m := movedRef{refUpdate: u}
	if u.new == zeroID {
		return m, nil
	}
	tip, err := st.commit(u.new)
	if err != nil {
		return m, nil //nolint:nilerr // a tag of a tree or a blob has no commits
	}
	var in strings.Builder
	in.WriteString(tip.id + "\n")
	switch {
	case u.old != zeroID:
		if old, err := st.commit(u.old); err == nil {
			in.WriteString("^" + old.id + "\n")
			_, err := st.run(ctx, gitInput{}, "merge-base", "--is-ancestor", old.id, tip.id)
			if err != nil && gitExit(err) != 1 {
				return m, err
			}
			m.forced = err != nil
		}
	case strings.HasPrefix(u.name, "refs/tags/"):
		in.WriteString("^" + tip.id + "\n") // a new tag brings no commits
	default:
		for name, id := range before {
			if strings.HasPrefix(name, "refs/heads/") {
				in.WriteString("^" + id + "\n")
			}
		}
	}
	if m.commits, err = st.commitsWithFiles(ctx, in.String(), maxPushCommits); err != nil {
		return m, err
	}
	for i := range m.commits {
		if m.commits[i].id == tip.id {
			m.head = &m.commits[i]
			return m, nil
		}
	}
	alone, err := st.commitsWithFiles(ctx, tip.id+"\n", 1)
	if err != nil {
		return m, err
	}
	if len(alone) == 1 {
		m.head = &alone[0]
	}
	return m, nil
}

// commitsWithFiles lists commits, oldest first, with the names of the files
// each changes against its first parent.
func (st *store) commitsWithFiles(ctx context.Context, revisions string, limit int, more ...string) ([]pushedCommit, error) {
	args := append([]string{
		"log", "--stdin", "-z", "--reverse", "--topo-order",
		"-n", fmtInt(limit), "--no-renames", "--root", "--diff-merges=first-parent", "--name-status", "--format=%x02%H",
	}, more...)
	out, err := st.run(ctx, gitInput{stdin: []byte(revisions)}, args...)
	if err != nil {
		return nil, err
	}
	var list []pushedCommit
	tokens := strings.Split(string(out), "\x00")
	for i := 0; i < len(tokens); i++ {
		token := strings.TrimLeft(tokens[i], "\n")
		if id, is := strings.CutPrefix(token, "\x02"); is {
			c, err := st.commit(strings.TrimSpace(id))
			if err != nil {
				return nil, err
			}
			list = append(list, pushedCommit{commit: c, added: []string{}, removed: []string{}, modified: []string{}})
			continue
		}
		if token == "" || i+1 >= len(tokens) || len(list) == 0 {
			continue
		}
		i++ // the token after a status is a path, whatever it looks like
		last := &list[len(list)-1]
		switch token[0] {
		case 'A':
			last.added = append(last.added, tokens[i])
		case 'D':
			last.removed = append(last.removed, tokens[i])
		default:
			last.modified = append(last.modified, tokens[i])
		}
	}
	return list, nil
}

// emitMove sends create or delete, and push.
func (s *Server) emitMove(r *repository, actor *user, m movedRef) {
	kind, short := "branch", strings.TrimPrefix(m.name, "refs/heads/")
	if after, ok0 := strings.CutPrefix(m.name, "refs/tags/"); ok0 {
		kind, short = "tag", after
	}
	about := obj{"ref": short, "ref_type": kind, "pusher_type": "user"}
	switch {
	case m.new == zeroID:
		s.emit(r, "delete", "", actor, about)
	case m.old == zeroID:
		about["master_branch"], about["description"] = r.defaultBranch, orNull(r.description)
		s.emit(r, "create", "", actor, about)
	}
	commits := render(m.commits, func(c pushedCommit) obj { return s.pushedCommitJSON(r, c) })
	var head, baseRef any
	if m.head != nil {
		head = s.pushedCommitJSON(r, *m.head)
		if m.old == zeroID {
			baseRef = s.branchAt(r, m.head.id, m.name)
		}
	}
	compare := r.html(s, "/compare/%s...%s", m.old[:12], m.new[:12])
	switch zeroID {
	case m.old:
		compare = r.html(s, "/compare/%s", escapePath(short))
	case m.new:
		compare = r.html(s, "/compare/%s...%s", m.old[:12], zeroID[:12])
	}
	s.emit(r, "push", "", actor, obj{
		"ref": m.name, "before": m.old, "after": m.new, "created": m.old == zeroID, "deleted": m.new == zeroID,
		"forced": m.forced, "base_ref": baseRef, "compare": compare, "commits": commits, "head_commit": head,
		"pusher": obj{"name": actor.login, "email": actor.email}, "repository": s.repositoryPushJSON(r),
	})
	if kind == "branch" && m.head != nil {
		s.commitPushed(r, short, m.old, m.head.commit, actor)
	}
}

// branchAt names another branch that points to a commit, or null.
func (s *Server) branchAt(r *repository, id, except string) any {
	for _, name := range slices.Sorted(maps.Keys(r.refs)) {
		if r.refs[name] == id && name != except && strings.HasPrefix(name, "refs/heads/") {
			return name
		}
	}
	return nil
}

// pushedCommitJSON is a commit as push events list it.
func (s *Server) pushedCommitJSON(r *repository, c pushedCommit) obj {
	person := func(sig signature) obj {
		out := obj{"name": sig.name, "email": sig.email}
		if u := s.userByEmail(sig.email); u != nil {
			out["username"] = u.login
		}
		return out
	}
	return obj{
		"id": c.id, "tree_id": c.tree, "distinct": true, "message": strings.TrimSuffix(c.message, "\n"),
		"timestamp": c.committer.when.Format(time.RFC3339), "url": r.html(s, "/commit/%s", c.id),
		"author": person(c.author), "committer": person(c.committer),
		"added": c.added, "removed": c.removed, "modified": c.modified,
	}
}

// repositoryPushJSON is a repository as push events carry it: with times in
// seconds and a few names from long ago.
func (s *Server) repositoryPushJSON(r *repository) obj {
	out := s.repositoryHookJSON(r)
	out["created_at"], out["pushed_at"] = r.createdAt.Unix(), r.pushedAt.Unix()
	out["url"] = r.html(s, "")
	out["stargazers"], out["master_branch"] = 0, r.defaultBranch
	owner := s.userJSON(r.owner)
	owner["name"], owner["email"] = r.owner.login, r.owner.email
	out["owner"] = owner
	if r.owner.kind == kindOrganization {
		out["organization"] = r.owner.login
	}
	return out
}
