package reconcile_test

// The model: a GitHub and a git in memory behind the loop's interfaces, small
// enough that thousands of interleavings run in seconds. It keeps GitHub's
// habits that break bots: lists that lag, heads deleted on merge and deletions
// that close, one open pull request a head, no compare-and-swap on a base.

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/state"
)

const (
	bot    = "promobot[bot]"
	person = "ana"
	github = "github" // merges what was left to it
	main   = "refs/heads/main"
	heads  = "refs/heads/"
)

type tree map[string]content.File

type commit struct {
	promotion.Commit
	files  tree
	signed bool
}

// pull is a pull request with its history, so that lists can show the past.
type pull struct {
	promotion.PullRequest
	versions []version
	// identities are the promotions its head showed when it was merged.
	identities []string
	reopened   bool // by a person, whom no look can foresee
	queued     bool // in the merge queue
}

type version struct {
	at   time.Time
	pull promotion.PullRequest
}

type world struct {
	rng     *rand.Rand
	now     time.Time
	nonce   int
	commits map[string]*commit
	blobs   content.Blobs
	refs    promotion.Refs
	pulls   []*pull
	checks  map[string][]reconcile.CheckRun
	// releases of another repository, newest first
	releases []promotion.Version
	rules    promotion.Rules
	repo     promotion.Repository
	// habits
	deleteOnMerge bool
	lag           time.Duration
	paused        bool              // a worker was stopped for longer than the bound, at some time
	tampered      map[string]string // ledger refs that a person replaced, and by what they were

	setters map[string]string  // who last set a "key: value" line of a file on main, by file#key
	reach   map[[2]string]bool // contains, remembered
	writes  int
	log     []string
	broken  []string // invariants broken, by name

	layout    *layout
	claims    map[string]string // ledger refs, by the promotions they claim
	settings  map[string]string // what each environment says, by name
	merging   bool              // a base moves because a pull request is merged
	versions  []string          // that a source ever brought
	delivered int               // promotions that were pushed to a base

	jumped     bool                               // a clock did
	verified   map[string]bool                    // environments with something to verify
	results    map[string][]promotion.CheckResult // of deployers, by commit
	said       map[[3]string]bool                 // commit, name and conclusion of all that was ever reported
	runs       []promotion.WorkflowRun            // of recoveries
	dispatched map[string]int                     // recoveries begun, by nonce
	comments   []promotion.Comment
	effects    map[int64]effect // by comment
}

func newWorld(seed uint64) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)),
		now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), commits: map[string]*commit{}, blobs: content.Blobs{},
		refs: promotion.Refs{}, checks: map[string][]reconcile.CheckRun{}, tampered: map[string]string{}, setters: map[string]string{}, reach: map[[2]string]bool{},
		verified: map[string]bool{}, results: map[string][]promotion.CheckResult{}, said: map[[3]string]bool{}, dispatched: map[string]int{}, effects: map[int64]effect{},
		claims: map[string]string{}, settings: map[string]string{},
	}
	w.repo = promotion.Repository{ID: 7, Owner: "acme", Name: "gitops", URL: "https://github.com/acme/gitops", DefaultBranch: "main"}
	switch w.rng.IntN(3) {
	case 0:
		w.repo.Merge = true
	case 1:
		w.repo.Squash = true
	default:
		w.repo.Rebase = true
	}
	w.deleteOnMerge = w.rng.IntN(2) == 0
	w.lag = time.Duration(w.rng.IntN(30)) * time.Second
	return w
}

func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%s ", w.now.Format("15:04:05"))+fmt.Sprintf(format, args...))
}

func (w *world) breaks(invariant, format string, args ...any) {
	text := invariant + ": " + fmt.Sprintf(format, args...)
	if !slices.Contains(w.broken, text) {
		w.broken = append(w.broken, text)
		w.note("BROKEN %s", text)
	}
}

func (w *world) blob(b []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(b))
	h.Write(b)
	id := hex.EncodeToString(h.Sum(nil))
	w.blobs[id] = b
	return id
}

