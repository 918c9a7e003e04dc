package convert

// GitOps Promoter's resources (its documentation: "CRD specs").
//
// A PromotionStrategy lists branches that are environments; a hydrator writes
// what is proposed for each to the branch of the same name with -next behind it.
// That is the layout of "Branches that a hydrator writes" here.

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/guess"
)

const promoterGroup = "promoter.argoproj.io/"

// stage is one environment of a strategy.
type stage struct {
	at     *yaml.Node
	branch string
	env    string
	auto   bool
	needs  []string // branches
	checks []string
	soak   string
}

type promoter struct {
	notes
	strategy string
	stages   []*stage
	active   []string
}

// kindsLeft are the resources that nothing here is like.
var kindsLeft = map[string]string{
	"GitRepository":                    "the App is installed in the repository; nothing has to be said of it",
	"ScmProvider":                      "promobot is a GitHub App; its key stands in the server's configuration",
	"ClusterScmProvider":               "promobot is a GitHub App; its key stands in the server's configuration",
	"ControllerConfiguration":          "settings of the server stand in its own configuration",
	"ArgoCDCommitStatus":               "promobot does not ask Argo CD; name the check or deployment that Argo CD's notifications report under verify",
	"DependentsSuccessfulCommitStatus": "that upstream is verified first is what from means",
	"PreviousEnvironmentCommitStatus":  "that upstream is verified first is what from means",
	"DAGCommitStatus":                  "the order is that of from",
	"ScheduledCommitStatus":            "say its times as a window, and name that by window where it counts",
	"GitCommitStatus":                  "expressions over commits are not there; let a workflow report a check and name that under verify",
	"WebRequestCommitStatus":           "promobot asks no other servers; let a workflow report a check and name that under verify",
	"DrySHAValidationCommitStatus":     "revision names the commit that was rendered",
	"RequiredStatusCheckCommitStatus":  "the branch's rules are read and kept in any case",
	"RequiredCheckCommitStatus":        "the branch's rules are read and kept in any case",
	"CommitStatus":                     "it is a result, not a setting",
	"PullRequest":                      "it is a result, not a setting",
	"ChangeTransferPolicy":             "it is made from a PromotionStrategy; convert that",
}

// Promoter converts the resources of GitOps Promoter in one file.
func Promoter(name string, src []byte) (Result, error) {
	p := &promoter{notes: notes{name: name}}
	docs, err := documents(name, src)
	if err != nil {
		return Result{}, err
	}
	var timed []*yaml.Node
	for _, doc := range docs {
		kind := scalar(doc, "kind")
		group, _, _ := strings.Cut(scalar(doc, "apiVersion"), "/")
		switch {
		case group+"/" != promoterGroup:
			p.note(doc, Left, "%s is none of GitOps Promoter's resources", quoted(kind))
		case kind == "PromotionStrategy" && p.strategy == "":
			if err := p.readStrategy(doc); err != nil {
				return Result{}, err
			}
		case kind == "PromotionStrategy":
			p.note(doc, Left, "a second PromotionStrategy, %s: a pipeline file belongs to one repository; convert it by itself, or add it as a second pipeline by hand", quoted(scalar(doc, "metadata", "name")))
		case kind == "TimedCommitStatus":
			timed = append(timed, doc)
		case kindsLeft[kind] != "":
			p.note(doc, Left, "%s: %s", kind, kindsLeft[kind])
		default:
			p.note(doc, Left, "%s is not known", quoted(kind))
		}
	}
	if p.strategy == "" {
		return Result{}, &Error{name, 1, "there is no PromotionStrategy in it"}
	}
	for _, doc := range timed {
		p.readTimed(doc)
	}
	text := p.write()
	if err := check(name, text); err != nil {
		return Result{}, err
	}
	return Result{File: text, Notes: p.sorted()}, nil
}

// node follows keys through mappings; nil when there is no such value.
func node(n *yaml.Node, keys ...string) *yaml.Node {
	for _, k := range keys {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == k {
				next = n.Content[i+1]
			}
		}
		n = next
	}
	return n
}

