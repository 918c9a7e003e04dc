package config

// The failure policy, on_failure: what is tried, one after the other, when a
// promotion or its verification has failed.
//
// Rules: a step's name alone has sensible limits; restart and repromote after a
// failed verification must be asked for, since the same content mostly fails
// again; a step that can never be taken is refused, because whoever wrote it
// counts on it. Nothing said is [halt].

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	maxSteps  = 20
	maxRepeat = 20
	// GitHub takes 25 inputs of a workflow ("Create a workflow dispatch event",
	// REST API documentation) and 10 keys of a client_payload ("Create a
	// repository dispatch event").
	maxInputs      = 25
	maxPayloadKeys = 10
	// PayloadKey is the key of a client_payload under which all particulars are.
	PayloadKey = "promotion"
)

// Particulars are what a recovery is told of the promotion: inputs of a
// workflow, or keys below [PayloadKey] of a client_payload.
var Particulars = []string{"pipeline", "environment", "revision", "landing", "pull_request", "kind", "reason", "nonce"}

// stepDefault is what a step's name alone means.
type stepDefault struct {
	kind    StepKind
	limit   int
	backoff time.Duration
	when    []FailureKind
}

// everyFailure is all that can fail.
var everyFailure = []FailureKind{PushFailed, MergeFailed, VerificationFailed, TimedOut}

// stepDefaults are the steps in the order of their table.
var stepDefaults = []stepDefault{
	{Restart, 3, time.Minute, []FailureKind{PushFailed, MergeFailed}},
	{Repromote, 1, 5 * time.Minute, []FailureKind{PushFailed, MergeFailed}},
	{Rollback, 1, 0, []FailureKind{VerificationFailed, TimedOut}},
	{Run, 1, 0, []FailureKind{VerificationFailed, TimedOut}},
	{Halt, 1, 0, everyFailure},
}

const defaultRunTimeout = 30 * time.Minute

// stepSpec is one step as written.
type stepSpec struct {
	position
	do      StepKind
	limit   said[int]
	backoff said[time.Duration]
	when    said[[]said[FailureKind]]
	scope   said[Scope]
	run     runSpec
}

// runSpec is what `run` has of its own.
type runSpec struct {
	workflow, event, ref said[string]
	inputs               said[[]named[said[string]]]
	idempotent           said[bool]
	timeout              said[time.Duration]
}

var (
	inputRegexp    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,99}$`)
	workflowRegexp = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.ya?ml$`)

	workflowShape = text("a workflow's file name", 105, matching(workflowRegexp, "write the name of a file in .github/workflows, as recover.yml", "workflow's file name"))
	eventShape    = text("an event_type", 100, checkWord("an event_type", 100))
	refShape      = text("a branch", 200, func(s string) *refusal {
		if bad := checkBranchName(s); bad != nil || strings.Contains(s, "$") {
			return refuse("write the branch's name, as main", "%s is no branch", clip(s))
		}
		return nil
	})
	inputShape = text("a name", 100, matching(inputRegexp, "use letters, digits, - and _, beginning with a letter or _", "name of an input"))

	inputText = scalar("a text", textType, schema{"type": "string", "maxLength": 1000}, func(s string) (string, *refusal) {
		if utf8.RuneCountInString(s) > 1000 {
			return "", refuse("shorten it", "the text is longer than 1000 characters")
		}
		return s, nil
	})

	whenShape = listOf(convert(oneOf(string(PushFailed), string(MergeFailed), string(VerificationFailed), string(TimedOut)),
		func(s string) FailureKind { return FailureKind(s) }))
	scopeShape = convert(oneOf(string(ScopeEnvironment), string(ScopeDownstream), string(ScopeAll)), func(s string) Scope { return Scope(s) })

	stepMapping   = object("step", "One step with its settings.", false, stepFields())
	bareStep      = oneOf(string(Restart), string(Repromote), string(Rollback), string(Run), string(Halt))
	onFailureList = listOf(stepShape)
)

// stepShape is a step's name, or a mapping of one name to its settings.
var stepShape = shape[stepSpec]{
	words: "restart, repromote, rollback or halt, or " + stepMapping.words,
	schema: func(g *schemas) schema {
		mapping := stepMapping.schema(g)
		mapping["minProperties"], mapping["maxProperties"] = 1, 1
		return schema{"anyOf": []any{schema{"enum": []any{string(Restart), string(Repromote), string(Rollback), string(Halt)}}, mapping}}
	},
	read: func(d *decoder, path string, n *yaml.Node) (stepSpec, bool) {
		n = deref(n)
		if n.Kind == yaml.MappingNode {
			switch len(n.Content) / 2 {
			case 0:
				d.at(n, path+" names no step", "write one of restart, repromote, rollback, run and halt")
				return stepSpec{}, false
			case 1:
				return stepMapping.read(d, path, n)
			}
			d.at(n, path+" has several keys: their order would not be known", "write each step as an item of a list, as [restart, rollback]")
			return stepSpec{}, false
		}
		v, ok := bareStep.read(d, path, n)
		if ok && v.value == string(Run) {
			d.at(n, path+": run alone runs nothing", "say what, as run: {workflow: recover.yml}")
			return stepSpec{}, false
		}
		return stepSpec{position: v.position, do: StepKind(v.value)}, ok
	},
}

