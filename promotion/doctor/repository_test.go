package doctor_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/doctor"
)

const twoEnvironments = `version: 1
environments:
  qa: {verify: none}
  prod: {from: qa, mode: auto}
pipelines:
  shop: {path: envs/$env, promote: {files: "**"}}
`

func healthyRepository() doctor.Repository {
	return doctor.Repository{
		Name: "acme/gitops", Page: "https://github.com/acme/gitops", Installed: true, InstallAt: "https://github.com/apps/promobot/installations/new",
		Installation: doctor.Installation{ID: 1, Account: "acme", Page: "https://github.com/organizations/acme/settings/installations/1", Permissions: granted()},
		About:        promotion.Repository{DefaultBranch: "main", Merge: true, Squash: true, Rebase: true},
		File:         config.Path, Text: []byte(twoEnvironments),
		Tree:  config.Tree{Paths: []string{"envs/qa/app.yml", "envs/prod/app.yml", config.Path}, Default: "main", Branches: map[string][]string{}},
		Rules: map[string]promotion.Rules{"main": {}},
	}
}

func TestRepository(t *testing.T) {
	type change = func(*doctor.Repository)
	rules := func(r promotion.Rules) change {
		return func(in *doctor.Repository) { in.Rules["main"] = r }
	}
	prod := func(settings string, also ...change) change {
		return func(in *doctor.Repository) {
			in.Text = []byte(strings.Replace(twoEnvironments, "mode: auto}", "mode: auto, "+settings+"}", 1))
			for _, c := range also {
				c(in)
			}
		}
	}
	own := func(kind string, also ...change) change {
		return func(in *doctor.Repository) {
			in.Own = []doctor.OwnRule{{Kind: kind, Ruleset: 3}}
			in.Rulesets = []doctor.Ruleset{{ID: 3, Name: "careful", Target: "branch", Bypass: "never", Page: "https://github.com/acme/gitops/settings/rules/3"}}
			for _, c := range also {
				c(in)
			}
		}
	}
	workflow := func(text string) change {
		return func(in *doctor.Repository) {
			in.Workflows = map[string][]byte{".github/workflows/ci.yml": []byte(text)}
		}
	}
	grant := func(uses ...string) change {
		return func(in *doctor.Repository) { in.Installation.Permissions = granted(uses...) }
	}
	for _, c := range []struct {
		name       string
		change     change
		grade      doctor.Grade
		says, mend string
	}{
		{name: "well", change: func(*doctor.Repository) {}, grade: doctor.Well},
		{"not installed", func(in *doctor.Repository) { in.Installed = false }, doctor.Wrong, "not installed on it", "installations/new"},
		{"suspended", func(in *doctor.Repository) { in.Installation.Suspended = true }, doctor.Wrong, "suspended", "settings/installations/1"},
		{"unread", func(in *doctor.Repository) { in.Unread = "no contents" }, doctor.Wrong, "no contents", "permissions"},
		{"archived", func(in *doctor.Repository) { in.About.Archived = true }, doctor.Wrong, "archived", "unarchive"},
		{"a permission that is not accepted", func(in *doctor.Repository) {
			in.Installation.Permissions = maps.Clone(granted())
			in.Installation.Permissions["checks"] = "read"
		}, doctor.Wrong, "the installation has only read of the permission Checks", "accept it there"},
		{"no file", func(in *doctor.Repository) { in.File = "" }, doctor.Doubtful, "no pipeline file", "promobot init"},
		{"a broken file", func(in *doctor.Repository) {
			in.Text = []byte("version: 1\nenvironments: {qa: {verifi: none}}\npipelines: {shop: {path: envs/$env, promote: {files: \"**\"}}}\n")
		}, doctor.Wrong, "line 2: ", "promobot.yml#L2"},
		{"a folder that is not there", func(in *doctor.Repository) { in.Tree.Paths = []string{"envs/qa/app.yml"} }, doctor.Doubtful, "nothing can be promoted to shop/prod", "promobot explain"},
		{"too many files to list", func(in *doctor.Repository) { in.Cut = true }, doctor.Doubtful, "does not list all", "promobot validate --repo ."},
		{"a ruleset that promobot bypasses", func(in *doctor.Repository) {
			in.Rulesets = []doctor.Ruleset{{ID: 3, Name: "careful", Target: "branch", Bypass: "always", Page: "https://github.com/acme/gitops/settings/rules/3"}}
		}, doctor.Wrong, `may bypass the ruleset "careful"`, "settings/rules/3"},
		{"a ruleset on pushes", func(in *doctor.Repository) {
			in.Rulesets = []doctor.Ruleset{{ID: 3, Name: "no binaries", Target: "push", Bypass: "never"}}
		}, doctor.Doubtful, `the push ruleset "no binaries"`, "refuses nothing"},

		{"own branches may not be made", own("creation"), doctor.Wrong, "rule creation", "settings/rules/3"},
		{"own branches want a pull request", own("pull_request"), doctor.Wrong, "rule pull_request", "exclude the branches promobot/**/*"},
		{"own branches want checks", own("required_status_checks"), doctor.Wrong, "before any check has run", "exclude"},
		{"own branches want signatures", own("required_signatures"), doctor.Wrong, "signed commits", "commits: verified"},
		{"own branches want signatures and get them", own("required_signatures", prod("commits: verified")), doctor.Well, "", ""},
		{"own branches want a name", own("branch_name_pattern"), doctor.Doubtful, "branch_name_pattern", "exclude"},
		{"own branches want no merges", own("required_linear_history"), doctor.Well, "", ""},

		{"locked", rules(promotion.Rules{Locked: true}), doctor.Wrong, "main (prod): the branch is locked", "unlock"},
		{"restricted", rules(promotion.Rules{Restricted: true}), doctor.Wrong, "only those who bypass", "Restrict updates"},
		{"a queue that is not used", rules(promotion.Rules{Queue: true}), doctor.Wrong, "merge queue only", "merge: queue"},
		{"a queue that is used", prod("merge: queue", grant("queue"), rules(promotion.Rules{Queue: true})), doctor.Well, "", ""},
		{"a queue that is not there", prod("merge: queue", grant("queue")), doctor.Wrong, "has no merge queue", "merge: promobot"},
		{"a queue without its permission", prod("merge: queue", rules(promotion.Rules{Queue: true})), doctor.Wrong, "Merge queues: read", "grant it to the App"},
		{"signatures", rules(promotion.Rules{Signatures: true}), doctor.Wrong, "signed commits", "commits: verified"},
		{"signatures and verified commits", prod("commits: verified", rules(promotion.Rules{Signatures: true})), doctor.Well, "", ""},
		{"signatures and squashes", func(in *doctor.Repository) {
			in.Rules["main"] = promotion.Rules{Signatures: true, Methods: []string{"squash"}}
		}, doctor.Well, "", ""},
		{"a method that is not allowed", prod("method: rebase", func(in *doctor.Repository) { in.About.Rebase = false }), doctor.Wrong, "method: rebase is not allowed", "/settings"},
		{"no method in common", func(in *doctor.Repository) {
			in.About.Squash = false
			in.Rules["main"] = promotion.Rules{Methods: []string{"squash"}}
		}, doctor.Wrong, "no merge method together", "/settings"},
		{"approvals", rules(promotion.Rules{PullRequests: true, Approvals: 2, CodeOwners: true}), doctor.Doubtful, "2 approvals and a review by code owners", "nothing, if that is meant"},
		{"code owners", rules(promotion.Rules{PullRequests: true, CodeOwners: true}), doctor.Doubtful, "a review by code owners", "settings/rules"},
		{"pull requests and checks", rules(promotion.Rules{PullRequests: true, Checks: []promotion.RequiredCheck{{Name: "ci"}}}), doctor.Well, "", ""},
		{"approvals where people merge anyway", func(in *doctor.Repository) {
			in.Text = []byte(strings.Replace(twoEnvironments, "mode: auto", "mode: propose", 1))
			in.Rules["main"] = promotion.Rules{PullRequests: true, Approvals: 2, Locked: true}
		}, doctor.Well, "", ""},
		{"pushes, and pull requests asked for", prod("deliver: push", rules(promotion.Rules{PullRequests: true})), doctor.Wrong, "ask for a pull request", "deliver: pull_request"},
		{"pushes, and checks asked for", prod("deliver: push", rules(promotion.Rules{Checks: []promotion.RequiredCheck{{Name: "ci"}}})), doctor.Wrong, "the check ci before a push", "deliver: pull_request"},
		{"pushes, and signatures asked for", prod("deliver: push", rules(promotion.Rules{Signatures: true})), doctor.Wrong, "signed commits", "commits: verified"},
		{"pushes", prod("deliver: push"), doctor.Well, "", ""},
		{"a branch that is not there", func(in *doctor.Repository) {
			in.Text = []byte("version: 1\nenvironments:\n  qa: {verify: none}\n  prod: {from: qa}\npipelines:\n  shop: {path: ., branch: env/$env, promote: {files: \"**\"}}\n")
			in.Tree.Branches["env/qa"] = []string{"app.yml"}
			in.Tree.Branches["env/prod"] = []string{"app.yml"} // deleted between two reads
			in.Rules["env/qa"] = promotion.Rules{}
		}, doctor.Wrong, "the branch env/prod, on which prod stands, does not exist", "create it"},

		{"steps that run workflows", prod("verify: {checks: ci, timeout: 1h}, on_failure: [{run: {workflow: mend.yml}}]"), doctor.Wrong, "Actions: read and write", "grant it to the App"},
		{"landings that are recorded", prod("deployments: record"), doctor.Wrong, "has only read of the permission Deployments: read and write", "grant it to the App"},
		{"promoted workflows", func(in *doctor.Repository) {
			in.Text = []byte("version: 1\nenvironments:\n  qa: {verify: none}\n  prod: {from: qa}\npipelines:\n  shop: {path: .github/workflows/$env, promote: {files: \"**\"}}\n")
			in.Tree.Paths = []string{".github/workflows/qa/ci.yml", ".github/workflows/prod/ci.yml"}
		}, doctor.Wrong, "Workflows: read and write", "grant it to the App"},

		{"a workflow on every push", workflow("on: push\njobs: {}\n"), doctor.Doubtful, ".github/workflows/ci.yml runs on every push", "branches-ignore: ['promobot/**']"},
		{"a workflow on pushes and pull requests", workflow("on: [push, pull_request]\n"), doctor.Doubtful, "runs on every push", "/edit/main/.github/workflows/ci.yml"},
		{"a workflow on pushes with paths", workflow("on: {push: {paths: [envs/**]}}\n"), doctor.Doubtful, "runs on every push", "branches-ignore"},
		{"a workflow on all branches", workflow("on: {push: {branches: '**'}}\n"), doctor.Doubtful, "runs on every push", "branches-ignore"},
		{"a workflow on one branch", workflow("on: {push: {branches: [main]}}\n"), doctor.Well, "", ""},
		{"a workflow on shallow branches", workflow("on: {push: {branches: ['*']}}\n"), doctor.Well, "", ""},
		{"a workflow that takes ours back", workflow("on: {push: {branches: ['**', '!promobot/**']}}\n"), doctor.Well, "", ""},
		{"a workflow that ignores ours", workflow("on: {push: {branches-ignore: ['promobot/**']}}\n"), doctor.Well, "", ""},
		{"a workflow that ignores others", workflow("on: {push: {branches-ignore: [gh-pages]}}\n"), doctor.Doubtful, "runs on every push", "branches-ignore"},
		{"a workflow on tags", workflow("on: {push: {tags: ['v*']}}\n"), doctor.Well, "", ""},
		{"a workflow on a plain push", workflow("on:\n  push:\n  pull_request:\n"), doctor.Doubtful, "runs on every push", "branches-ignore"},
		{"a workflow on pull requests", workflow("on: pull_request\n"), doctor.Well, "", ""},
		{"a broken workflow", workflow("on: [push\n"), doctor.Doubtful, "cannot be read", "mend it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := healthyRepository()
			c.change(&in)
			finding(t, doctor.JudgeRepository(in), c.grade, c.says, c.mend)
		})
	}
}

func TestManyAlikeAreSaidOnce(t *testing.T) {
	in := healthyRepository()
	in.Text = []byte("version: 1\nenvironments:\n  qa: {verify: none}\n" +
		"  a: {from: qa, mode: auto}\n  b: {from: qa, mode: auto}\n  c: {from: qa, mode: auto}\n  d: {from: qa, mode: auto}\n" +
		"pipelines:\n  services: {for_each: services/$name, path: services/$name/$env, promote: {files: \"**\"}}\n")
	in.Tree.Paths = nil
	for _, service := range []string{"one", "two", "three"} {
		for _, env := range []string{"qa", "a", "b", "c", "d"} {
			in.Tree.Paths = append(in.Tree.Paths, "services/"+service+"/"+env+"/app.yml")
		}
	}
	in.Rules["main"] = promotion.Rules{Locked: true}
	finding(t, doctor.JudgeRepository(in), doctor.Wrong, "main (a, b, c and 1 more): the branch is locked", "unlock")
}
