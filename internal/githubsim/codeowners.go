package githubsim

// CODEOWNERS: who has to approve which files (About code owners). The file is
// read from the base branch; the last pattern that matches a file decides.

import (
	"context"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// codeOwnersPaths are looked at in turn; the first that exists counts.
var codeOwnersPaths = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}

// ownerRule is one line of the file.
type ownerRule struct {
	globs  []string
	owners []string // @login or @org/team, without the @
}

// parseCodeOwners reads the lines that GitHub understands; it skips others.
func parseCodeOwners(text string) []ownerRule {
	var out []ownerRule
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		rule := ownerRule{globs: ownerGlobs(fields[0])}
		for _, owner := range fields[1:] {
			if name, is := strings.CutPrefix(owner, "@"); is {
				rule.owners = append(rule.owners, name)
			}
		}
		if len(rule.globs) > 0 {
			out = append(out, rule)
		}
	}
	return out
}

// ownerGlobs turns a pattern, which follows the rules of .gitignore, into
// globs over whole paths.
func ownerGlobs(pattern string) []string {
	rooted := strings.Contains(strings.TrimSuffix(pattern, "/"), "/")
	folder := strings.HasSuffix(pattern, "/")
	glob := strings.Trim(pattern, "/")
	if glob == "" {
		glob, rooted = "**", true
	}
	if !rooted {
		glob = "**/" + glob
	}
	out := []string{glob + "/**"}
	if !folder {
		out = append(out, glob)
	}
	if strings.HasSuffix(glob, "/*") && rooted { // docs/* is not for what lies deeper
		out = []string{glob}
	}
	return slices.DeleteFunc(out, func(g string) bool { return !doublestar.ValidatePattern(g) })
}

// ownersOf are the owners of a path, nil for none.
func ownersOf(rules []ownerRule, path string) []string {
	for _, rule := range slices.Backward(rules) {
		if slices.ContainsFunc(rule.globs, func(g string) bool { return doublestar.MatchUnvalidated(g, path) }) {
			return rule.owners
		}
	}
	return nil
}

// changedOwners are the sets of owners of what a head changes, each once.
func (st *store) changedOwners(ctx context.Context, base, head string) ([][]string, error) {
	var rules []ownerRule
	for _, path := range codeOwnersPaths {
		if o, err := st.object(base + ":" + path); err == nil && o.kind == "blob" {
			rules = parseCodeOwners(string(o.data))
			break
		}
	}
	if len(rules) == 0 {
		return nil, nil
	}
	files, err := st.pullDiff(ctx, base, head)
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, f := range files {
		owners := ownersOf(rules, f.path)
		known := slices.ContainsFunc(out, func(have []string) bool { return slices.Equal(have, owners) })
		if len(owners) > 0 && !known {
			out = append(out, owners)
		}
	}
	return out, nil
}

// owns tells whether a user is one of the owners, by name or in a team.
func (s *Server) owns(owners []string, u *user) bool {
	return slices.ContainsFunc(owners, func(owner string) bool {
		if strings.EqualFold(owner, u.login) {
			return true
		}
		t := s.activity.teams[strings.ToLower(owner)]
		if t == nil {
			return false
		}
		_, in := t.members[strings.ToLower(u.login)]
		return in
	})
}
