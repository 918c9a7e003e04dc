package githubsim

// The commits of a merge, by the three methods (About pull request merges;
// About merge methods on GitHub). They are made before refs are locked.

import (
	"context"
	"fmt"
	"strings"
)

// mergePlan is a merge worked out so far that only git is needed.
type mergePlan struct {
	method         string
	base, head     string
	title, body    *string // as given by the caller
	number         int
	pullTitle      string
	from           string // owner/branch
	merger, author signature
	committer      signature
}

func (s *Server) mergePlan(c *call, p *pull, in mergeInput, base string) mergePlan {
	now := s.now()
	sign := func(u *user) signature { return signature{name: u.name, email: u.email, when: now} }
	return mergePlan{
		method: in.Method, base: base, head: p.headSHA, title: in.Title, body: in.Message, number: p.number, pullTitle: p.title,
		from: p.repo.owner.login + "/" + p.headRef, merger: sign(c.actor), author: sign(p.author), committer: webFlow(now),
	}
}

// build makes the commits and returns the base's new tip.
func (m mergePlan) build(ctx context.Context, st *store) (string, error) {
	if m.method == "rebase" {
		return m.rebase(ctx, st)
	}
	tree, clean, err := st.mergeTrees(ctx, m.base, m.head)
	if err != nil {
		return "", err
	}
	if !clean {
		return "", errNotMergeable
	}
	n := newCommit{tree: tree, parents: []string{m.base, m.head}, author: m.merger, committer: m.committer, sign: true}
	title := fmt.Sprintf("Merge pull request #%d from %s", m.number, m.from)
	body := m.pullTitle
	if m.method == "squash" {
		n.parents, n.author = n.parents[:1], m.author
		if title, body, err = m.squashMessage(ctx, st); err != nil {
			return "", err
		}
	}
	if m.title != nil && *m.title != "" {
		title = *m.title
	}
	if m.body != nil {
		body = *m.body
	}
	n.message = title
	if body != "" {
		n.message += "\n\n" + body
	}
	return st.writeCommit(n)
}

// squashMessage is the message by default: the title of the only commit or of
// the pull request, and the messages of the commits.
func (m mergePlan) squashMessage(ctx context.Context, st *store) (title, body string, err error) {
	ids, err := st.commitsBetween(ctx, m.base, m.head)
	if err != nil {
		return "", "", err
	}
	commits, err := st.commits(ids)
	if err != nil {
		return "", "", err
	}
	if len(commits) == 1 {
		subject, rest, _ := strings.Cut(commits[0].message, "\n")
		return fmt.Sprintf("%s (#%d)", subject, m.number), strings.TrimSpace(rest), nil
	}
	var list []string
	for _, one := range commits {
		list = append(list, "* "+strings.TrimSpace(one.message))
	}
	return fmt.Sprintf("%s (#%d)", m.pullTitle, m.number), strings.Join(list, "\n\n"), nil
}

// rebase replays the commits, merges left out, onto the base.
func (m mergePlan) rebase(ctx context.Context, st *store) (string, error) {
	ids, err := st.commitsBetween(ctx, m.base, m.head)
	if err != nil {
		return "", err
	}
	commits, err := st.commits(ids)
	if err != nil {
		return "", err
	}
	tip := m.base
	for _, one := range commits {
		if len(one.parents) > 1 {
			continue
		}
		tree, clean, err := st.pick(ctx, tip, one)
		if err != nil {
			return "", err
		}
		if !clean {
			return "", notAllowed("This branch can't be rebased")
		}
		tip, err = st.writeCommit(newCommit{
			tree: tree, parents: []string{tip}, author: one.author, committer: m.merger, message: one.message,
		})
		if err != nil {
			return "", err
		}
	}
	if tip == m.base {
		return "", notAllowed("This branch can't be rebased")
	}
	return tip, nil
}
