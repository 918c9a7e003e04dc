// Package config is the pipeline file, .github/promobot.yml: parsed strictly,
// checked with line, column and remedy, and resolved over the files of a
// repository into pipelines of environments with their effective settings.
//
// It is pure: bytes and path lists in, values and problems out.
package config

import (
	"fmt"

	"github.com/promobot/promobot/promotion/content"
)

// Path is where the pipeline file stands on the default branch.
const Path = ".github/promobot.yml"

// Mode is how far promobot goes in an environment; a lower one wins.
type Mode int

// The modes, from the most careful to the most capable.
const (
	Observe Mode = iota + 1 // decisions on checks and pages only
	Propose                 // pull requests that people merge
	Auto                    // promobot merges
)

// Problem is one thing wrong with a pipeline file.
type Problem struct {
	File         string
	Line, Column int    // 1-based
	Message      string // what is wrong, in the file's own words
	Remedy       string // what to write instead
}

// Error is "file:line:column: message (remedy)".
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Remedy != "" {
		s += "; " + p.Remedy
	}
	return s
}

// Problems are all that is wrong with a pipeline file, in the file's order.
type Problems []Problem

// Source is where a setting was said: a line of the pipeline file, or 0 for a default.
type Source struct {
	Line int
	What string // such as "environments.staging.mode", "overrides[0].mode" or "default"
}

// Setting is one effective setting of an environment, for `promobot explain`.
type Setting struct {
	Key, Value string
	From       Source
}

// Limits bound what promobot opens.
type Limits struct {
	Open           int // open promotion pull requests in the repository
	PerHour        int // promotions claimed in the repository within an hour
	PerEnvironment int // open promotion pull requests of one environment over all pipelines
}

// Pipeline is one flow of environments, after for_each.
type Pipeline struct {
	// Key identifies the pipeline in the repository: the name in the file, and
	// for for_each the values joined to it by slashes, as services/checkout.
	// It may hold any bytes that a folder's name may (c++, spaces).
	Key string
	// Group is the name in the file; Title is the short name for people: the
	// values of for_each, or the group.
	Group, Title string
	Line         int
	// Environments are in topological order: every one after those it is from
	// and after. Optional ones that the pipeline has not are left out.
	Environments []Environment
}

// Environment is one environment of one pipeline with its effective settings.
type Environment struct {
	Name  string
	From  []string // upstreams, optional absent ones replaced by theirs; empty for a first environment
	After []string // order without content
	Mode  Mode
	// Verified is true when nothing has to be verified here: a landing counts as
	// verified when it has landed. That is so with verify: none, and where
	// nothing is said of verify, below which no mode is auto.
	Verified bool
	Optional bool
	// Present is false when the environment has no file for this pipeline.
	// Blocked says why nothing can be promoted here, with what to do: an absent
	// environment that is not optional, say.
	Present   bool
	Blocked   string
	Reconcile bool // start: reconcile
	Place     content.Place
	Allow     []content.Kind
	Limit     int      // limits.per_environment: open promotions of this environment over all pipelines
	Never     []string // defaults and the file's: globs of files and value paths
	Labels    []string
	Assignees []string
	Reviewers []string // logins; org/team for teams
	Title     string   // templates; empty for the built-in ones
	Body      string
	Line      int
	Settings  []Setting
}
