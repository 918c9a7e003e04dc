package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/registration"
)

// Repository is what was read of a repository. Unless Installed and not Suspended
// and not Unread, nothing else is known.
type Repository struct {
	Name         string // owner/name
	Page         string // on GitHub, without a slash at its end
	Installed    bool
	InstallAt    string // where the App is installed, when it is not
	Unread       string // why nothing more was read; "" when it was
	Installation Installation
	About        promotion.Repository
	File         string // name of the pipeline file; "" when there is none
	Text         []byte // of it
	// Tree is the files of the default branch and of the branches that the file
	// names; Cut says that GitHub did not list all.
	Tree  config.Tree
	Cut   bool
	Rules map[string]promotion.Rules // of base branches that exist, by name
	// Own are the kinds of rules on promobot's own branches.
	Own      []OwnRule
	Rulesets []Ruleset
	// Workflows are the workflow files of the default branch, by path.
	Workflows map[string][]byte
}

// OwnRule is a rule on branches named promobot/….
type OwnRule struct {
	Kind    string // its type, such as creation
	Ruleset int64
}

// Ruleset is one that is in force in the repository.
type Ruleset struct {
	ID     int64
	Name   string
	Target string // branch, tag or push
	Bypass string // whether promobot may bypass it: always, pull_requests_only, exempt, never; "" when not told
	Page   string // its settings
}

// Uses says which of registration.Options a repository's pipeline file needs.
func (r Repository) Uses() []string {
	if r.File == "" {
		return nil
	}
	file, problems := config.Parse(r.File, r.Text)
	if len(problems) > 0 {
		return nil
	}
	pipelines, _ := file.Resolve(r.Tree)
	return uses(file, pipelines, r.Tree)
}

func uses(file *config.File, pipelines []config.Pipeline, tree config.Tree) []string {
	found := map[string]bool{}
	for _, right := range file.Commands().Rights {
		found["teams"] = found["teams"] || right.Team != ""
	}
	for _, p := range pipelines {
		for _, e := range p.Environments {
			found["teams"] = found["teams"] || e.Right.Team != ""
			found["deployments"] = found["deployments"] || e.Records
			found["queue"] = found["queue"] || e.Merge == config.MergeByQueue
			for _, s := range e.OnFailure {
				found["run"] = found["run"] || s.Do == config.Run
			}
		}
	}
	for _, at := range file.Moved(pipelines, tree) {
		found["workflows"] = found["workflows"] || strings.HasPrefix(at.Path, workflowFolder)
	}
	var out []string
	for _, o := range registration.Options {
		if found[o.Name] {
			out = append(out, o.Name)
		}
	}
	return out
}

const workflowFolder = ".github/workflows/"

// JudgeRepository judges a repository.
func JudgeRepository(in Repository) []Finding {
	r := report{subject: in.Name}
	switch {
	case !in.Installed:
		r.add(Wrong, "installation", "the App is not installed on it, or it does not exist", "install the App there, or add the repository to its installation", in.InstallAt)
		return r.all
	case in.Installation.Suspended:
		r.add(Wrong, "installation", "the App's installation on "+in.Installation.Account+" is suspended", "an owner can lift that", in.Installation.Page)
		return r.all
	}
	r.well("installation", "the App is installed on it")
	var file *config.File
	var pipelines []config.Pipeline
	var needs []string
	if in.File != "" {
		var problems config.Problems
		if file, problems = config.Parse(in.File, in.Text); len(problems) == 0 {
			pipelines, _ = file.Resolve(in.Tree)
			needs = uses(file, pipelines, in.Tree)
		}
	}
	// An owner accepts on the installation's page what the App asks for anew.
	r.permissions("permissions", "the installation", in.Installation.Permissions, needs, "grant it to the App, then accept it there", in.Installation.Page)
	if in.Unread != "" {
		r.add(Wrong, "repository", "it cannot be looked at: "+in.Unread, "mend the permissions first", in.Installation.Page)
		return r.all
	}
	if in.About.Archived {
		r.add(Wrong, "repository", "it is archived, so that nothing can be promoted in it", "unarchive it", in.Page+"/settings")
	}
	r.bypass(in)
	r.own(in, pipelines)
	r.file(in, pipelines)
	if len(pipelines) > 0 {
		r.bases(in, pipelines)
	}
	r.workflows(in)
	return r.all
}

