package promotion

// Definition 1: the chain of a base branch is its first-parent history.

// Chain is the first-parent history of a base branch, newest first, as far
// back as anything needs it.
type Chain struct {
	Commits []Commit
	index   map[string]int
}

// NewChain indexes a first-parent history, newest first.
func NewChain(commits []Commit) Chain {
	c := Chain{Commits: commits, index: make(map[string]int, len(commits))}
	for i, x := range commits {
		c.index[x.ID] = i
	}
	return c
}

// Tip is the newest commit's id, "" for an empty branch.
func (c Chain) Tip() string {
	if len(c.Commits) == 0 {
		return ""
	}
	return c.Commits[0].ID
}

// Index is a commit's place in the chain, 0 being the tip; false when the
// chain does not hold it.
func (c Chain) Index(id string) (int, bool) {
	i, ok := c.index[id]
	return i, ok
}

// Newer says whether commit a came after commit b on the chain; known is false
// when either is not on it.
func (c Chain) Newer(a, b string) (newer, known bool) {
	i, ok1 := c.index[a]
	j, ok2 := c.index[b]
	return i < j, ok1 && ok2
}

// PassedOver says that an environment has taken something newer, or is about to,
// instead of a revision: it will not land there any more.
func PassedOver(s *Snapshot, o *Observed, revision string) bool {
	st := o.Ledger.State
	if st == nil {
		return false
	}
	for _, name := range o.Config.From {
		up := s.Upstream(o, name)
		if up == nil || up == o {
			continue
		}
		has, _, landed := Carries(s, up, revision)
		if !has {
			if PassedOver(s, up, revision) {
				return true
			}
			continue
		}
		taken := []string{st.Position[name].Commit}
		if p := st.UnderWay(); p != nil && p.Reverts == nil {
			taken = append(taken, p.LandingOf(name))
		}
		for _, commit := range taken {
			if newer, known := s.takenFrom(o, name).Newer(commit, landed); known && newer {
				return true
			}
		}
	}
	return false
}
