package config

// Names of checks, deployments and workflows, and the patterns that mean them.
//
// Rules: * stands for any part of a name, slashes too, and a backslash protects
// the character after it; nothing else means anything, since such names hold
// brackets, braces and question marks of their own.

import "strings"

// escapeName protects a value inside a name.
func escapeName(s string) string { return strings.NewReplacer(`\`, `\\`, `*`, `\*`).Replace(s) }

// MatchesName says whether a pattern of verify means a name: * stands for any
// part, slashes too, and a backslash protects the character after it. All other
// characters stand for themselves.
func MatchesName(pattern, name string) bool {
	// Where a star was met last, and how much of the name it stands for so far:
	// only the last star ever has to be tried again.
	star, taken := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, taken = p, n
			p++
			continue
		case p+1 < len(pattern) && pattern[p] == '\\' && pattern[p+1] == name[n]:
			p, n = p+2, n+1
			continue
		case p < len(pattern) && pattern[p] != '\\' && pattern[p] == name[n]:
			p, n = p+1, n+1
			continue
		case star < 0:
			return false
		}
		taken++
		p, n = star+1, taken
	}
	return strings.Trim(pattern[p:], "*") == ""
}
