package doctor

// Whether promobot can merge by itself, base branch by base branch, and what
// workflows do with its branches.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// way is how environments on one base branch are delivered to, alike for all of
// one group.
type way struct {
	base     string
	deliver  config.Deliver
	merge    config.MergeBy
	method   string
	verified bool
}

// bases judges every base branch, for the environments that are to be merged
// without a person.
func (r *report) bases(in Repository, pipelines []config.Pipeline) {
	names, missing := map[way][]string{}, map[string]bool{}
	var order []way
	merges := 0
	for _, p := range pipelines {
		for _, e := range p.Environments {
			base := e.Branch
			if base == "" {
				base = in.About.DefaultBranch
			}
			if _, exists := in.Rules[base]; !exists && !missing[base] {
				missing[base] = true
				r.add(Wrong, "branch", fmt.Sprintf("the branch %s, on which %s stands, does not exist", base, e.Name), "create it, or mend `branch` in the pipeline file", "")
			}
			if e.Mode != config.Auto || e.Managed || len(e.From) == 0 && e.Source == nil {
				continue
			}
			merges++
			w := way{base, e.Deliver, e.Merge, e.Method, e.VerifiedCommits}
			if names[w] == nil {
				order = append(order, w)
			}
			if !slices.Contains(names[w], e.Name) {
				names[w] = append(names[w], e.Name)
			}
		}
	}
	for _, w := range order {
		if rules, exists := in.Rules[w.base]; exists {
			r.base(in, w, rules, some(names[w], 3))
		}
	}
	if merges == 0 {
		r.well("auto", "no environment is merged without a person yet")
	}
}

// base judges one base branch. It mirrors the gates of package promotion, which
// has the last word when something is to be merged.
func (r *report) base(in Repository, w way, rules promotion.Rules, names string) {
	settings := in.Page + "/settings/rules"
	file := in.Page + "/edit/" + in.About.DefaultBranch + "/" + config.Path
	before := len(r.all)
	wrong := func(says, mend, at string) {
		r.add(Wrong, "auto", fmt.Sprintf("%s (%s): %s", w.base, names, says), mend, at)
	}
	switch {
	case rules.Locked:
		wrong("the branch is locked, so nobody may merge", "unlock it", settings)
	case rules.Restricted:
		wrong("only those who bypass a rule may update the branch, and promobot bypasses none", "drop \"Restrict updates\" there", settings)
	case w.deliver == config.ByPush:
		r.pushed(w, rules, wrong, file, settings)
	default:
		r.merged(in, w, rules, wrong, file, settings)
	}
	if len(r.all) > before {
		return
	}
	if needs := people(rules); needs != "" && w.deliver != config.ByPush {
		r.add(Doubtful, "auto", fmt.Sprintf("%s (%s): the rules ask for %s, so promobot merges when people have given it", w.base, names, needs),
			"nothing, if that is meant; else exclude what promobot promotes from the rule", settings)
		return
	}
	checks := ""
	if len(rules.Checks) > 0 {
		var required []string
		for _, c := range rules.Checks {
			required = append(required, c.Name)
		}
		checks = ", once " + some(required, 3) + " succeeded"
	}
	r.well("auto", "promobot can merge into %s by itself (%s)%s", w.base, names, checks)
}

// people is what the rules ask of people.
func people(rules promotion.Rules) string {
	switch {
	case rules.Approvals > 0 && rules.CodeOwners:
		return count(rules.Approvals, "approval") + " and a review by code owners"
	case rules.Approvals > 0:
		return count(rules.Approvals, "approval")
	case rules.CodeOwners:
		return "a review by code owners"
	}
	return ""
}

func (r *report) pushed(w way, rules promotion.Rules, wrong func(says, mend, at string), file, settings string) {
	asks := ""
	switch {
	case rules.Queue:
		asks = "its merge queue"
	case rules.PullRequests || rules.Approvals > 0 || rules.CodeOwners:
		asks = "a pull request"
	case len(rules.Checks) > 0:
		asks = "the check " + rules.Checks[0].Name + " before a push"
	}
	if asks != "" {
		wrong("deliver: push, and the rules ask for "+asks, "say deliver: pull_request, or change the rules at "+settings, file)
	}
	if rules.Signatures && !w.verified {
		wrong("the rules ask for signed commits", "say commits: verified", file)
	}
}