// file judges the pipeline file.
func (r *report) file(in Repository, pipelines []config.Pipeline) {
	if in.File == "" {
		r.add(Doubtful, "pipeline file", "it has no pipeline file, so promobot does nothing in it", "write one with `promobot init` in a clone of it", in.Page+"/new/"+in.About.DefaultBranch+"?filename="+config.Path)
		return
	}
	at := in.Page + "/blob/" + in.About.DefaultBranch + "/" + config.Path
	if strings.Contains(in.File, ":") { // owner/.github@ref:path, as the fallback says
		at = ""
	}
	file, problems := config.Parse(in.File, in.Text)
	if len(problems) == 0 && !in.Cut {
		_, problems = file.Resolve(in.Tree)
	}
	for i, p := range problems {
		if i == 5 {
			r.add(Wrong, "pipeline file", fmt.Sprintf("there are %s more", count(len(problems)-i, "problem")), "`promobot validate --repo .` in a clone says all", at)
			return
		}
		line := at
		if at != "" && p.Line > 0 {
			line = fmt.Sprintf("%s#L%d", at, p.Line)
		}
		r.add(Wrong, "pipeline file", fmt.Sprintf("line %d: %s", p.Line, p.Message), p.Remedy, line)
	}
	if len(problems) > 0 {
		return
	}
	if in.Cut {
		r.add(Doubtful, "pipeline file", "GitHub does not list all of so many files, so it was not held against them", "`promobot validate --repo .` in a clone does that", at)
		return
	}
	modes := map[config.Mode]int{}
	var blocked []string
	for _, p := range pipelines {
		for _, e := range p.Environments {
			modes[e.Mode]++
			if e.Blocked != "" {
				blocked = append(blocked, p.Title+"/"+e.Name+" ("+e.Blocked+")")
			}
		}
	}
	if len(blocked) > 0 {
		r.add(Doubtful, "pipeline file", "nothing can be promoted to "+some(blocked, 3), "`promobot explain PIPELINE ENV` in a clone says more", at)
	}
	r.well("pipeline file", "%s: %s; %d observe, %d propose, %d auto", in.File, count(len(pipelines), "pipeline"),
		modes[config.Observe], modes[config.Propose], modes[config.Auto])
}

// bypass names rights that promobot must not have: GitHub would let it merge past
// rules that it has misread, and never say so.
func (r *report) bypass(in Repository) {
	found := false
	for _, rs := range in.Rulesets {
		if rs.Bypass != "" && rs.Bypass != "never" {
			found = true
			r.add(Wrong, "bypass", fmt.Sprintf("promobot may bypass the ruleset %q (%s)", rs.Name, rs.Bypass), "take the App off its bypass list", rs.Page)
		}
	}
	if !found && len(in.Rulesets) > 0 {
		r.well("bypass", "promobot bypasses none of %s", count(len(in.Rulesets), "ruleset"))
	}
}

// ownKinds are the rules that promobot's own branches cannot live with, with what
// it does there. Signatures are another matter: commits: verified keeps them.
var ownKinds = map[string]string{
	"creation": "makes them", "update": "pushes to them", "deletion": "deletes them", "non_fast_forward": "moves them to what is newer",
	"pull_request": "pushes to them", "required_status_checks": "pushes to them before any check has run", "merge_queue": "pushes to them",
	"required_deployments": "pushes to them", "workflows": "pushes to them", "code_scanning": "pushes to them",
}

// oddKinds may refuse some pushes.
var oddKinds = []string{
	"branch_name_pattern", "commit_message_pattern", "commit_author_email_pattern", "committer_email_pattern",
	"file_path_restriction", "file_extension_restriction", "max_file_path_length", "max_file_size",
}

func (r *report) own(in Repository, pipelines []config.Pipeline) {
	page := map[int64]Ruleset{}
	for _, rs := range in.Rulesets {
		page[rs.ID] = rs
	}
	verified := allVerified(pipelines)
	bad := false
	for _, rule := range in.Own {
		rs := page[rule.Ruleset]
		at := rs.Page
		if at == "" {
			at = in.Page + "/settings/rules"
		}
		const mend = "exclude the branches promobot/**/* from it"
		switch does := ownKinds[rule.Kind]; {
		case does != "":
			bad = true
			r.add(Wrong, "promobot/**", fmt.Sprintf("the rule %s of the ruleset %q holds for promobot's own branches, and promobot %s", rule.Kind, rs.Name, does), mend, at)
		case rule.Kind == "required_signatures" && !verified:
			bad = true
			r.add(Wrong, "promobot/**", fmt.Sprintf("the ruleset %q asks for signed commits on promobot's own branches", rs.Name), mend+", or say commits: verified in the pipeline file", at)
		case slices.Contains(oddKinds, rule.Kind):
			bad = true
			r.add(Doubtful, "promobot/**", fmt.Sprintf("the rule %s of the ruleset %q holds for promobot's own branches and may refuse some", rule.Kind, rs.Name), mend, at)
		}
	}
	for _, rs := range in.Rulesets {
		if rs.Target == "push" {
			bad = true
			r.add(Doubtful, "refs/promobot", fmt.Sprintf("the push ruleset %q holds for every push, also of promobot's ledgers and branches", rs.Name), "see that it refuses nothing that is promoted", rs.Page)
		}
	}
	if !bad {
		r.well("promobot/**", "no rule stands in the way of promobot's own branches")
	}
}

// allVerified says whether all that is promoted has commits that GitHub signs.
func allVerified(pipelines []config.Pipeline) bool {
	any := false
	for _, p := range pipelines {
		for _, e := range p.Environments {
			if e.Managed || len(e.From) == 0 {
				continue
			}
			if any = true; !e.VerifiedCommits {
				return false
			}
		}
	}
	return any
}

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