// policyShape is on_failure.
var policyShape = shape[said[[]stepSpec]]{
	words: onFailureList.words, schema: onFailureList.schema,
	read: func(d *decoder, path string, n *yaml.Node) (said[[]stepSpec], bool) {
		p, ok := onFailureList.read(d, path, n)
		if ok {
			ok = checkSteps(d, path, p)
		}
		return p, ok
	},
}

// stepFields are the steps as keys of a mapping.
func stepFields() []field[stepSpec] {
	return []field[stepSpec]{
		stepField(Restart, "3 times, a minute apart, after push or merge", "the same promotion from the beginning: built anew on today's base, in the same pull request where it still stands. After a failed verification: the verification begins anew",
			object("step_again", "", true, againFields())),
		stepField(Repromote, "once, after 5 minutes, after push or merge", "this promotion ends as failed, and a new attempt with a pull request of its own is made like it",
			object("step_again", "", true, againFields())),
		stepField(Rollback, "this environment, after verification or timeout", "a pull request that returns the environment to the state before. At most one for a landing",
			object("step_rollback", "", true, rollbackFields())),
		stepField(Run, "once, after verification or timeout", "your own recovery; how it ends decides what comes next: where it succeeds, the verification begins anew, else the next step is taken",
			runShape()),
		stepField(Halt, "after everything", "stop, hold the environment, and say so. Nothing comes after it",
			object("step_halt", "", true, []field[stepSpec]{whenField()})),
	}
}

// stepField is a step's name with its settings.
func stepField(kind StepKind, fallback, rule string, s shape[stepSpec]) field[stepSpec] {
	return field[stepSpec]{
		name: string(kind), words: s.words, fallback: fallback, rule: rule, schema: s.schema,
		read: func(d *decoder, path string, n *yaml.Node, into *stepSpec) {
			at := into.position
			*into, _ = s.read(d, path, n)
			into.position, into.do = at, kind
		},
	}
}

func limitField() field[stepSpec] {
	return key("limit", number(maxRepeat), "see `on_failure`", "how often, for one promotion", func(s *stepSpec) *said[int] { return &s.limit })
}

func backoffField() field[stepSpec] {
	return key("backoff", intervalShape, "restart 1m, repromote 5m, else 0s", "how long after the failure, or after the step before, at the earliest",
		func(s *stepSpec) *said[time.Duration] { return &s.backoff })
}

func whenField() field[stepSpec] {
	return key("when", whenShape, "see `on_failure`", "after which failures: GitHub refused the branch (`push`) or the merge (`merge`), a check says so (`verification`), or its time is over (`timeout`)",
		func(s *stepSpec) *said[[]said[FailureKind]] { return &s.when })
}

func againFields() []field[stepSpec] {
	return []field[stepSpec]{limitField(), backoffField(), whenField()}
}

func rollbackFields() []field[stepSpec] {
	return []field[stepSpec]{
		key("scope", scopeShape, "environment", "`environment`: this one. `downstream`: those after it, too. `all`: every environment of the pipeline that carries the revision, the furthest first",
			func(s *stepSpec) *said[Scope] { return &s.scope }),
		backoffField(), whenField(),
	}
}

func runFields() []field[stepSpec] {
	return []field[stepSpec]{
		key("workflow", workflowShape, "", "a workflow with `workflow_dispatch`, by its file name. It has to declare the inputs "+strings.Join(Particulars, ", ")+", and to have `${{ inputs.nonce }}` in its `run-name`, by which its run is found again",
			func(s *stepSpec) *said[string] { return &s.run.workflow }),
		key("event", eventShape, "", "the `event_type` of a `repository_dispatch`; the particulars stand in its `client_payload` under `"+PayloadKey+"`. A workflow that it starts has to have `${{ github.event.client_payload."+PayloadKey+".nonce }}` in its `run-name`",
			func(s *stepSpec) *said[string] { return &s.run.event }),
		key("ref", refShape, "the default branch", "with workflow: the branch it runs on",
			func(s *stepSpec) *said[string] { return &s.run.ref }),
		key("inputs", mapOf("a text", inputShape, inputText), "none", fmt.Sprintf("more inputs: at most %d of a workflow, at most %d keys of a payload", maxInputs-len(Particulars), maxPayloadKeys-1),
			func(s *stepSpec) *said[[]named[said[string]]] { return &s.run.inputs }),
		key("idempotent", boolShape, "false", "true: it may be sent again when it cannot be told whether it was begun. Else the next step is taken then",
			func(s *stepSpec) *said[bool] { return &s.run.idempotent }),
		key("timeout", intervalShape, Interval(defaultRunTimeout).String(), "how long it may take",
			func(s *stepSpec) *said[time.Duration] { return &s.run.timeout }),
		limitField(), backoffField(), whenField(),
	}
}

