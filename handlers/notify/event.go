// Package notify tells receivers outside, such as a Slack channel, what happens
// in environments: what waits for a person, failed, was rolled back or is halted,
// and more by choice.
//
// Rules:
//
//   - What is told comes from what the loop shows (promotion/view), as it stands:
//     no event is needed for it, and one that is lost costs nothing. Every thing
//     has an id of its own, from the ledger, so that it is told once.
//   - The loop never waits for a receiver, nor does one receiver for another.
//   - A receiver's URL is a secret: it is in no log and no error.
//   - Names, values and reasons come from repositories. They are escaped for where
//     they go.
package notify

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

// Kind is what kind of thing happened.
type Kind string

// The kinds.
const (
	Waiting    Kind = "waiting"     // a person has to do something
	Failed     Kind = "failed"      // a landing failed its verification, a push or merge was refused for good
	RolledBack Kind = "rolled_back" // what failed was taken back
	Halted     Kind = "halted"      // nothing more is done by itself until a person acts
	Opened     Kind = "opened"      // a promotion's pull request
	Landed     Kind = "landed"      // a promotion
	Verified   Kind = "verified"    // a landing
	Held       Kind = "held"        // an environment, by a person or by what happened
	Resumed    Kind = "resumed"     // a hold is over
)

// Kinds are all kinds, the gravest first, and Defaults those that receivers are
// told of who say nothing.
var (
	Kinds    = []Kind{RolledBack, Halted, Failed, Held, Waiting, Resumed, Verified, Landed, Opened}
	Defaults = []Kind{Waiting, Failed, RolledBack, Halted}
)

// trouble are kinds that tell of one thing when they come at once: the gravest
// is told.
var trouble = []Kind{RolledBack, Halted, Failed, Held, Waiting}

