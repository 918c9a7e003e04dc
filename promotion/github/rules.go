package github

// The rules of a branch, from rulesets ("Get rules for a branch", which may be
// read with the metadata permission alone) and from classic branch protection
// ("Get a branch", contents: read).
//
// What is not shown: of classic protection, without administration rights, only
// the required checks; not whether they are strict, nor reviews, conversations,
// signatures, linear history, restrictions and the lock. And of rulesets, what
// has no field in promotion.Rules: required workflows and deployments, code
// scanning, reviewers of certain paths. These are seen by what they do instead:
// MergeView.Decision for reviews, PullRequest.Mergeable ("blocked", "behind") for
// all of them.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

// Rules reads what a branch asks for. promotion.ErrNotFound: there is no such
// branch. A quiet branch costs two 304s.
func (r *Repository) Rules(ctx context.Context, branch string) (promotion.Rules, error) {
	doing := fmt.Sprintf("reading the rules of %q", branch)
	if branch == "" {
		return promotion.Rules{}, fmt.Errorf("%s: without a name", doing)
	}
	owner, name := r.Address()
	at := fmt.Sprintf("repos/%s/%s/", owner, name)
	var known branchWithProtection
	if _, err := get(ctx, r.client, at+"branches/"+url.PathEscape(branch), gh.ListOptions{}, &known); err != nil {
		return promotion.Rules{}, r.certain(ctx, doing, err)
	}
	if known.Name != branch {
		// A renamed branch is redirected to its new name.
		return promotion.Rules{}, fmt.Errorf("%s: %w (it is named %q now)", doing, promotion.ErrNotFound, cutLine(known.Name, maxWords))
	}
	if known.Protected == nil {
		return promotion.Rules{}, fmt.Errorf("%s: GitHub does not say whether it is protected", doing)
	}
	var out promotion.Rules
	classic(&out, known.Protection)
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		var list []branchRule
		resp, err := get(ctx, r.client, at+"rules/branches/"+url.PathEscape(branch), page, &list)
		if err != nil {
			return resp, err
		}
		for _, rule := range list {
			if err := rule.add(&out); err != nil {
				return resp, err
			}
		}
		return resp, nil
	})
	if err != nil {
		return promotion.Rules{}, r.certain(ctx, doing, err)
	}
	return out, nil
}

