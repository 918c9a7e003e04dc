package github

// The versions that a source offers ("List releases"; "List matching
// references"). GitHub's habits: releases come newest first; tags come by name,
// backwards, v9 before v10, so that the first pages of "List repository tags"
// may lack the newest. Tags are read as references instead, all of those that
// begin as the pattern does in one answer, and ordered here. Whoever may push
// sees drafts among the releases. The answers are kept, so that a quiet source
// costs one 304, or one for each page of releases.

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	gh "github.com/google/go-github/v60/github"
	"golang.org/x/mod/semver"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// maxVersions bounds what is read of releases, and what is returned.
const maxVersions = 300

// Versions lists what a source of releases or tags offers, at most maxVersions:
// releases as GitHub lists them, newest first; tags by semantic version, the
// highest first, and then the others. Drafts are left out, pre-releases marked.
// Target is a release's when it was made of a commit, and a tag's when it is a
// plain one. *promotion.RefusedError: the App is not installed there, or the
// repository is gone.
func (r *Repository) Versions(ctx context.Context, src config.VersionSource) ([]promotion.Version, error) {
	doing := fmt.Sprintf("listing the versions of %s", cutLine(src.Repository, 100))
	list := releases
	switch src.Kind {
	case config.Release:
	case config.Tag:
		list = tags
	default:
		return nil, fmt.Errorf("%s: a source of kind %q cannot be listed", doing, src.Kind)
	}
	client, owner, name, err := r.reader(ctx, src.Repository)
	if err != nil {
		return nil, explain(doing, err)
	}
	found, err := list(ctx, client, owner, name, src)
	switch {
	case err == nil:
		return found, nil
	case client == r.client:
		return nil, r.certain(ctx, doing, err)
	}
	return nil, r.gone(ctx, doing, src.Repository, err)
}

func releases(ctx context.Context, c *gh.Client, owner, name string, src config.VersionSource) ([]promotion.Version, error) {
	var all []promotion.Version
	read := 0
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, resp, err := c.Repositories.ListReleases(ctx, owner, name, &page)
		if err != nil {
			return resp, err
		}
		for _, one := range list {
			if one.GetTagName() == "" {
				return resp, errNoID("a release")
			}
			version, is := versionName(src, one.GetTagName())
			if !is || one.GetDraft() {
				continue
			}
			v := promotion.Version{Name: version, Time: one.GetPublishedAt().Time, URL: one.GetHTMLURL(), Prerelease: one.GetPrerelease()}
			if commit.MatchString(one.GetTargetCommitish()) { // else a branch, which has moved on
				v.Target = one.GetTargetCommitish()
			}
			all = append(all, v)
		}
		if read += len(list); read >= maxVersions {
			resp.NextPage = 0
		}
		return resp, nil
	})
	return all, err
}

func tags(ctx context.Context, c *gh.Client, owner, name string, src config.VersionSource) ([]promotion.Version, error) {
	const refs = "refs/tags/"
	at := "tags" // all of them
	if start := literal(src.Pattern); start != "" {
		at = "tags/" + start
	}
	var all []promotion.Version
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, resp, err := c.Git.ListMatchingRefs(ctx, owner, name,
			&gh.ReferenceListOptions{Ref: at, ListOptions: gh.ListOptions{Page: page.Page}})
		if err != nil {
			return resp, err
		}
		for _, one := range list {
			tag, is := strings.CutPrefix(one.GetRef(), refs)
			if tag == "" || one.GetObject().GetSHA() == "" {
				return resp, errNoID("a tag")
			}
			version, takes := versionName(src, tag)
			if !is || !takes {
				continue
			}
			v := promotion.Version{Name: version}
			if one.GetObject().GetType() == "commit" { // else it is the tag's own object
				v.Target = one.GetObject().GetSHA()
			}
			all = append(all, v)
		}
		return resp, nil
	})
	slices.SortStableFunc(all, func(a, b promotion.Version) int {
		return cmp.Or(semver.Compare(withV(b.Name), withV(a.Name)), cmp.Compare(b.Name, a.Name))
	})
	return all[:min(len(all), maxVersions)], err
}

// withV is a version as golang.org/x/mod/semver wants it; whatever is none comes
// before all versions.
func withV(name string) string { return "v" + strings.TrimPrefix(name, "v") }

// versionName is the version that a tag names, if the source takes it.
func versionName(src config.VersionSource, tag string) (string, bool) {
	if src.Pattern != "" {
		if is, err := doublestar.Match(src.Pattern, tag); err != nil || !is {
			return "", false
		}
	}
	name := strings.TrimPrefix(tag, src.Prefix)
	return name, name != ""
}

// magic is what makes a glob more than a text.
var magic = regexp.MustCompile(`[*?\[\]{}\\]`)

// literal is how everything that a glob matches begins.
func literal(glob string) string {
	if at := magic.FindStringIndex(glob); at != nil {
		return glob[:at[0]]
	}
	return glob
}