func scalar(n *yaml.Node, keys ...string) string {
	if n = node(n, keys...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// ordering are the gates that only say that the environment before comes first.
var ordering = []string{"promoter-previous-environment", "promoter-dependents-successful", "previous-environment"}

func (p *promoter) readStrategy(doc *yaml.Node) error {
	p.strategy = names{}.of(scalar(doc, "metadata", "name"))
	spec := node(doc, "spec")
	if spec == nil {
		return p.fail(doc, "the PromotionStrategy has no spec")
	}
	all, err := p.fields(spec, "spec")
	if err != nil {
		return err
	}
	for _, f := range all {
		switch f.key {
		case "gitRepositoryRef", "orderCommitStatusRef":
		case "activeCommitStatuses":
			p.active, err = p.keys(f.value, f.key)
		case "proposedCommitStatuses":
			err = p.proposed(f.value, "spec.proposedCommitStatuses")
		case "environments":
			err = p.readStages(f.value)
		case "pullRequest":
			p.note(f.at, Left, "spec.pullRequest: labels and reviewers are set by labels and reviewers; expressions are not there")
		default:
			p.note(f.at, Left, "spec.%s is not known", quoted(f.key))
		}
		if err != nil {
			return err
		}
	}
	if len(p.stages) == 0 {
		return p.fail(spec, "spec.environments is missing or empty")
	}
	var parts [][]string
	for _, s := range p.stages {
		parts = append(parts, strings.Split(s.branch, "/"))
	}
	given, common := names{}, inCommon(parts)
	for i, s := range p.stages {
		s.env = given.of(strings.Join(parts[i][common:], "-"))
		s.checks = append(slices.Clone(p.active), s.checks...)
	}
	return nil
}

// keys are the keys of commit statuses.
func (p *promoter) keys(of *yaml.Node, what string) ([]string, error) {
	list, err := p.list(of, what)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range list {
		key := scalar(n, "key")
		if key == "" {
			return nil, p.fail(n, "an item of %s has no key", what)
		}
		if slices.Contains(ordering, key) {
			continue
		}
		p.note(n, Differs, "the commit status %s becomes a check of that name under verify: write the name that it has on the landed commit", quoted(key))
		out = append(out, key)
	}
	return out, nil
}

func (p *promoter) proposed(of *yaml.Node, what string) error {
	list, err := p.list(of, what)
	if err != nil {
		return err
	}
	for _, n := range list {
		if key := scalar(n, "key"); key != "" && !slices.Contains(ordering, key) {
			p.note(n, Left, "the status %s on what is proposed: require it in the rules of the branch; promobot reads and keeps them", quoted(key))
		}
	}
	return nil
}

func (p *promoter) readStages(of *yaml.Node) error {
	list, err := p.list(of, "spec.environments")
	if err != nil {
		return err
	}
	for i, n := range list {
		what := fmt.Sprintf("spec.environments[%d]", i)
		all, err := p.fields(n, what)
		if err != nil {
			return err
		}
		s := &stage{at: n, auto: true}
		for _, f := range all {
			switch f.key {
			case "branch":
				s.branch, err = p.text(f.value, what+".branch")
			case "autoMerge":
				s.auto, err = p.truth(f.value, what+".autoMerge")
			case "dependsOn":
				s.needs, err = p.depends(f.value, what+".dependsOn")
			case "activeCommitStatuses":
				s.checks, err = p.keys(f.value, what+".activeCommitStatuses")
			case "proposedCommitStatuses":
				err = p.proposed(f.value, what+".proposedCommitStatuses")
			default:
				p.note(f.at, Left, "%s.%s is not known", what, quoted(f.key))
			}
			if err != nil {
				return err
			}
		}
		if s.branch == "" || clean(s.branch) != s.branch || strings.ContainsAny(s.branch, " ~^:?*[\\") {
			return p.fail(n, "%s has no branch that git allows", what)
		}
		if slices.ContainsFunc(p.stages, func(o *stage) bool { return o.branch == s.branch }) {
			return p.fail(n, "%s names branch %s a second time", what, quoted(s.branch))
		}
		p.stages = append(p.stages, s)
	}
	return nil
}

// depends are branches, named as texts or by a key branch.
func (p *promoter) depends(of *yaml.Node, what string) ([]string, error) {
	list, err := p.list(of, what)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range list {
		if b := scalar(n, "branch"); b != "" {
			out = append(out, b)
			continue
		}
		b, err := p.text(n, "an item of "+what)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// readTimed takes how long commits have to run somewhere as soak.
func (p *promoter) readTimed(doc *yaml.Node) {
	list := node(doc, "spec", "environments")
	if list == nil || list.Kind != yaml.SequenceNode {
		p.note(doc, Left, "the TimedCommitStatus names no environments")
		return
	}
	for _, n := range list.Content {
		at := slices.IndexFunc(p.stages, func(s *stage) bool { return s.branch == scalar(n, "branch") })
		duration := scalar(n, "duration")
		switch _, err := config.ParseInterval(duration); {
		case at < 0:
			p.note(n, Left, "a duration for branch %s, which is no environment", quoted(scalar(n, "branch")))
		case err != nil:
			p.note(n, Left, "the duration %s: write it as soak with one unit, as 90m or 4h", quoted(duration))
		case len(p.stages[at].checks) == 0:
			p.note(n, Left, "the duration %s for %s: soak goes with something that is verified; name a check under verify, then add soak: %s", duration, p.stages[at].env, duration)
		default:
			p.stages[at].soak = duration
		}
	}
}

// upstreams are the environments that a stage comes from.
func (p *promoter) upstreams(i int, graph bool) []string {
	s := p.stages[i]
	if !graph {
		if i == 0 {
			return nil
		}
		return []string{p.stages[i-1].env}
	}
	var out []string
	for _, b := range s.needs {
		if at := slices.IndexFunc(p.stages, func(o *stage) bool { return o.branch == b }); at >= 0 {
			out = append(out, p.stages[at].env)
		} else {
			p.note(s.at, Left, "dependsOn names branch %s, which is no environment", quoted(b))
		}
	}
	return out
}

func (p *promoter) write() []byte {
	graph := slices.ContainsFunc(p.stages, func(s *stage) bool { return len(s.needs) > 0 })
	var b strings.Builder
	head(&b, "GitOps Promoter", p.name)
	b.WriteString("\nenvironments:\n")
	branches := map[string]string{}
	for i, s := range p.stages {
		branches[s.env] = s.branch
		var settings []string
		if from := p.upstreams(i, graph); len(from) > 0 {
			settings = append(settings, "from: "+guess.QuoteList(from))
		}
		if s.auto {
			settings = append(settings, "mode: auto")
		}
		switch verify := "checks: " + guess.QuoteList(escaped(s.checks)); {
		case len(s.checks) == 0:
			settings = append(settings, "verify: none")
		case s.soak != "":
			settings = append(settings, "verify: {"+verify+", soak: "+s.soak+"}")
		default:
			settings = append(settings, "verify: {"+verify+"}")
		}
		fmt.Fprintf(&b, "  %s: {%s}\n", s.env, strings.Join(settings, ", "))
	}
	fmt.Fprintf(&b, "\npipelines:\n  %s:\n    path: .\n", p.strategy)
	prefix := strings.TrimSuffix(p.stages[0].branch, p.stages[0].env)
	if !slices.ContainsFunc(p.stages, func(s *stage) bool { return s.branch != prefix+s.env }) {
		fmt.Fprintf(&b, "    branch: %s\n    read: {branch: %s}\n", guess.Quote(dollars(prefix)+"$env"), guess.Quote(dollars(prefix)+"$env-next"))
	} else {
		b.WriteString("    branch:\n")
		for _, env := range slices.Sorted(maps.Keys(branches)) {
			fmt.Fprintf(&b, "      %s: %s\n", env, guess.Quote(dollars(branches[env])))
		}
		b.WriteString("    read:\n      branch:\n")
		for _, env := range slices.Sorted(maps.Keys(branches)) {
			fmt.Fprintf(&b, "        %s: %s\n", env, guess.Quote(dollars(branches[env])+"-next"))
		}
	}
	b.WriteString("    revision: {in: hydrator.metadata, value: drySha}\n    promote:\n      - files: \"**\"\n")
	tail(&b, p.name, p.sorted())
	return []byte(b.String())
}

// escaped protects the star in names of checks.
func escaped(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = dollars(strings.NewReplacer(`\`, `\\`, "*", `\*`).Replace(s))
	}
	return out
}
