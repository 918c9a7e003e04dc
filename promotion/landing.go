package promotion

// Definitions 2 to 4: which commit of the base branch a merged pull request
// became, and whose a landing is.

import "strings"

// ResolveMerge lays a merged pull request over the chain: the commit before it
// and its last commit, for a merge commit, a squash, and a rebase of one or
// several commits. ok is false while the chain does not hold the merge.
//
// GitHub's merge_commit_sha is the merge commit, the squashed commit, or the
// last of the rebased commits ("Get a pull request", REST API documentation).
func ResolveMerge(p PullRequest, c Chain) (before, landed, method string, ok bool) {
	i, on := c.Index(p.MergeCommit)
	if !p.Merged || !on {
		return "", "", "", false
	}
	m := c.Commits[i]
	n, method := 1, "squash"
	switch {
	case len(m.Parents) > 1:
		method = "merge"
	case p.Commits > 1 && rebased(p.Messages, c.Commits[i:]):
		n, method = p.Commits, "rebase"
	case p.Commits == 1 && len(p.Messages) == 1 && strings.TrimSpace(m.Message) == strings.TrimSpace(p.Messages[0]):
		method = "rebase"
	}
	last := i + n - 1
	if last >= len(c.Commits) || len(c.Commits[last].Parents) == 0 {
		return "", "", "", false
	}
	return c.Commits[last].Parents[0], m.ID, method, true
}

// rebased says whether the chain begins (newest first) with commits of these
// messages (oldest first): a rebase keeps messages, a squash writes its own.
func rebased(messages []string, chain []Commit) bool {
	n := len(messages)
	if n == 0 || len(chain) < n {
		return false
	}
	for k := range n {
		if strings.TrimSpace(chain[k].Message) != strings.TrimSpace(messages[n-1-k]) {
			return false
		}
	}
	return true
}

// NameLanding says whose a landing at index i of the chain is. It is a
// promotion's when the environment's ledger recorded it; otherwise a person's,
// whose commit is the revision and whose environment is its origin.
func NameLanding(o *Observed, c Chain, i int) Landing {
	l := Landing{Index: i, Origin: o.Key.Environment}
	Describe(&l, c.Commits[i])
	if o.Ledger.State == nil || o.Ledger.State.Landing == nil {
		return l
	}
	rec := o.Ledger.State.Landing
	last, on := c.Index(rec.Commit)
	before, onBefore := c.Index(rec.Before)
	if on && i >= last && (!onBefore || i < before) {
		l.Commit, l.Index = rec.Commit, last
		l.Revision, l.Origin, l.Promotion, l.PullRequest = rec.Revision, rec.Origin, rec.ID, rec.PullRequest
		return l
	}
	for _, old := range o.Ledger.State.PastLandings {
		last, on := c.Index(old.Commit)
		before, onBefore := c.Index(old.Before)
		if on && (i == last || i > last && onBefore && i < before) {
			l.Commit, l.Index = old.Commit, last
			l.Revision, l.Origin, l.Promotion, l.PullRequest = old.Revision, old.Origin, old.ID, old.PullRequest
			break
		}
	}
	return l
}

// Describe fills a landing in with what its commit says of itself.
func Describe(l *Landing, at Commit) {
	l.Commit, l.Revision = at.ID, at.ID
	l.Time, l.Author, l.Subject = at.Time, at.Author, subject(at.Message)
}

func subject(message string) string {
	s, _, _ := strings.Cut(message, "\n")
	return s
}