// Event is one thing that happened in an environment, or to a repository's
// pipeline file. It is what receivers of kind webhook get, as JSON.
type Event struct {
	Version     int       `json:"version"` // 1
	ID          string    `json:"id"`      // the same for the same thing
	Kind        Kind      `json:"kind"`
	At          time.Time `json:"at"`
	Repository  string    `json:"repository"` // owner/name
	Pipeline    string    `json:"pipeline,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Production  bool      `json:"production,omitempty"`
	Title       string    `json:"title"`           // at a glance
	Text        string    `json:"text,omitempty"`  // what happened, one sentence
	Needs       string    `json:"needs,omitempty"` // what a person has to do; "" for nothing
	Revision    string    `json:"revision,omitempty"`
	URL         string    `json:"url,omitempty"` // where to look
	// Message is what the receiver's template makes of it.
	Message string `json:"message,omitempty"`
	// short is the pipeline's title.
	short string
}

// Events are the things that a view tells of, in the order of environments, the
// oldest first: all that it still shows, however long ago they happened.
func Events(r view.Repository) []Event {
	all := fileEvents(r)
	for i := range r.Pipelines {
		p := &r.Pipelines[i]
		for j := range p.Environments {
			all = append(all, environmentEvents(r, p, &p.Environments[j])...)
		}
	}
	return all
}

// fileEvents say that the pipeline file has to be mended.
func fileEvents(r view.Repository) []Event {
	if len(r.Problems) == 0 {
		return nil
	}
	var parts []string
	for _, p := range r.Problems {
		parts = append(parts, strconv.Itoa(p.Line), p.Text)
	}
	first := r.Problems[0]
	text := first.Text
	if n := len(r.Problems) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	e := Event{
		Kind: Waiting, At: r.At, Repository: r.Owner + "/" + r.Name, Text: text, Needs: "Mend the pipeline file: until then nothing is promoted.",
		Title: r.Owner + "/" + r.Name + ": the pipeline file is wrong", URL: firstOf(first.URL, r.FileURL, r.URL),
	}
	e.ID = id(r.ID, "", "", "file", parts...)
	return []Event{e}
}

func environmentEvents(r view.Repository, p *view.Pipeline, v *view.Environment) []Event {
	s := scribe{repository: r, pipeline: p, environment: v}
	for i := range slices.Backward(v.Entries) {
		s.entry(i)
	}
	for _, verdict := range slices.Backward(v.Verdicts) {
		s.verdict(verdict)
	}
	s.standing()
	slices.SortStableFunc(s.events, func(a, b Event) int { return a.At.Compare(b.At) })
	return s.events
}

// scribe writes down what one environment's view tells of.
type scribe struct {
	repository  view.Repository
	pipeline    *view.Pipeline
	environment *view.Environment
	events      []Event
}

// add adds an event; key tells it from all others of its kind there.
func (s *scribe) add(kind Kind, at time.Time, text, url string, key ...string) {
	v := s.environment
	e := Event{
		ID: id(s.repository.ID, v.Pipeline, v.Name, string(kind), key...), Kind: kind, At: at,
		Repository: s.repository.Owner + "/" + s.repository.Name, Pipeline: v.Pipeline, Environment: v.Name, Production: v.Production,
		Text: text, URL: firstOf(url, s.repository.URL), short: s.pipeline.Title,
	}
	e.Title = fmt.Sprintf("%s %s %s", firstOf(s.pipeline.Title, v.Pipeline), v.Name, became[kind])
	if slices.Contains(trouble, kind) {
		e.Needs = v.Needs
	}
	if v.Current != nil {
		e.Revision = v.Current.Revision
	}
	s.events = append(s.events, e)
}

// became ends a title.
var became = map[Kind]string{
	Waiting: "waits for a person", Failed: "failed", RolledBack: "was rolled back", Halted: "is halted", Opened: "has a new pull request",
	Landed: "has landed", Verified: "is verified", Held: "is held", Resumed: "goes on",
}

// rolled is how the ledger's sentence of a rollback's landing begins, after the
// environment's name.
var rolled = regexp.MustCompile(`^#[0-9]+ rolled `)

// entry is for the things of which each is one entry of the ledger.
func (s *scribe) entry(i int) {
	v := s.environment
	entry := v.Entries[i]
	text := strings.TrimPrefix(entry.Sentence, v.Pipeline+"/"+v.Name+": ")
	switch state.Kind(entry.Kind) {
	case state.KindOpened:
		s.add(Opened, entry.Time, text, entry.URL, entry.Commit)
	case state.KindLanded:
		kind := Landed
		newest := !slices.ContainsFunc(v.Entries[:i], func(e view.Entry) bool { return e.Kind == entry.Kind })
		if rolled.MatchString(text) || newest && v.Current != nil && v.Current.Reverts {
			kind = RolledBack
		}
		s.add(kind, entry.Time, text, entry.URL, entry.Commit)
	case state.KindResume:
		s.add(Resumed, entry.Time, text, entry.URL, entry.Commit)
	default:
	}
}

func (s *scribe) verdict(verdict view.Verdict) {
	v := s.environment
	text, url := verdict.Reason, ""
	for _, entry := range v.Entries {
		if entry.Kind == string(state.KindVerdict) && entry.Time.Sub(verdict.Time).Abs() < 2*time.Second {
			text, url = strings.TrimPrefix(entry.Sentence, v.Pipeline+"/"+v.Name+": "), entry.URL
		}
	}
	for _, evidence := range verdict.Evidence {
		url = firstOf(url, evidence.URL)
	}
	switch state.Outcome(verdict.Outcome) {
	case state.Verified:
		s.add(Verified, verdict.Time, text, url, verdict.Landing)
	case state.Failed:
		s.add(Failed, verdict.Time, text, url, verdict.Landing)
	case state.GivenUp:
		s.add(Halted, verdict.Time, text, url, verdict.Landing)
	}
}

// standing is for the things that are so now.
func (s *scribe) standing() {
	v := s.environment
	url := ""
	if v.Promotion != nil {
		url = v.Promotion.URL
	}
	if f := v.Failure; f != nil {
		if f.Kind == "push" || f.Kind == "merge" {
			s.add(Failed, f.Since, f.Reason, url, f.Kind, stamp(f.Since))
		}
		if f.Over && v.Hold != nil {
			s.add(Halted, later(f.Since, v.Hold.Since), firstOf(v.Reason, f.Reason), url, stamp(f.Since))
		}
	}
	if h := v.Hold; h != nil {
		s.add(Held, h.Since, firstOf(h.Reason, v.Reason), url, stamp(h.Since), h.By)
	}
	if v.Needs == "" {
		return
	}
	// What it waits for may be said differently from look to look: it is the same
	// as long as it is about the same promotion, or the same stop.
	at := v.NeedsSince
	switch p := v.Promotion; {
	case v.Hold != nil && at.Equal(v.Hold.Since): // also while its rollback is under way
		s.add(Waiting, at, v.Reason, url, "hold", stamp(at))
	case v.Failure != nil && at.Equal(v.Failure.Since):
		s.add(Waiting, at, v.Reason, url, "failure", stamp(at))
	case p != nil && !state.Status(p.Status).Ended():
		s.add(Waiting, firstTime(at, p.Claimed, s.repository.At), v.Reason, url, "promotion", p.ID)
	case v.Hold != nil:
		s.add(Waiting, firstTime(at, v.Hold.Since, s.repository.At), v.Reason, url, "hold", stamp(v.Hold.Since))
	case v.Failure != nil:
		s.add(Waiting, firstTime(at, v.Failure.Since, s.repository.At), v.Reason, url, "failure", stamp(v.Failure.Since))
	default:
		s.add(Waiting, firstTime(at, s.repository.At), v.Reason, url, "standing", v.Standing, stamp(at))
	}
}

// id is the same for the same thing, and short enough for a header.
func id(repository int64, pipeline, environment, kind string, key ...string) string {
	parts := append([]string{strconv.FormatInt(repository, 10), pipeline, environment, kind}, key...)
	return state.Hash(parts...)[:32]
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
