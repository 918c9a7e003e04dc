package dryrun

// Plan: what the commits between two would promote. Its types are what `plan
// --json` prints: fields are added, never renamed or removed, and Version says
// when that had to be broken.

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
)

// Version is the version of Plan and Replay as JSON.
const Version = 1

// Plan is what some commits would promote.
type Plan struct {
	Version int    `json:"version"`
	Branch  string `json:"branch"`
	File    string `json:"file"` // name of the pipeline file
	From    Commit `json:"from"` // its state is taken as given
	To      Commit `json:"to"`
	// Forked says that From is not what was asked for but the newest commit that
	// its history shares with that of To.
	Forked       bool          `json:"forked,omitempty"`
	Commits      int           `json:"commits"`      // after From up to To
	Environments []Environment `json:"environments"` // all, in the file's order
	Shared       []Shared      `json:"shared,omitempty"`
}

// Commit is a commit for people.
type Commit struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"`
	Author  string    `json:"author"`
	Time    time.Time `json:"time"`
}

// Environment is one environment of one pipeline.
type Environment struct {
	Pipeline    string `json:"pipeline"` // its key, such as services/checkout
	Name        string `json:"name"`     // its short name, such as checkout
	Environment string `json:"environment"`
	Mode        string `json:"mode"` // the pipeline file's: observe, propose or auto
	// Standing is up to date, source, proposed, waiting, stopped or absent.
	Standing string `json:"standing"`
	Reason   string `json:"reason,omitempty"`
	// Landed is the newest of the commits that changed what is promoted here.
	Landed *Commit `json:"landed,omitempty"`
	// ByHand says that it landed in an environment that has upstreams.
	ByHand    bool       `json:"by_hand,omitempty"`
	Offered   *Offered   `json:"offered,omitempty"`
	Promotion *Promotion `json:"promotion,omitempty"`
	Refused   []Refusal  `json:"refused,omitempty"`
}

// Offered is what an environment's upstream offers it.
type Offered struct {
	From     string `json:"from"`
	Revision string `json:"revision"`
}

// Promotion is a pull request that would be opened.
type Promotion struct {
	Title   string   `json:"title"`
	Merge   string   `json:"merge"` // who would merge it, and what keeps it: one sentence
	Labels  []string `json:"labels,omitempty"`
	Kinds   []string `json:"kinds,omitempty"`
	Changes []Change `json:"changes"`
	Kept    []string `json:"kept,omitempty"` // values that stay the target's own
	// Then are the environments downstream that it would travel on to.
	Then []string `json:"then,omitempty"`
	// Diff is the unified diff, when it was asked for.
	Diff string `json:"diff,omitempty"`
}

// Change is one value or file.
type Change struct {
	File       string   `json:"file"`
	Value      string   `json:"value,omitempty"` // empty for a whole file
	Now        string   `json:"now"`
	After      string   `json:"after"`
	Kinds      []string `json:"kinds,omitempty"`
	Overwrites bool     `json:"overwrites,omitempty"`
	Merged     bool     `json:"merged,omitempty"`
}

// Refusal is something that cannot travel.
type Refusal struct {
	File   string `json:"file,omitempty"`
	Value  string `json:"value,omitempty"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy,omitempty"`
	// Never says that the pipeline file keeps it, by design.
	Never bool `json:"never,omitempty"`
}

// Shared is a changed file that several environments render at once.
type Shared struct {
	File    string `json:"file"`
	Reaches int    `json:"reaches"` // environments
}

// MakePlan looks at From, then at To, and says what would be promoted.
func MakePlan(ctx context.Context, src Source, o Options, diffs bool) (*Plan, error) {
	if o.From == "" {
		two, err := src.Chain(ctx, o.To, "", 2)
		if err != nil {
			return nil, err
		}
		if len(two) < 2 {
			return nil, ErrEmpty
		}
		o.From = two[1].ID
	}
	chain, forked, err := stretch(ctx, src, o.From, o.To)
	if err != nil {
		return nil, err
	}
	l, err := newLoop(src, chain, o)
	if err != nil {
		return nil, err
	}
	from, to := chain[len(chain)-1], chain[0]
	pipelines, err := l.resolve(ctx, to.ID)
	if err != nil {
		return nil, err
	}
	if _, err := l.resolve(ctx, from.ID); err != nil {
		return nil, err
	}
	if _, err := l.at(ctx, from); err != nil {
		return nil, err
	}
	res, err := l.at(ctx, to)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Version: Version, Branch: o.Repository.DefaultBranch, File: o.FileName,
		From: commitOf(from), To: commitOf(to), Forked: forked, Commits: len(chain) - 1,
	}
	modes := modesOf(pipelines)
	for i := range res.Decisions {
		e, err := l.environment(ctx, &res.Decisions[i], &res.Snapshot.Environments[i], modes, diffs)
		if err != nil {
			return nil, err
		}
		p.Environments = append(p.Environments, e)
	}
	p.Shared, err = l.shared(ctx, pipelines, chain[:len(chain)-1])
	return p, err
}

func commitOf(c promotion.Commit) Commit {
	subject, _, _ := strings.Cut(c.Message, "\n")
	return Commit{ID: c.ID, Subject: subject, Author: c.Author.Name, Time: c.Time}
}

