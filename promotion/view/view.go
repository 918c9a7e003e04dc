// Package view is what pages, the JSON API and the terminal show of a repository:
// what the loop saw and decided in its newest run, as plain values. The loop makes
// it, a store keeps it, and whoever shows it asks GitHub nothing.
//
// Its types are what /api/v1 answers: fields are added, never renamed or removed,
// and Version says when that had to be broken.
package view

import "time"

// Version is the version of these types as JSON.
const Version = 1

// Repository is everything that is shown of one repository.
type Repository struct {
	Version       int       `json:"version"`
	ID            int64     `json:"id"`
	Installation  int64     `json:"installation"`
	Owner         string    `json:"owner"`
	Name          string    `json:"name"`
	URL           string    `json:"url"`            // on GitHub
	DefaultBranch string    `json:"default_branch"` //
	Archived      bool      `json:"archived,omitempty"`
	At            time.Time `json:"at"`             // of the run
	Next          time.Time `json:"next,omitzero"`  // of the run that follows without an event
	File          string    `json:"file,omitempty"` // name of the pipeline file; "" when there is none
	FileURL       string    `json:"file_url,omitempty"`
	Problems      []Problem `json:"problems,omitempty"` // of the pipeline file; with any, Pipelines may be empty
	// Error says why the newest run could not look at the repository: all else is
	// as of the last one that could.
	Error     string     `json:"error,omitempty"`
	ErrorAt   time.Time  `json:"error_at,omitzero"`
	Pipelines []Pipeline `json:"pipelines,omitempty"`
}

// Problem is something wrong with the pipeline file.
type Problem struct {
	Line int    `json:"line,omitempty"` // 1-based; 0 when it has none
	Text string `json:"text"`
	URL  string `json:"url,omitempty"` // of the line
}

// Pipeline is one pipeline, its environments in the file's order, upstreams first.
type Pipeline struct {
	Key          string        `json:"key"`   // such as services/checkout
	Title        string        `json:"title"` // its short name, such as checkout
	Environments []Environment `json:"environments"`
}

// Environment is one environment of one pipeline: what stands, what comes, what is
// waited for, and what happened.
type Environment struct {
	Pipeline   string   `json:"pipeline"`
	Name       string   `json:"name"`
	From       []string `json:"from,omitempty"` // upstreams
	Mode       string   `json:"mode"`           // observe, propose or auto
	Production bool     `json:"production,omitempty"`
	Folder     string   `json:"folder,omitempty"` // path it lies at, where it is one
	Branch     string   `json:"branch"`           // base branch
	Line       int      `json:"line,omitempty"`   // of the pipeline file

	// Standing is promotion.Standing; Reason one sentence; Until when it changes
	// by itself, if that is known.
	Standing string    `json:"standing"`
	Reason   string    `json:"reason,omitempty"`
	Until    time.Time `json:"until,omitzero"`
	// Needs is what a person has to do, one sentence; "" for nothing. NeedsSince is
	// since when.
	Needs      string    `json:"needs,omitempty"`
	NeedsSince time.Time `json:"needs_since,omitzero"`

	Current *Landing `json:"current,omitempty"` // what stands; nil before the baseline
	Behind  int      `json:"behind"`            // newer landings upstream
	Offered *Landing `json:"offered,omitempty"` // the upstream's landing that is to come here
	// Promotion is the newest one, under way or ended.
	Promotion *Promotion `json:"promotion,omitempty"`
	// Earlier are those before it, newest first, as far back as Entries reach; at
	// most ten.
	Earlier []Promotion `json:"earlier,omitempty"`
	Gates   []Gate      `json:"gates,omitempty"` // of the promotion under way
	// Would is what the offer would change, where no promotion is under way.
	Would    []Change   `json:"would,omitempty"`
	Watch    *Watch     `json:"watch,omitempty"` // of the newest landing, while it has no verdict
	Verdicts []Verdict  `json:"verdicts,omitempty"`
	Failure  *Failure   `json:"failure,omitempty"`
	Hold     *Hold      `json:"hold,omitempty"`
	Rejected []Rejected `json:"rejected,omitempty"`
	// Actions are what a person could do now, the most sensible first. Whether a
	// given person may is another question.
	Actions []Action `json:"actions,omitempty"`
	// Entries are the newest of the ledger, newest first; Sequence is how many
	// there are in all.
	Entries  []Entry `json:"entries,omitempty"`
	Sequence int     `json:"sequence,omitempty"`
	// Shadow is what auto would have done, in modes observe and propose.
	Shadow *Shadow `json:"shadow,omitempty"`
}

