package githubsim

// Habits are the ways of GitHub that break bots. They are read under the
// server's mutex wherever they apply, and may be switched at any time.

import "time"

// Habits switches GitHub's habits on and off.
type Habits struct {
	// ListLag is how far lists of pull requests lag behind writes, by the
	// server's clock. Reading one pull request never lags.
	ListLag time.Duration
	// LazyMergeable answers the first read after a change with mergeable null
	// and mergeable_state "unknown", and computes it for the next one.
	// (Get a pull request: "the value of mergeable can be true, false, or null".)
	LazyMergeable bool
	// HeadNeedsOwner ignores the filter head of the list of pull requests
	// when it is not owner:branch.
	HeadNeedsOwner bool
	// TestMerge puts the test merge in merge_commit_sha until merged_at is set.
	TestMerge bool
	// ETagPerToken makes ETags differ between tokens, so that a new
	// installation token finds nothing unchanged.
	ETagPerToken bool
	// BypassApps are the ids of Apps that may bypass branch rules: their
	// pushes and merges pass, silently.
	BypassApps []int64
	// HookLanes is how many webhooks of one App and repository may be under way
	// at once, so that they overtake each other; 1 keeps their order. GitHub
	// promises none.
	HookLanes int
	// Checks are the habits of checks, statuses and deployments.
	Checks CheckHabits
	// Actions are the habits of workflows.
	Actions ActionsHabits
}

// DefaultHabits are GitHub's habits with no lag in lists.
func DefaultHabits() Habits {
	return Habits{
		LazyMergeable:  true,
		HeadNeedsOwner: true,
		TestMerge:      true,
		ETagPerToken:   true,
		HookLanes:      1,
		Checks:         defaultCheckHabits(),
	}
}

// Habits are the habits in force.
func (s *Server) Habits() Habits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.habits
}

// SetHabits changes habits by the function given.
func (s *Server) SetHabits(change func(*Habits)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.habits)
}
