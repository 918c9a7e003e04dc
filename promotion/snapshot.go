package promotion

// The snapshot: everything a decision rests on, as values. promotion/reconcile
// fills it, API first and git last; what could not be read is a doubt, and a
// doubt only ever leads to waiting.

import (
	"time"

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
}

// Resolved is a merged pull request laid over the base branch's history.
type Resolved struct {
	Before, Commit string // base branch before it, and its last commit
	Method         string // merge, squash or rebase
	Expected       string // digest of the projection that the promotion makes of Before
	Actual         string // digest of the projection at Commit
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
	// Environments are in the pipeline file's order, within a pipeline every
	// one after its upstreams.
	Environments []Observed
	// Extras are open pull requests of the App on promotion branches that no
	// ledger names as the one that counts.
	Extras []PullRequest
	index  map[Key]int
}

// find returns an environment of a pipeline.
func (s *Snapshot) find(k Key) *Observed {
	if len(s.index) != len(s.Environments) {
		s.index = make(map[Key]int, len(s.Environments))
		for i := range s.Environments {
			s.index[s.Environments[i].Key] = i
		}
	}
	i, ok := s.index[k]
	if !ok {
		return nil
	}
	return &s.Environments[i]
}