// Landing is a revision that stands, or stood, in an environment.
type Landing struct {
	Commit      string    `json:"commit"`   // on the base branch
	Revision    string    `json:"revision"` // commit, or the id of a version
	Title       string    `json:"title"`    // for people: "1.42.0", or the short commit
	Subject     string    `json:"subject,omitempty"`
	Author      string    `json:"author,omitempty"`
	Since       time.Time `json:"since"`
	PullRequest int       `json:"pull_request,omitempty"`
	URL         string    `json:"url,omitempty"` // of the pull request, else of the commit
	By          string    `json:"by,omitempty"`  // who merged or pushed it
	Reverts     bool      `json:"reverts,omitempty"`
	Mixed       bool      `json:"mixed,omitempty"` // not exactly what was promoted
	Verified    bool      `json:"verified,omitempty"`
	// Baseline says that it stood there when promobot first looked: nothing has
	// landed since.
	Baseline bool `json:"baseline,omitempty"`
}

// Promotion is one attempt to land one revision.
type Promotion struct {
	ID          string    `json:"id"`
	Title       string    `json:"title"` // of its pull request
	Status      string    `json:"status"`
	Revision    string    `json:"revision"`
	From        string    `json:"from"`
	Attempt     int       `json:"attempt"`
	Rebuild     int       `json:"rebuild,omitempty"`
	Base        string    `json:"base"`
	Commit      string    `json:"commit"`
	Branch      string    `json:"branch,omitempty"`
	Claimed     time.Time `json:"claimed"`
	Ended       time.Time `json:"ended,omitzero"`
	PullRequest int       `json:"pull_request,omitempty"`
	URL         string    `json:"url,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	By          string    `json:"by,omitempty"`
	Reverts     string    `json:"reverts,omitempty"` // id of the promotion that it takes back
	Landed      string    `json:"landed,omitempty"`  // commit on the base branch that it came to be
	Approval    string    `json:"approval,omitempty"`
	Past        []string  `json:"past,omitempty"` // gates that a person let it pass, "window (@ana)"
	Changes     []Change  `json:"changes,omitempty"`
}

// Change is one value or file that a promotion changes.
type Change struct {
	File  string `json:"file"`
	Value string `json:"value,omitempty"` // empty for a whole file
	Now   string `json:"now"`
	After string `json:"after"`
}

// Gate is one thing that must hold before a promotion merges.
type Gate struct {
	Name   string    `json:"name"`
	Passed bool      `json:"passed"`
	Text   string    `json:"text"`
	Line   int       `json:"line,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	Waits  bool      `json:"waits,omitempty"` // nothing is for a person to do
}