// runShape checks what it reads, since its keys depend on each other.
func runShape() shape[stepSpec] {
	s := object("step_run", "Your own recovery: exactly one of workflow and event.", false, runFields())
	read := s.read
	s.read = func(d *decoder, path string, n *yaml.Node) (stepSpec, bool) {
		v, ok := read(d, path, n)
		return v, ok && v.run.check(d, path, v.position)
	}
	return s
}

// check refuses a recovery whose keys do not belong together.
func (r *runSpec) check(d *decoder, at string, p position) bool {
	before := len(d.problems) + d.more
	most, of := maxInputs-len(Particulars), fmt.Sprintf("of the %d inputs of a workflow promobot fills %d", maxInputs, len(Particulars))
	taken := Particulars
	if r.event.said() {
		most, of = maxPayloadKeys-1, fmt.Sprintf("of the %d keys of a client_payload promobot fills one", maxPayloadKeys)
		taken = []string{PayloadKey}
	}
	switch {
	case r.workflow.said() == r.event.said():
		what := " names neither workflow nor event"
		if r.workflow.said() {
			what = " names workflow and event"
		}
		d.add(p.line, p.column, at+what, "let it name exactly one, as run: {workflow: recover.yml}")
		return false
	case r.event.said() && r.ref.said():
		d.add(r.ref.line, r.ref.column, at+".ref does not go with event", "remove it: what a repository_dispatch starts runs on the default branch")
	case r.timeout.said() && r.timeout.value == 0:
		d.add(r.timeout.line, r.timeout.column, at+".timeout: 0s leaves no time", "write how long it may take, as 30m")
	}
	if n := len(r.inputs.value); n > most {
		d.add(r.inputs.line, r.inputs.column, fmt.Sprintf("%s.inputs: %d are too many: %s", at, n, of), fmt.Sprintf("write at most %d", most))
	}
	for _, i := range r.inputs.value {
		if slices.Contains(taken, i.name.value) {
			d.add(i.name.line, i.name.column, fmt.Sprintf("%s.inputs: promobot itself fills %s", at, i.name.value), "use another name")
		}
	}
	return len(d.problems)+d.more == before
}

// kinds are the failures after which a step is taken.
func (s *stepSpec) kinds() []FailureKind {
	if !s.when.said() {
		return s.fallback().when
	}
	var out []FailureKind
	for _, k := range everyFailure {
		if slices.ContainsFunc(s.when.value, func(w said[FailureKind]) bool { return w.value == k }) {
			out = append(out, k)
		}
	}
	return out
}

func (s *stepSpec) fallback() *stepDefault {
	i := slices.IndexFunc(stepDefaults, func(f stepDefault) bool { return f.kind == s.do })
	return &stepDefaults[i]
}

// steps is the policy with its defaults.
func steps(policy said[[]stepSpec]) []Step {
	if !policy.said() {
		return []Step{{Do: Halt, Limit: 1, When: everyFailure}}
	}
	out := make([]Step, len(policy.value))
	for i := range policy.value {
		s := &policy.value[i]
		f := s.fallback()
		out[i] = Step{Do: s.do, Limit: s.limit.or(f.limit), Backoff: s.backoff.or(f.backoff), When: s.kinds(), Line: s.line}
		switch s.do {
		case Rollback:
			out[i].Scope = s.scope.or(ScopeEnvironment)
		case Run:
			out[i].Run = s.run.recovery()
		case Restart, Repromote, Halt:
		}
	}
	return out
}

func (r *runSpec) recovery() *Recovery {
	out := &Recovery{
		Workflow: r.workflow.value, Event: r.event.value, Ref: r.ref.value,
		Idempotent: r.idempotent.value, Timeout: r.timeout.or(defaultRunTimeout),
	}
	if len(r.inputs.value) > 0 {
		out.Inputs = make(map[string]string, len(r.inputs.value))
		for _, i := range r.inputs.value {
			out.Inputs[i.name.value] = i.value.value
		}
	}
	return out
}

// describe is a step in one line: "restart (limit 3; backoff 1m; when push, merge)".
func (s *Step) describe() string {
	what, how := string(s.Do), []string(nil)
	if s.Run != nil {
		if what += " workflow " + s.Run.Workflow; s.Run.Workflow == "" {
			what = string(s.Do) + " repository_dispatch " + s.Run.Event
		}
		if s.Run.Ref != "" {
			what += " on " + s.Run.Ref
		}
		for _, name := range slices.Sorted(maps.Keys(s.Run.Inputs)) {
			how = append(how, name+": "+s.Run.Inputs[name])
		}
		how = append(how, "within "+Interval(s.Run.Timeout).String())
		if s.Run.Idempotent {
			how = append(how, "idempotent")
		}
	}
	if s.Scope != "" {
		how = append(how, "scope "+string(s.Scope))
	}
	if s.Do != Rollback && s.Do != Halt {
		how = append(how, fmt.Sprintf("limit %d", s.Limit))
	}
	if s.Backoff > 0 {
		how = append(how, "backoff "+Interval(s.Backoff).String())
	}
	if len(s.When) < len(everyFailure) {
		how = append(how, "when "+words(s.When))
	}
	if len(how) == 0 {
		return what
	}
	return what + " (" + strings.Join(how, "; ") + ")"
}