// get reads a path below the API's base, or a page of a list there.
func get(ctx context.Context, c *gh.Client, path string, page gh.ListOptions, into any) (*gh.Response, error) {
	query := url.Values{}
	if page.PerPage > 0 {
		query.Set("per_page", fmt.Sprint(page.PerPage))
	}
	if page.Page > 0 {
		query.Set("page", fmt.Sprint(page.Page))
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	req, err := c.NewRequest("GET", path, nil)
	if err != nil {
		return nil, err
	}
	return c.Do(ctx, req, into)
}

// branchWithProtection is "Get a branch", with the fields of the protection
// that only administrators see as pointers.
type branchWithProtection struct {
	Name       string     `json:"name"`
	Protected  *bool      `json:"protected"`
	Protection protection `json:"protection"`
}

type protection struct {
	Enabled *bool `json:"enabled"`
	Checks  *struct {
		Level    string   `json:"enforcement_level"` // off, non_admins, everyone
		Strict   bool     `json:"strict"`
		Contexts []string `json:"contexts"`
		Checks   []struct {
			Context string `json:"context"`
			App     *int64 `json:"app_id"`
		} `json:"checks"`
	} `json:"required_status_checks"`
	Reviews *struct {
		Approvals  int  `json:"required_approving_review_count"`
		CodeOwners bool `json:"require_code_owner_reviews"`
	} `json:"required_pull_request_reviews"`
	Signatures    enabled   `json:"required_signatures"`
	Linear        enabled   `json:"required_linear_history"`
	Conversations enabled   `json:"required_conversation_resolution"`
	Lock          enabled   `json:"lock_branch"`
	Restrictions  *struct{} `json:"restrictions"`
}

type enabled struct {
	Enabled bool `json:"enabled"`
}

// classic adds what branch protection shows.
func classic(out *promotion.Rules, p protection) {
	if p.Enabled != nil && !*p.Enabled {
		return
	}
	if c := p.Checks; c != nil && c.Level != "off" {
		out.Strict = out.Strict || c.Strict
		for _, check := range c.Checks {
			require(out, check.Context, check.App)
		}
		for _, name := range c.Contexts { // older servers list no checks
			if !slices.ContainsFunc(out.Checks, func(known promotion.RequiredCheck) bool { return known.Name == name }) {
				require(out, name, nil)
			}
		}
	}
	if v := p.Reviews; v != nil {
		out.PullRequests = true
		out.Approvals, out.CodeOwners = max(out.Approvals, v.Approvals), out.CodeOwners || v.CodeOwners
	}
	out.Signatures = out.Signatures || p.Signatures.Enabled
	out.Linear = out.Linear || p.Linear.Enabled
	out.ResolveThreads = out.ResolveThreads || p.Conversations.Enabled
	out.Locked = out.Locked || p.Lock.Enabled
	out.Restricted = out.Restricted || p.Restrictions != nil
}

// require adds a required check; GitHub writes "any App" as null, 0 or -1.
func require(out *promotion.Rules, name string, app *int64) {
	check := promotion.RequiredCheck{Name: name}
	if app != nil && *app > 0 {
		check.App = *app
	}
	if !slices.Contains(out.Checks, check) {
		out.Checks = append(out.Checks, check)
	}
}

// branchRule is an active rule of a ruleset.
type branchRule struct {
	Type       string          `json:"type"`
	Parameters json.RawMessage `json:"parameters"`
}

// add adds a rule. Of several rules of one type all hold.
func (b branchRule) add(out *promotion.Rules) error {
	switch b.Type {
	case "":
		return errors.New("GitHub's answer holds a rule without a type")
	case "required_status_checks":
		var p struct {
			Strict bool `json:"strict_required_status_checks_policy"`
			Checks []struct {
				Context string `json:"context"`
				App     *int64 `json:"integration_id"`
			} `json:"required_status_checks"`
		}
		if err := b.read(&p); err != nil {
			return err
		}
		out.Strict = out.Strict || p.Strict
		for _, check := range p.Checks {
			require(out, check.Context, check.App)
		}
	case "pull_request":
		var p struct {
			Approvals  int      `json:"required_approving_review_count"`
			CodeOwners bool     `json:"require_code_owner_review"`
			Threads    bool     `json:"required_review_thread_resolution"`
			Methods    []string `json:"allowed_merge_methods"`
		}
		if err := b.read(&p); err != nil {
			return err
		}
		out.PullRequests = true
		out.Approvals = max(out.Approvals, p.Approvals)
		out.CodeOwners = out.CodeOwners || p.CodeOwners
		out.ResolveThreads = out.ResolveThreads || p.Threads
		if p.Methods != nil {
			out.Methods = both(out.Methods, p.Methods)
		}
	case "required_signatures":
		out.Signatures = true
	case "required_linear_history":
		out.Linear = true
	case "merge_queue":
		out.Queue = true
	case "update":
		out.Restricted = true
	}
	return nil
}

func (b branchRule) read(into any) error {
	if len(b.Parameters) == 0 {
		return fmt.Errorf("GitHub's rule %q has no parameters", b.Type)
	}
	if err := json.Unmarshal(b.Parameters, into); err != nil {
		return fmt.Errorf("GitHub's rule %q cannot be read: %w", b.Type, err)
	}
	return nil
}

// both are the methods that two rules allow; nil allows all.
func both(before, methods []string) []string {
	out := []string{}
	for _, m := range methods {
		if before == nil || slices.Contains(before, m) {
			out = append(out, m)
		}
	}
	return out
}
