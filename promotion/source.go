package promotion

// Sources: what brings new revisions to an environment that comes from no
// other. Versions (releases, tags, dispatches) are accepted into the ledger
// first, newer ones only, and then offered like an upstream's landings; a
// source branch is offered as its history stands.

import (
	"fmt"
	"slices"

	"golang.org/x/mod/semver"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// versionChain is the order in which versions were accepted, newest first, down
// to what stood before the first.
func versionChain(st *state.Environment) Chain {
	if st == nil {
		return Chain{}
	}
	var cs []Commit
	for _, v := range st.Versions {
		cs = append(cs, Commit{ID: v.ID, Time: v.Time, Message: v.Name})
	}
	return NewChain(append(cs, Commit{ID: state.BaseVersion}))
}

// versionLandings are accepted versions as landings.
func versionLandings(o *Observed) []Landing {
	var ls []Landing
	for i := range o.Ledger.State.Versions {
		v := &o.Ledger.State.Versions[i]
		ls = append(ls, Landing{
			Commit: v.ID, Index: i, Revision: v.Name, Origin: o.Key.Environment,
			Digest: state.Hash("version", v.Name), Time: v.Time, Subject: v.Name, Version: v,
		})
	}
	return ls
}

// hasSource says whether an environment takes from a source of its own.
func hasSource(o *Observed) bool {
	return len(o.Config.From) == 0 && !o.Config.Managed && (o.Config.Source != nil || o.Config.Read != "")
}

// Offerers are the names of what offers to an environment: its upstreams, or
// its own source.
func Offerers(o *Observed) []string {
	if hasSource(o) {
		return []string{state.Source}
	}
	return o.Config.From
}

// standingVersion is where a source stands when its environment is first seen.
func standingVersion(o *Observed, st *state.Environment) state.Position {
	if o.Config.Source == nil {
		if len(o.Reads) > 0 {
			return state.Position{Commit: o.Reads[0].Commit}
		}
		return state.Position{}
	}
	return state.Position{Commit: newestAccepted(st)}
}

// newestAccepted is the id of the newest version that a ledger accepted.
func newestAccepted(st *state.Environment) string {
	if st != nil && len(st.Versions) > 0 {
		return st.Versions[0].ID
	}
	return state.BaseVersion
}

// accept takes a newer version into the ledger. Older ones arriving late change
// nothing.
func accept(s *Snapshot, o *Observed) (Decision, bool) {
	v := NewestOffered(o)
	if v == nil {
		return Decision{}, false
	}
	st := o.Ledger.State.Clone()
	st.Versions = accepted(s, o, st.Versions, *v)
	st.Sequence++
	reason := fmt.Sprintf("%s has come from %s", v.Name, SourceName(o.Config.Source))
	return Decision{
		Standing: Source, Reason: reason,
		Action: Append{Kind: state.KindAccepted, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, reason)},
	}, true
}

func accepted(s *Snapshot, o *Observed, before []state.Version, v Version) []state.Version {
	last := state.BaseVersion
	if len(before) > 0 {
		last = before[0].ID
	}
	n := state.Version{
		ID: state.VersionID(last, v.Name, v.Target), Name: v.Name, Target: v.Target, URL: v.URL,
		Time: v.Time, Commit: s.ChainOf(o).Tip(), Letter: v.Letter,
	}
	all := append([]state.Version{n}, before...)
	return all[:min(len(all), state.VersionsKept)]
}

// NewestOffered is the newest version that a source offers above what was
// accepted; nil when there is none.
func NewestOffered(o *Observed) *Version {
	src := o.Config.Source
	if src == nil || o.Ledger.State == nil {
		return nil
	}
	best := newest(o)
	if best == nil || len(o.Ledger.State.Versions) > 0 && !newerVersion(*best, asVersion(o.Ledger.State.Versions[0])) {
		return nil
	}
	return best
}

func asVersion(v state.Version) Version {
	return Version{Name: v.Name, Target: v.Target, Time: v.Time, Letter: v.Letter}
}

// newest is the newest of versions that count: pre-releases by choice, letters
// once, tags only as semantic versions, since nothing else says which is newer.
func newest(o *Observed) *Version {
	src, st := o.Config.Source, o.Ledger.State
	if src == nil {
		return nil
	}
	var best *Version
	vs := slices.Concat(o.Listed, o.Brought)
	for i := range vs {
		v := &vs[i]
		if !src.Prerelease && (v.Prerelease || semver.Prerelease(canonical(v.Name)) != "") {
			continue
		}
		if src.Kind == config.Tag && canonical(v.Name) == "" || v.Name == "" {
			continue
		}
		if v.Letter != "" && st != nil && slices.ContainsFunc(st.Versions, func(x state.Version) bool { return x.Letter == v.Letter }) {
			continue
		}
		if best == nil || newerVersion(*v, *best) {
			best = v
		}
	}
	return best
}

// newerVersion orders two versions: semantic versions by their order, all else
// by the time at which they came. A version is not newer than itself.
func newerVersion(a, b Version) bool {
	if a.Name == b.Name {
		return false
	}
	x, y := canonical(a.Name), canonical(b.Name)
	if x != "" && y != "" {
		return semver.Compare(x, y) > 0
	}
	return a.Time.After(b.Time)
}

// canonical is a version as golang.org/x/mod/semver reads it, with or without
// its v and without a digest; "" when it is no semantic version.
func canonical(name string) string {
	name = content.VersionTag(name)
	if len(name) > 0 && name[0] != 'v' {
		name = "v" + name
	}
	if !semver.IsValid(name) {
		return ""
	}
	return name
}

// SourceName is a source for people.
func SourceName(src *config.VersionSource) string {
	switch {
	case src == nil:
		return "its source branch"
	case src.Kind == config.Dispatch:
		return "dispatch " + src.Type
	}
	return fmt.Sprintf("%s of %s", src.Kind, src.Repository)
}

// fromName is where a promotion comes from, for people: an environment, or the
// environment's own source.
func fromName(o *Observed, from string) string {
	switch {
	case from != state.Source:
		return from
	case o.Config.Source == nil && o.Config.Read == "":
		return "its source" // which the pipeline file does not name any more
	}
	return SourceName(o.Config.Source)
}
