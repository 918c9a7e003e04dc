package githubsim

// The rules of branches: rulesets and classic protection, what they require,
// whom they bind, and how tests set them (About rulesets; Managing a branch
// protection rule). Rules for the code:
//
//   - Both kinds are one struct, protection, so that whoever asks what a branch
//     requires asks once.
//   - Who may bypass a rule is never told about it: to them it does not exist,
//     and their merges and pushes simply pass.

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// ruleset is the part of a protection that only rulesets have; nil for a
// classic branch protection.
type ruleset struct {
	id       int64
	name     string
	patterns []string // branch names or path.Match patterns; ~ALL; ~DEFAULT_BRANCH
	bypass   []int64  // App ids
	people   []string // lower-case logins that may bypass
	admins   bool     // repository administrators may bypass
}

func (rs *ruleset) applies() bool { return rs != nil }

// RequiredCheck is a check run or status that must have passed. A non-zero App
// (integration_id) is the only one whose word counts.
type RequiredCheck struct {
	Name string
	App  int64
}

// MergeQueue are the settings of a merge queue, as the rule merge_queue has
// them (Managing a merge queue). Zero values are GitHub's defaults.
type MergeQueue struct {
	// Method is merge, squash or rebase; merge when empty.
	Method string
	// MaxBuild is how many entries are built at once (5), MaxMerge how many are
	// merged at once (5), MinMerge how many have to be there for a merge (1)
	// within WaitMinutes (5) of the first.
	MaxBuild, MaxMerge, MinMerge, WaitMinutes int
	// TimeoutMinutes is how long checks may take (60).
	TimeoutMinutes int
	// HeadGreen asks only the last entry of a group for its checks.
	HeadGreen bool
}

// withDefaults are the settings as GitHub has them.
func (q MergeQueue) withDefaults() MergeQueue {
	set := func(to *int, otherwise int) {
		if *to == 0 {
			*to = otherwise
		}
	}
	set(&q.MaxBuild, 5)
	set(&q.MaxMerge, 5)
	set(&q.MinMerge, 1)
	set(&q.WaitMinutes, 5)
	set(&q.TimeoutMinutes, 60)
	if q.Method == "" {
		q.Method = "merge"
	}
	return q
}

// Ruleset describes a repository ruleset on branches.
type Ruleset struct {
	Name string
	// Branches are names or patterns as of path.Match, ~ALL or ~DEFAULT_BRANCH.
	Branches []string
	// RequiredChecks are the names of required status checks, Checks those
	// that a certain App must report. Strict asks for a head that contains the
	// branch's tip.
	RequiredChecks []string
	Checks         []RequiredCheck
	Strict         bool
	// Approvals above zero require a pull request with that many approvals;
	// PullRequest alone requires one without approvals.
	Approvals   int
	PullRequest bool
	// More that the rule pull_request may ask for; each implies a pull request.
	CodeOwners, DismissStale, LastPush, ResolveThreads bool
	// Methods are the merge methods that are allowed; all when nil.
	Methods []string
	// Signatures and LinearHistory ask for signed commits and no merges.
	Signatures, LinearHistory bool
	// Queue lets only the merge queue merge.
	Queue *MergeQueue
	// Update, Creation, Deletion and NonFastForward refuse to move the branch at
	// all, to make it, to delete it, to force it.
	Update, Creation, Deletion, NonFastForward bool
	// BypassApps and BypassUsers may bypass the rules, and with BypassAdmins
	// those who administer the repository.
	BypassApps   []int64
	BypassUsers  []string
	BypassAdmins bool
}

// AddRuleset adds a ruleset to a repository.
func (s *Server) AddRuleset(repo string, rs Ruleset) error {
	if err := properMethods(rs.Methods, rs.Queue); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	p := &protection{
		ruleset: &ruleset{
			id: s.next("ruleset"), name: rs.Name, patterns: slices.Clone(rs.Branches), bypass: slices.Clone(rs.BypassApps),
			admins: rs.BypassAdmins,
		},
		strict: rs.Strict, approvals: rs.Approvals, dismissStale: rs.DismissStale, codeOwners: rs.CodeOwners, lastPush: rs.LastPush,
		conversations: rs.ResolveThreads, methods: slices.Clone(rs.Methods), signatures: rs.Signatures,
		linearHistory: rs.LinearHistory, noUpdates: rs.Update, noCreations: rs.Creation,
		requireReviews: rs.PullRequest || rs.Approvals > 0 || rs.CodeOwners || rs.DismissStale || rs.LastPush || rs.ResolveThreads || rs.Methods != nil,
		enforceAdmins:  true, forcePushes: !rs.NonFastForward, deletions: !rs.Deletion,
	}
	for _, login := range rs.BypassUsers {
		p.ruleset.people = append(p.ruleset.people, strings.ToLower(login))
	}
	if rs.Queue != nil {
		q := rs.Queue.withDefaults()
		p.queue = &q
	}
	p.checks = requiredChecks(rs.RequiredChecks, rs.Checks)
	p.requireChecks = len(p.checks) > 0
	r.rulesets = append(r.rulesets, p)
	s.lookAgain(r)
	return nil
}

// RemoveRulesets takes the rulesets of a name away; all when it is empty.
func (s *Server) RemoveRulesets(repo, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	r.rulesets = slices.DeleteFunc(slices.Clone(r.rulesets), func(p *protection) bool { return name == "" || p.ruleset.name == name })
	s.lookAgain(r)
	return nil
}