func (r *report) merged(in Repository, w way, rules promotion.Rules, wrong func(says, mend, at string), file, settings string) {
	switch {
	case rules.Queue && w.merge != config.MergeByQueue:
		wrong("the branch takes changes through its merge queue only", "say merge: queue", file)
	case !rules.Queue && w.merge == config.MergeByQueue:
		wrong("merge: queue, and the branch has no merge queue", "require one for the branch, or say merge: promobot", settings)
	}
	method := methodOf(in.About, w, rules)
	switch {
	case method == "" && w.method != "":
		wrong("method: "+w.method+" is not allowed there", "allow it in the repository's settings and in the branch's rules, or say another", in.Page+"/settings")
	case method == "":
		wrong("the repository and the branch's rules allow no merge method together", "allow one in both", in.Page+"/settings")
	case rules.Signatures && method != "squash" && !w.verified:
		wrong("the rules ask for signed commits", "say commits: verified", file)
	}
}

// methodOf is the merge method that is left; "" for none.
func methodOf(about promotion.Repository, w way, rules promotion.Rules) string {
	for _, m := range []string{"merge", "squash", "rebase"} {
		allowed := (m == "merge" && about.Merge && !rules.Linear || m == "squash" && about.Squash || m == "rebase" && about.Rebase) &&
			(rules.Methods == nil || slices.Contains(rules.Methods, m))
		if allowed && (w.method == "" || w.method == m) {
			return m
		}
	}
	return ""
}

// sampleBranch is named like a branch of promobot's.
const sampleBranch = "promobot/pipeline/environment/1"

// workflows names those that run on every push, also to promobot's branches,
// besides running on its pull requests.
func (r *report) workflows(in Repository) {
	for _, path := range sortedKeys(in.Workflows) {
		runs, err := runsOnOwn(in.Workflows[path])
		at := in.Page + "/edit/" + in.About.DefaultBranch + "/" + path
		switch {
		case err != nil:
			r.add(Doubtful, "workflows", path+" cannot be read, so whether it runs on promobot's branches is not known", "mend it", at)
		case runs:
			r.add(Doubtful, "workflows", path+" runs on every push to promobot's branches, besides what runs on its pull requests",
				"say there: on: push: branches-ignore: ['promobot/**']; or name the branches that it is for", at)
		}
	}
	if len(r.allOf("workflows")) == 0 {
		r.well("workflows", "no workflow runs twice for promobot's branches")
	}
}

func (r *report) allOf(about string) []Finding {
	return slices.DeleteFunc(slices.Clone(r.all), func(f Finding) bool { return f.About != about })
}

// runsOnOwn says whether a workflow runs when one of promobot's branches is pushed
// ("Workflow syntax for GitHub Actions": on.push).
func runsOnOwn(text []byte) (bool, error) {
	var doc struct {
		On yaml.Node `yaml:"on"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return false, err
	}
	switch doc.On.Kind {
	case yaml.ScalarNode:
		return doc.On.Value == "push", nil
	case yaml.SequenceNode:
		return slices.ContainsFunc(doc.On.Content, func(n *yaml.Node) bool { return n.Value == "push" }), nil
	case yaml.MappingNode:
	default:
		return false, nil
	}
	var on map[string]yaml.Node
	if err := doc.On.Decode(&on); err != nil {
		return false, err
	}
	push, has := on["push"]
	if !has {
		return false, nil
	}
	var filter struct {
		Branches patterns `yaml:"branches"`
		Ignore   patterns `yaml:"branches-ignore"`
		Tags     patterns `yaml:"tags"`
		NoTags   patterns `yaml:"tags-ignore"`
	}
	if push.Kind == yaml.MappingNode {
		if err := push.Decode(&filter); err != nil {
			return false, err
		}
	}
	switch {
	case filter.Branches != nil:
		return filter.Branches.take(sampleBranch), nil
	case filter.Ignore != nil:
		return !filter.Ignore.take(sampleBranch), nil
	}
	// With tags alone, pushes of branches do not count.
	return filter.Tags == nil && filter.NoTags == nil, nil
}

// patterns are a filter's, one or a list; those with ! before take back.
type patterns []string

// UnmarshalYAML takes a single pattern for a list of one.
func (p *patterns) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*p = patterns{n.Value}
		return nil
	}
	var list []string
	if err := n.Decode(&list); err != nil {
		return err
	}
	*p = append(patterns{}, list...)
	return nil
}

func (p patterns) take(name string) bool {
	taken := false
	for _, pattern := range p {
		plain, back := strings.CutPrefix(pattern, "!")
		if match, err := doublestar.Match(plain, name); err == nil && match {
			taken = !back
		}
	}
	return taken
}
