package github

// Commits that GitHub signs ("Create a commit"; "About commit signature
// verification", signature verification for bots: only where the request names
// no author, committer or signature, and is made as an App).

import (
	"context"
	"fmt"
	"slices"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

// CreateCommit lets GitHub make and sign a commit of a tree that it has
// already. Nothing refers to it yet. *promotion.RefusedError: GitHub does not
// have the tree or a parent, or did not sign.
func (r *Repository) CreateCommit(ctx context.Context, tree string, parents []string, message string) (promotion.SignedCommit, error) {
	doing := "making a signed commit of " + tree
	asked := &gh.Commit{Message: &message, Tree: &gh.Tree{SHA: &tree}}
	for _, p := range parents {
		asked.Parents = append(asked.Parents, &gh.Commit{SHA: &p})
	}
	owner, name := r.Address()
	made, _, err := r.client.Git.CreateCommit(ctx, owner, name, asked, nil)
	if err != nil {
		return promotion.SignedCommit{}, r.certain(ctx, doing, err)
	}
	var on []string
	for _, p := range made.Parents {
		on = append(on, p.GetSHA())
	}
	v := made.GetVerification()
	switch {
	case made.GetSHA() == "":
		return promotion.SignedCommit{}, errNoID("a commit")
	case made.GetTree().GetSHA() != tree || !slices.Equal(on, parents):
		return promotion.SignedCommit{}, fmt.Errorf("%s: GitHub made a commit of %s on %v", doing, made.GetTree().GetSHA(), on)
	case !v.GetVerified():
		return promotion.SignedCommit{}, refusal(doing, fmt.Sprintf(
			"GitHub did not sign it (%s); on an Enterprise Server an administrator has to set up signing of commits made on the web, else leave `commits: verified` out",
			orElse(cutLine(v.GetReason(), 60), "no reason given")))
	case v.GetPayload() == "" || v.GetSignature() == "":
		return promotion.SignedCommit{}, fmt.Errorf("%s: GitHub calls it verified, but shows no signature", doing)
	}
	return promotion.SignedCommit{ID: made.GetSHA(), Payload: v.GetPayload(), Signature: v.GetSignature()}, nil
}