// modesOf are the modes that the pipeline file itself gives.
func modesOf(pipelines []config.Pipeline) map[promotion.Key]config.Mode {
	modes := map[promotion.Key]config.Mode{}
	for _, p := range pipelines {
		for _, e := range p.Environments {
			modes[promotion.Key{Pipeline: p.Key, Environment: e.Name}] = e.Mode
		}
	}
	return modes
}

func (l *loop) environment(ctx context.Context, d *promotion.Decision, o *promotion.Observed, modes map[promotion.Key]config.Mode, diffs bool) (Environment, error) {
	e := Environment{
		Pipeline: o.Key.Pipeline, Name: o.Pipeline.Title, Environment: o.Key.Environment, Mode: modes[o.Key].String(),
		Standing: string(d.Standing), Reason: d.Reason,
	}
	if len(o.Landings) > 0 && o.Landings[0].Promotion == "" {
		x := o.Landings[0]
		e.Landed = &Commit{ID: x.Commit, Subject: x.Subject, Author: x.Author.Name, Time: x.Time}
		e.ByHand = len(o.Config.From) > 0
	}
	if d.Offer != nil {
		e.Offered = &Offered{From: d.Offer.From, Revision: d.Offer.Landing.Revision}
	}
	if d.Content != nil {
		for _, r := range d.Content.Refused {
			e.Refused = append(e.Refused, Refusal(r))
		}
	}
	if o.Pull == nil || !o.Pull.Open || d.Content == nil {
		return e, nil
	}
	p := &Promotion{
		Title: o.Pull.Title, Merge: merge(modes[o.Key], o, d), Labels: o.Config.Labels,
		Kinds: words(d.Content.Kinds), Kept: d.Content.Kept, Then: onward(o.Pipeline, o.Key.Environment),
	}
	for _, c := range d.Content.Changes {
		p.Changes = append(p.Changes, Change{
			File: c.File, Value: c.Value, Now: c.Now, After: c.After, Kinds: words(c.Kinds),
			Overwrites: c.Overwrites, Merged: c.Merged,
		})
	}
	if diffs {
		var err error
		if p.Diff, err = l.world.diff(ctx, o.Config.Place.Dir, d.Content.Edits); err != nil {
			return e, err
		}
	}
	e.Promotion = p
	return e, nil
}

func words(kinds []content.Kind) []string {
	var out []string
	for _, k := range kinds {
		out = append(out, string(k))
	}
	return out
}

// merge says who would merge a pull request in the file's own mode.
func merge(m config.Mode, o *promotion.Observed, d *promotion.Decision) string {
	switch m {
	case config.Observe:
		return "mode is observe: promobot would say so and open nothing"
	case config.Propose:
		return "a person merges it"
	case config.Auto:
	}
	for _, g := range d.Gates {
		if !g.Passed {
			return g.Text
		}
	}
	switch {
	case o.Config.Deliver == config.ByPush:
		return "promobot pushes it to the branch, without a pull request"
	case o.Config.Merge == config.MergeByGitHub:
		return "GitHub merges it by itself when its rules are met"
	case o.Config.Merge == config.MergeByQueue:
		return "the merge queue merges it"
	}
	return "promobot merges it as soon as GitHub allows"
}

// onward are the environments that a promotion to one travels on to, in order.
func onward(p *config.Pipeline, from string) []string {
	reached := map[string]bool{from: true}
	var out []string
	for _, e := range p.Environments {
		if e.Present && slices.ContainsFunc(e.From, func(f string) bool { return reached[f] }) && !reached[e.Name] {
			reached[e.Name] = true
			out = append(out, e.Name)
		}
	}
	return out
}

// shared are the changed files that several environments render at once: those
// under the file's `shared`, or what kustomizations have in common.
func (l *loop) shared(ctx context.Context, pipelines []config.Pipeline, chain []promotion.Commit) ([]Shared, error) {
	files, err := l.world.src.List(ctx, l.world.tip, []string{""})
	if err != nil {
		return nil, err
	}
	named := map[string]string{}
	for p, f := range files {
		switch path.Base(p) {
		case "kustomization.yaml", "kustomization.yml", "Kustomization":
			if f.Mode == "100644" || f.Mode == "100755" {
				named[p] = f.Blob
			}
		}
	}
	kustomizations, err := l.world.read(ctx, named)
	if err != nil {
		return nil, fmt.Errorf("read kustomizations: %w", err)
	}
	reach := config.SharedFromKustomizations(pipelines, kustomizations)
	var out []Shared
	seen := map[string]bool{}
	for _, c := range chain {
		for _, p := range c.Changed {
			is := l.file.Shared(p)
			if len(l.file.SharedGlobs()) == 0 {
				is = reach.Shared(p)
			}
			if !is || seen[p] {
				continue
			}
			seen[p] = true
			out = append(out, Shared{File: p, Reaches: len(reach.Of(p))})
		}
	}
	slices.SortFunc(out, func(a, b Shared) int { return strings.Compare(a.File, b.File) })
	return out, nil
}

// read gets files' bytes by the blobs they are.
func (w *world) read(ctx context.Context, files map[string]string) (map[string][]byte, error) {
	ids := make([]string, 0, len(files))
	for _, id := range files {
		ids = append(ids, id)
	}
	blobs, _, err := w.Blobs(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(files))
	for p, id := range files {
		out[p] = blobs[id]
	}
	return out, nil
}