// Protection describes the classic protection of one branch.
type Protection struct {
	RequiredChecks []string
	Checks         []RequiredCheck
	Strict         bool
	// Approvals above zero require a pull request with that many approvals;
	// PullRequest alone requires one without approvals.
	Approvals                                   int
	PullRequest                                 bool
	CodeOwners, DismissStale, LastPush          bool
	ResolveThreads                              bool
	Signatures, LinearHistory                   bool
	Locked, BlockCreations                      bool
	AllowForcePushes, AllowDeletions, ForAdmins bool
	// Restricted lets only Pushers (logins, an App's is slug[bot]) push and merge.
	Restricted bool
	Pushers    []string
}

// Protect gives a branch a classic protection; nil takes it away. The branch
// need not exist yet.
func (s *Server) Protect(repo, branch string, o *Protection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	defer s.lookAgain(r)
	if o == nil {
		delete(r.protections, branch)
		return nil
	}
	p := &protection{
		branch: branch, strict: o.Strict, approvals: o.Approvals, dismissStale: o.DismissStale, codeOwners: o.CodeOwners, lastPush: o.LastPush,
		conversations: o.ResolveThreads, signatures: o.Signatures, linearHistory: o.LinearHistory, locked: o.Locked,
		noCreations: o.BlockCreations, forcePushes: o.AllowForcePushes, deletions: o.AllowDeletions, enforceAdmins: o.ForAdmins,
		noUpdates: o.Restricted, requireReviews: o.PullRequest || o.Approvals > 0 || o.CodeOwners || o.DismissStale || o.LastPush,
	}
	p.checks = requiredChecks(o.RequiredChecks, o.Checks)
	p.requireChecks = len(p.checks) > 0 || o.Strict
	for _, login := range o.Pushers {
		u := s.user(login)
		if u == nil {
			return fmt.Errorf("no account %q", login)
		}
		p.pushers = append(p.pushers, u)
	}
	r.protections[branch] = p
	return nil
}

func requiredChecks(names []string, more []RequiredCheck) []requiredCheck {
	var out []requiredCheck
	for _, name := range names {
		out = append(out, requiredCheck{context: name})
	}
	for _, c := range more {
		out = append(out, requiredCheck{context: c.Name, app: c.App})
	}
	return out
}

func properMethods(methods []string, q *MergeQueue) error {
	all := slices.Clone(methods)
	if q != nil {
		all = append(all, q.withDefaults().Method)
	}
	for _, m := range all {
		if m != "merge" && m != "squash" && m != "rebase" {
			return fmt.Errorf("no merge method %q; one of merge, squash, rebase", m)
		}
	}
	return nil
}

// covers tells whether a ruleset is for a branch.
func (rs *ruleset) covers(r *repository, branch string) bool {
	return slices.ContainsFunc(rs.patterns, func(pattern string) bool {
		switch pattern {
		case "~ALL":
			return true
		case "~DEFAULT_BRANCH":
			return branch == r.defaultBranch
		}
		matched, err := path.Match(pattern, branch)
		return err == nil && matched
	})
}

// mayBypass tells whether a ruleset lets someone pass.
func (rs *ruleset) mayBypass(r *repository, who identity) bool {
	if id := who.appID(); id != 0 {
		return slices.Contains(rs.bypass, id)
	}
	u := who.actor()
	return u != nil && (slices.Contains(rs.people, strings.ToLower(u.login)) || rs.admins && r.roleOf(u) >= RoleAdmin)
}

// rulesOn are the rules of a branch that bind who, with Server.mu held. The
// zero identity is bound by all of them.
func (s *Server) rulesOn(r *repository, branch string, who identity) []*protection {
	if id := who.appID(); id != 0 && slices.Contains(s.habits.BypassApps, id) {
		return nil
	}
	var out []*protection
	if p := r.protections[branch]; p != nil {
		admin := who.installation() == nil && r.roleOf(who.actor()) >= RoleAdmin
		if !admin || p.enforceAdmins || p.locked {
			out = append(out, p)
		}
	}
	for _, p := range r.rulesets {
		if p.ruleset.covers(r, branch) && !p.ruleset.mayBypass(r, who) {
			out = append(out, p)
		}
	}
	return out
}

// queueOn is the merge queue of a branch, nil if it has none.
func (s *Server) queueOn(r *repository, branch string) *MergeQueue {
	for _, p := range s.rulesOn(r, branch, identity{}) {
		if p.queue != nil {
			return p.queue
		}
	}
	return nil
}

// keepsOut tells whether a protection lets someone move its branch at all.
func (p *protection) keepsOut(who identity) bool {
	return p.noUpdates && (p.ruleset.applies() || who.actor() == nil || !slices.Contains(p.pushers, who.actor()))
}

// missingChecks are the required checks that have not passed on a commit.
func (s *Server) missingChecks(r *repository, p *protection, sha string) []string {
	var missing []string
	for _, c := range p.checks {
		if p.requireChecks && s.requiredContext(r, sha, c.context, c.app) != contextPassed {
			missing = append(missing, c.context)
		}
	}
	return missing
}

// reviewsMissing is GitHub's sentence about approvals that are missing, or "".
func (p *protection) reviewsMissing(approvals int) string {
	if !p.requireReviews || approvals >= p.approvals {
		return ""
	}
	noun := "reviews are"
	if p.approvals == 1 {
		noun = "review is"
	}
	return fmt.Sprintf("At least %d approving %s required by reviewers with write access.", p.approvals, noun)
}

// SetUnresolvedThreads sets how many conversations of a pull request are not
// resolved.
func (s *Server) SetUnresolvedThreads(repo string, number, threads int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	i := r.issues[number]
	if i == nil || i.pull == nil {
		return fmt.Errorf("no pull request %d in %s", number, repo)
	}
	i.pull.threads = threads
	s.lookAgain(r)
	return nil
}
