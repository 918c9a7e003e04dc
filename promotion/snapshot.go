package promotion

// The snapshot: everything a decision rests on, as values. promotion/reconcile
// fills it, API first and git last; what could not be read is a doubt, and a
// doubt only ever leads to waiting.

import (
	"cmp"
	"time"

	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// Bound is how long a claim is its maker's alone, and how long GitHub's lists
// may lag behind writes: after it, anyone carries a claim on.
const Bound = 60 * time.Second

// Key names one environment of one pipeline of a repository.
type Key struct{ Pipeline, Environment string }

func (k Key) String() string { return k.Pipeline + "/" + k.Environment }

// Repository is what GitHub says of a repository.
type Repository struct {
	ID                    int64
	Owner, Name           string
	URL                   string // of its page
	DefaultBranch         string
	Archived              bool
	Merge, Squash, Rebase bool // merge methods that it allows
}

// PullRequest is a pull request as GitHub shows it.
type PullRequest struct {
	Number      int
	NodeID      string // by which GraphQL knows it
	URL         string
	Title, Body string
	Open        bool
	Draft       bool
	Merged      bool   // merged_at is set
	MergeCommit string // only when Merged: before that, GitHub shows a test merge
	MergedBy    string
	MergedAt    time.Time
	ClosedBy    string // when known
	ClosedAt    time.Time
	Branch      string // head branch
	Head        string // head commit
	Fork        bool   // the head lies in another repository
	Base        string // base branch
	Author      string
	ByApp       bool // promobot's own App opened it
	AutoMerge   bool // GitHub will merge it by itself when the rules are met
	Labels      []string
	// Commits counts the pull request's commits; Subjects are their messages,
	// oldest first, read only where a rebase has to be told from a squash.
	Commits  int
	Messages []string
	// Mergeable is GitHub's mergeable_state (clean, blocked, dirty, unstable,
	// has_hooks, behind, draft, unknown); "" in lists, which do not carry it.
	Mergeable string
}

// Ledger is what stands in an environment's ledger.
type Ledger struct {
	Ref   string
	Tip   string             // "" when there is none yet
	At    time.Time          // of the newest entry
	State *state.Environment // nil when there is none yet or it cannot be trusted
	// Problem says why it cannot be trusted, with what to do.
	Problem string
}

// Landing is a commit of the base branch's first-parent history that changes
// an environment's projection.
type Landing struct {
	Commit   string
	Index    int // in the chain; 0 is the tip
	Revision string
	Origin   string // environment in which the revision first landed
	Digest   string // of the projection after it
	// Promotion is the id of the promotion it landed; "" for a person's.
	Promotion   string
	PullRequest int
	Time        time.Time
	Author      Person
	Subject     string
	// Read is the commit of the environment's own source branch that holds the
	// content of this landing, for whom it is offered to.
	Read string
	// Version is set when a source brought it.
	Version *state.Version
}

// Observed is one environment of a snapshot.
type Observed struct {
	Key      Key
	Pipeline *config.Pipeline
	Config   *config.Environment
	Ledger   Ledger
	// Doubts are reads that failed or are not there yet. With any, the only
	// decision is to wait.
	Doubts []string
	// Landings are the newest landings above the baseline, newest first. Empty:
	// the baseline stands.
	Landings []Landing
	// Older are the places in the chain of older commits above the baseline that
	// touch its files and were not looked at: newest first.
	Older []int
	// Listed are the versions that the environment's source offers now, in the
	// order in which it lists them; Brought are those that an event brought.
	Listed, Brought []Version
	// Reads is the history of the environment's own source branch, newest first,
	// as far as it changes the projection.
	Reads []Landing
	// Pull is the pull request of the ledger's newest promotion. FreshFor is the
	// base branch's tip that was known when it was read by itself rather than
	// from a listing; "" when it was not. Candidates are the pull requests whose
	// head is the branch of a claim without a known pull request, looked for
	// when Looked.
	Pull       *PullRequest
	FreshFor   string
	Candidates []PullRequest
	Looked     bool
	// Head is the branch of the promotion under way as git shows it; "" absent.
	Head string
	// Touched says that the base branch changed files of the promotion under
	// way since it was built.
	Touched bool
	// Content is what promoting the offer (or carrying on the promotion under
	// way, when nothing newer is offered) does to the base as it stands.
	Content *content.Result
	// Resolved is the landing of the merged pull request under way.
	Resolved *Resolved
	// Checks are those on the head of the pull request under way, and View is
	// what only GraphQL tells of it; nil: not read.
	Checks []CheckResult
	View   *MergeView
	// Results speak for or against landings that wait for their verdict, by the
	// landing's commit: those on it and on later commits that left the
	// environment as it is, newest commit first. What was not read is not there.
	Results map[string][]CheckResult
	// Refusal is why GitHub or git last refused what the promotion under way needs;
	// nil: nothing was refused, or it is tried again.
	Refusal *Refusal
	// Recovery is the run of the user's recovery under way; nil: not looked at.
	Recovery *WorkflowRun
}

// Refusal is a push or a merge that was refused.
type Refusal struct {
	Kind config.FailureKind // PushFailed or MergeFailed
	Text string
	At   time.Time
}

// Resolved is a merged pull request laid over the base branch's history.
type Resolved struct {
	Before, Commit string // base branch before it, and its last commit
	Method         string // merge, squash or rebase
	Expected       string // digest of the projection that the promotion makes of Before
	Actual         string // digest of the projection at Commit
	Was            string // digest of the projection at Before
	// Replaced says that it was merged while it still showed the promotion that
	// the ledger's newest replaced.
	Replaced bool
}

// Snapshot is a repository with all its pipelines at one moment.
type Snapshot struct {
	Repository Repository
	App        string // login of the App's bot user
	Now        time.Time
	Limits     config.Limits
	Chain      Chain // of the default branch
	// Branches are the histories of the other branches that environments stand
	// on or are read from, by name. One that is not there is empty.
	Branches map[string]Chain
	// Rules are those of base branches, where they were read.
	Rules map[string]Rules
	// Environments are in the pipeline file's order, within a pipeline every
	// one after its upstreams.
	Environments []Observed
	// Holidays are what the iCalendar files say that windows name, by path; Shut
	// says why one could not be read.
	Holidays map[string][]calendar.Day
	Shut     map[string]string
	// Extras are open pull requests of the App on promotion branches that no
	// ledger names as the one that counts.
	Extras []PullRequest
	index  map[Key]int
	groups map[string][]*Observed // by pipeline
}

// After is the time of what follows on something of another time: now, unless that
// was written by a replica whose clock is ahead of this one's. The order of an
// environment's entries is told by their times.
func (s *Snapshot) After(t time.Time) time.Time {
	if s.Now.After(t) {
		return s.Now
	}
	return t.Add(1)
}

// find returns an environment of a pipeline.
func (s *Snapshot) find(k Key) *Observed {
	if len(s.index) != len(s.Environments) {
		s.index, s.groups = make(map[Key]int, len(s.Environments)), map[string][]*Observed{}
		for i := range s.Environments {
			o := &s.Environments[i]
			s.index[o.Key] = i
			s.groups[o.Key.Pipeline] = append(s.groups[o.Key.Pipeline], o)
		}
	}
	i, ok := s.index[k]
	if !ok {
		return nil
	}
	return &s.Environments[i]
}

// beside are all environments of an environment's pipeline.
func (s *Snapshot) beside(o *Observed) []*Observed {
	s.find(o.Key)
	return s.groups[o.Key.Pipeline]
}

// depth is how far along its pipeline an environment is.
func (s *Snapshot) depth(o *Observed) int {
	deepest := 0
	for _, names := range [][]string{o.Config.From, o.Config.After} {
		for _, name := range names {
			if up := s.find(Key{o.Key.Pipeline, name}); up != nil && up != o {
				deepest = max(deepest, 1+s.depth(up))
			}
		}
	}
	return deepest
}

// Base is the branch an environment stands on.
func (s *Snapshot) Base(o *Observed) string {
	return cmp.Or(o.Config.Branch, s.Repository.DefaultBranch)
}

// History is the chain of a branch; "" is the default branch.
func (s *Snapshot) History(branch string) Chain {
	if branch == "" || branch == s.Repository.DefaultBranch {
		return s.Chain
	}
	return s.Branches[branch]
}

// Holds says whether a revision is a commit of this repository, on any branch
// that was read; versions are none.
func (s *Snapshot) Holds(revision string) bool {
	_, on := s.Chain.Index(revision)
	for _, c := range s.Branches {
		if on {
			break
		}
		_, on = c.Index(revision)
	}
	return on
}

// ChainOf is the chain of the branch an environment stands on.
func (s *Snapshot) ChainOf(o *Observed) Chain { return s.History(o.Config.Branch) }

// order is the history in which an environment's landings stand: its branch's,
// or, where promobot never writes, that of the versions its source brought.
func (s *Snapshot) order(o *Observed) Chain {
	if o.Config.Managed {
		return versionChain(o.Ledger.State)
	}
	return s.ChainOf(o)
}

// orderOf is order by name; the history of nothing for an unknown name.
func (s *Snapshot) orderOf(pipeline, environment string) Chain {
	if o := s.find(Key{pipeline, environment}); o != nil {
		return s.order(o)
	}
	return Chain{}
}

// takenFrom is the history in which an environment's positions in an upstream,
// or in its own source, stand.
func (s *Snapshot) takenFrom(o *Observed, name string) Chain {
	switch {
	case name != state.Source:
		return s.orderOf(o.Key.Pipeline, name)
	case o.Config.Source != nil:
		return versionChain(o.Ledger.State)
	}
	return s.History(o.Config.Read)
}