// Watch is what is observed of a landing that has no verdict yet.
type Watch struct {
	Landing  string     `json:"landing"`
	Since    time.Time  `json:"since"`
	Holding  time.Time  `json:"holding,omitzero"`
	Failing  time.Time  `json:"failing,omitzero"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Verdict is the outcome of one landing's verification: verified, failed or given up.
type Verdict struct {
	Landing  string     `json:"landing"`
	Revision string     `json:"revision"`
	Outcome  string     `json:"outcome"`
	Reason   string     `json:"reason"`
	Time     time.Time  `json:"time"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Evidence is one check, status, deployment or workflow run.
type Evidence struct {
	Name    string    `json:"name"`
	Outcome string    `json:"outcome"`
	Commit  string    `json:"commit"`
	URL     string    `json:"url,omitempty"`
	Text    string    `json:"text,omitempty"`
	Time    time.Time `json:"time"`
}

// Failure is what went wrong last, and what was done about it.
type Failure struct {
	Kind   string    `json:"kind"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Over   bool      `json:"over,omitempty"` // nothing more is done about it by itself
	Steps  []Step    `json:"steps,omitempty"`
}

// Step is one step of the failure policy that was taken.
type Step struct {
	Do     string    `json:"do"`
	Time   time.Time `json:"time"`
	Result string    `json:"result,omitempty"`
	URL    string    `json:"url,omitempty"`
}

// Hold stops an environment.
type Hold struct {
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"`
}

// Rejected is content that is not offered here again.
type Rejected struct {
	Revision string    `json:"revision"`
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`
}

// Action is a command that applies to an environment now.
type Action struct {
	Name    string `json:"name"`             // of the command: promote, retry, rollback, hold, resume, approve …
	Label   string `json:"label"`            // at most 20 characters, as GitHub's buttons have
	Command string `json:"command"`          // what a comment would say after "/promobot "
	Asks    string `json:"asks,omitempty"`   // what will happen, for an action that wants a confirmation
	Danger  bool   `json:"danger,omitempty"` // takes back or passes a gate
	// PullRequest is what the command is about when it names no environment: it goes
	// with the press as its issue.
	PullRequest int `json:"pull_request,omitempty"`
	// Does says in a few words what it does.
	Does string `json:"does,omitempty"`
	// Button goes with the press: with it, a press on a page that is out of date
	// does nothing, since it is about what was shown there.
	Button string `json:"button,omitempty"`
}

// Entry is one entry of an environment's ledger.
type Entry struct {
	Commit   string    `json:"commit"`
	Kind     string    `json:"kind"`
	Sentence string    `json:"sentence"`
	Time     time.Time `json:"time"`
	URL      string    `json:"url,omitempty"` // of what it is about: a pull request, a commit, a run
	// Promotion is the id of the environment's newest promotion at that time.
	Promotion string `json:"promotion,omitempty"`
	// Revision is what it is about, and By who did it, where it says so.
	Revision    string `json:"revision,omitempty"`
	By          string `json:"by,omitempty"`
	PullRequest int    `json:"pull_request,omitempty"`
	Mixed       bool   `json:"mixed,omitempty"`   // what landed is not exactly what was promoted
	Reverts     string `json:"reverts,omitempty"` // revision that a rollback takes back
}

// Shadow counts what auto would have done against what people did with the offers
// since a time, at most ShadowDays. It knows promobot's own gates: what GitHub's
// rules would have asked for besides is not read where promobot does not merge.
type Shadow struct {
	Since    time.Time `json:"since"`
	Offered  int       `json:"offered"`  // what auto would have merged
	Same     int       `json:"same"`     // people merged or did exactly that
	Changed  int       `json:"changed"`  // people landed something else
	Closed   int       `json:"closed"`   // people closed it
	Reverted int       `json:"reverted"` // people took it back, or it failed and was taken back
	Open     int       `json:"open"`     // not decided yet
	// Sooner is how much sooner, on average, auto would have landed what people
	// landed just so.
	Sooner time.Duration `json:"sooner,omitempty"`
	Cases  []ShadowCase  `json:"cases,omitempty"` // newest first
}

// ShadowCase is one offer and what became of it. One that something newer followed
// before people decided shares that one's fate.
type ShadowCase struct {
	Revision string    `json:"revision"`
	Title    string    `json:"title"`
	Seen     time.Time `json:"seen"` // when it was first offered
	// Auto is when auto would have merged; zero: it would not have, or not yet. Only
	// what has it is counted.
	Auto        time.Time `json:"auto,omitzero"`
	People      string    `json:"people"` // same, changed, closed, reverted or open
	At          time.Time `json:"at,omitzero"`
	PullRequest int       `json:"pull_request,omitempty"`
	URL         string    `json:"url,omitempty"`
	// Was and Expected are digests of what is promoted here, before and after it.
	Was      string `json:"was,omitempty"`
	Expected string `json:"expected,omitempty"`
}

// Answer is what became of an action that a person asked for on a page or by a
// button of a check run.
type Answer struct {
	ID          string    `json:"id"` // the letter's
	By          string    `json:"by"`
	Command     string    `json:"command"`
	Done        bool      `json:"done"` // every part of it is carried out
	Says        []string  `json:"says"`
	At          time.Time `json:"at"`
	Environment string    `json:"environment,omitempty"` // pipeline/environment
}
