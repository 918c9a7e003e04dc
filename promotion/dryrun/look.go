package dryrun

// What guessing a pipeline file needs of a repository: read here, decided in
// promotion/guess.

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/guess"
)

// mostHistory bounds how far back the history is asked whether it agrees.
const mostHistory = 2000

// Look reads what guessing needs: name is the repository's, standard its default
// branch, tip that branch's commit, and refs the branches' tips by full name.
func Look(ctx context.Context, src Source, name, standard, tip string, refs promotion.Refs) (guess.Repository, error) {
	r := guess.Repository{Name: name, Default: standard, Branches: map[string][]string{}}
	var err error
	if r.Paths, err = src.Paths(ctx, tip); err != nil {
		return r, fmt.Errorf("list files: %w", err)
	}
	tips := map[string]string{"": tip}
	var all []string
	for ref := range refs {
		if b, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			all = append(all, b)
		}
	}
	for _, b := range guess.Branches(all, standard) {
		tips[b] = refs["refs/heads/"+b]
		if r.Branches[b], err = src.Paths(ctx, tips[b]); err != nil {
			return r, fmt.Errorf("list files of %s: %w", b, err)
		}
	}
	chain, err := src.Chain(ctx, tip, "", mostHistory)
	if err != nil {
		return r, fmt.Errorf("read history: %w", err)
	}
	for _, c := range chain {
		subject, _, _ := strings.Cut(c.Message, "\n")
		r.Commits = append(r.Commits, guess.Commit{Subject: subject, Changed: c.Changed})
	}
	r.Contents, err = contents(ctx, src, tips, guess.Wanted(r))
	return r, err
}

// contents reads files at branches' tips.
func contents(ctx context.Context, src Source, tips map[string]string, files []config.At) (map[config.At][]byte, error) {
	listings := map[string]content.Listing{}
	ids := map[config.At]string{}
	for _, at := range files {
		if listings[at.Branch] == nil {
			l, err := src.List(ctx, tips[at.Branch], []string{""})
			if err != nil {
				return nil, fmt.Errorf("list files: %w", err)
			}
			listings[at.Branch] = l
		}
		if f := listings[at.Branch][at.Path]; f.Mode == "100644" || f.Mode == "100755" {
			ids[at] = f.Blob
		}
	}
	blobs, _, err := src.Blobs(ctx, slices.Collect(maps.Values(ids)))
	if err != nil {
		return nil, fmt.Errorf("read files: %w", err)
	}
	out := make(map[config.At][]byte, len(ids))
	for at, id := range ids {
		out[at] = blobs[id]
	}
	return out, nil
}