func treeID(t tree) string {
	if len(t) == 0 {
		return state.EmptyTree
	}
	h := sha1.New()
	for _, p := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintf(h, "%s %s %s\n", t[p].Mode, t[p].Blob, p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (w *world) commit(files tree, parents []string, author promotion.Person, at time.Time, message string) *commit {
	h := sha1.New()
	id := treeID(files)
	fmt.Fprintf(h, "%s\n%v\n%v\n%d\n%s", id, parents, author, at.Unix(), message)
	c := &commit{files: files}
	c.Commit = promotion.Commit{
		ID: hex.EncodeToString(h.Sum(nil)), Tree: id, Parents: slices.Clone(parents), Author: author, Time: at, Message: message,
	}
	if old, ok := w.commits[c.ID]; ok {
		return old
	}
	var before tree
	if len(parents) > 0 {
		before = w.commits[parents[0]].files
	}
	c.Changed = differing(before, files)
	w.commits[c.ID] = c
	return c
}

func differing(a, b tree) []string {
	var ps []string
	for p, f := range a {
		if b[p] != f {
			ps = append(ps, p)
		}
	}
	for p := range b {
		if _, there := a[p]; !there {
			ps = append(ps, p)
		}
	}
	slices.Sort(ps)
	return ps
}

func (w *world) apply(files tree, edits []content.Edit) tree {
	out := maps.Clone(files)
	if out == nil {
		out = tree{}
	}
	for _, e := range edits {
		switch {
		case e.Delete:
			delete(out, e.Path)
		case e.Bytes != nil:
			out[e.Path] = content.File{Mode: e.Mode, Blob: w.blob(e.Bytes)}
		default:
			out[e.Path] = content.File{Mode: e.Mode, Blob: e.Blob}
		}
	}
	return out
}

// contains says whether ancestor is reachable from id.
func (w *world) contains(ancestor, id string) bool {
	k := [2]string{ancestor, id}
	is, known := w.reach[k]
	if !known {
		is = w.search(ancestor, id)
		w.reach[k] = is // commits never change
	}
	return is
}

func (w *world) search(ancestor, id string) bool {
	seen := map[string]bool{}
	todo := []string{id}
	for len(todo) > 0 {
		x := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if x == ancestor {
			return true
		}
		if seen[x] || w.commits[x] == nil {
			continue
		}
		seen[x] = true
		todo = append(todo, w.commits[x].Parents...)
	}
	return false
}

// mergeBase is the newest commit of a base's chain that head contains.
func (w *world) mergeBase(base, head string) string {
	for c := w.refs[base]; c != ""; {
		if w.contains(c, head) {
			return c
		}
		ps := w.commits[c].Parents
		if len(ps) == 0 {
			break
		}
		c = ps[0]
	}
	return ""
}

// merged is a base with a head's changes, file by file; ok is false on a conflict.
func (w *world) merged(onto, head string) (files tree, ok bool) {
	common := w.commits[w.mergeBase(onto, head)]
	if common == nil {
		return nil, false
	}
	base, ours, theirs := common.files, w.commits[w.refs[onto]].files, w.commits[head].files
	out := maps.Clone(ours)
	for _, p := range differing(base, theirs) {
		if ours[p] != base[p] && ours[p] != theirs[p] {
			return nil, false
		}
		if f, there := theirs[p]; there {
			out[p] = f
		} else {
			delete(out, p)
		}
	}
	return out, true
}

// setRef moves a ref as the server does, with what follows from it.
func (w *world) setRef(ref, id, who string) {
	old := w.refs[ref]
	if id == "" {
		delete(w.refs, ref)
	} else {
		w.refs[ref] = id
	}
	switch {
	case strings.HasPrefix(ref, state.MadePrefix): // what GitHub is to sign
	case strings.HasPrefix(ref, state.RefPrefix):
		w.checkLedger(ref, old, id, who)
	case w.layout != nil && w.layout.isBase(ref):
		w.setBase(ref, old, id, who)
	}
	branch, isHead := strings.CutPrefix(ref, "refs/heads/")
	if !isHead {
		return
	}
	for _, p := range w.pulls {
		if p.Branch != branch || !p.Open {
			continue
		}
		if id == "" {
			w.closePull(p, who)
			continue
		}
		p.Head = id
		w.keep(p)
	}
}

func (w *world) setBase(ref, old, id, who string) {
	if who == bot && !w.merging {
		w.checkDelivered(ref, old, id)
	}
	var before tree
	if c := w.commits[old]; c != nil {
		before = c.files
	}
	for _, p := range differing(before, w.commits[id].files) {
		for _, k := range w.linesDiffering(before[p].Blob, w.commits[id].files[p].Blob) {
			w.setters[ref+":"+p+"#"+k] = who
		}
	}
}

// lines are a file's "key: value" lines.
func (w *world) lines(blob string) map[string]string {
	m := map[string]string{}
	for l := range strings.SplitSeq(string(w.blobs[blob]), "\n") {
		if k, v, ok := strings.Cut(l, ": "); ok {
			m[k] = v
		}
	}
	return m
}

func (w *world) linesDiffering(a, b string) []string {
	before, after := w.lines(a), w.lines(b)
	var ks []string
	for k, v := range after {
		if before[k] != v {
			ks = append(ks, k)
		}
	}
	for k := range before {
		if _, there := after[k]; !there {
			ks = append(ks, k)
		}
	}
	slices.Sort(ks)
	return ks
}

func (w *world) keep(p *pull) { p.versions = append(p.versions, version{w.now, p.PullRequest}) }

func (w *world) closePull(p *pull, who string) {
	p.Open, p.ClosedBy, p.ClosedAt, p.AutoMerge, p.queued = false, who, w.now, false, false
	w.keep(p)
	w.note("%s closes #%d", who, p.Number)
	if who == bot {
		w.checkBotCloses(p)
	}
}

// listed is a pull request as a lagging list shows it; nil when not yet there.
func (p *pull) listed(at time.Time) *promotion.PullRequest {
	for _, v := range slices.Backward(p.versions) {
		if !v.at.After(at) {
			q := v.pull
			q.Mergeable = ""
			return &q
		}
	}
	return nil
}

// merge merges a pull request as GitHub does.
func (w *world) merge(p *pull, who, method, title, message string) error {
	ref := heads + p.Base
	files, ok := w.merged(ref, p.Head)
	if !ok {
		return &promotion.RefusedError{Reason: "Pull Request is not mergeable"}
	}
	base := w.refs[ref]
	author := promotion.Person{Name: who, Email: who + "@example.com"}
	own := w.own(ref, p.Head)
	var m *commit
	switch method {
	case "merge":
		m = w.commit(files, []string{base, p.Head}, author, w.now, title+"\n\n"+message)
	case "squash":
		m = w.commit(files, []string{base}, author, w.now, title+"\n\n"+message)
	default:
		m = w.commits[base]
		for _, c := range own {
			m = w.commit(w.replayed(m.files, c), []string{m.ID}, c.Author, w.now, c.Message)
		}
	}
	p.Commits = len(own)
	p.Messages, p.identities = nil, nil
	for _, c := range own {
		p.Messages = append(p.Messages, c.Message)
		if id := state.ParseTrailers(c.Message)[state.TrailerID]; id != "" {
			p.identities = append(p.identities, id)
		}
	}
	p.Open, p.Merged, p.MergedBy, p.MergedAt, p.MergeCommit, p.ClosedAt = false, true, who, w.now, m.ID, w.now
	p.AutoMerge, p.queued = false, false
	w.keep(p)
	w.note("%s merges #%d by %s as %.7s", who, p.Number, method, m.ID)
	w.checkMerge(p, base, m.ID, who)
	w.merging = true
	w.setRef(ref, m.ID, who)
	w.merging = false
	if w.deleteOnMerge {
		delete(w.refs, heads+p.Branch)
	}
	return nil
}

// own are a head's commits that its base does not contain, oldest first.
func (w *world) own(base, head string) []*commit {
	var cs []*commit
	for c := w.commits[head]; c != nil && !w.contains(c.ID, w.refs[base]); {
		cs = append([]*commit{c}, cs...)
		if len(c.Parents) == 0 {
			break
		}
		c = w.commits[c.Parents[0]]
	}
	return cs
}

func (w *world) replayed(onto tree, c *commit) tree {
	out := maps.Clone(onto)
	before := w.commits[c.Parents[0]].files
	for _, p := range differing(before, c.files) {
		if f, there := c.files[p]; there {
			out[p] = f
		} else {
			delete(out, p)
		}
	}
	return out
}

// sign makes a commit over a tree that the server has.
func (w *world) sign(tree string, parents []string, message string) (promotion.SignedCommit, error) {
	for _, c := range w.commits {
		if c.Tree == tree && w.onServer(c.ID) {
			m := w.commit(c.files, parents, promotion.Person{Name: bot}, w.now, message)
			m.signed = true
			w.writes++
			return promotion.SignedCommit{ID: m.ID}, nil
		}
	}
	return promotion.SignedCommit{}, &promotion.RefusedError{Reason: "Tree SHA does not exist"}
}

// onServer says whether a ref leads to a commit.
func (w *world) onServer(id string) bool {
	for _, tip := range w.refs {
		if w.contains(id, tip) {
			return true
		}
	}
	return false
}
