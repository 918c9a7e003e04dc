package github

// One repository. Its id is what it is known by; its address may change, and
// GitHub redirects the old one until someone else takes it ("Renaming a
// repository"). So whatever is read by address is checked for the id.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
)

var _ reconcile.GitHub = (*Repository)(nil)

// Repository is a repository on GitHub; it may be used by many goroutines.
// Get it from App.Repository.
type Repository struct {
	app          *App
	installation int64
	id           int64
	credential   *credential
	client       *gh.Client

	mu          sync.Mutex
	owner, name string
	nodes       map[int]string // ids of open pull requests in GraphQL, by number
}

// Address is where the repository was last seen.
func (r *Repository) Address() (owner, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owner, r.name
}

func (r *Repository) moved(owner, name string) {
	if owner == "" || name == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owner, r.name = owner, name
}

// Repository reads the repository, wherever it is now.
func (r *Repository) Repository(ctx context.Context) (promotion.Repository, error) {
	repo, err := r.read(ctx)
	if err != nil {
		return promotion.Repository{}, explain("reading the repository", err)
	}
	allowed := func(setting *bool) bool { return setting == nil || *setting }
	return promotion.Repository{
		ID: repo.GetID(), Owner: repo.GetOwner().GetLogin(), Name: repo.GetName(), URL: repo.GetHTMLURL(),
		DefaultBranch: repo.GetDefaultBranch(), Archived: repo.GetArchived() || repo.GetDisabled(),
		// GitHub shows these settings only to those who may push; who may not
		// is refused when merging, in GitHub's words.
		Merge: allowed(repo.AllowMergeCommit), Squash: allowed(repo.AllowSquashMerge), Rebase: allowed(repo.AllowRebaseMerge),
	}, nil
}

// read finds the repository by its address or, when that is not its address
// any more, by its id among what the token reaches, which is it alone.
func (r *Repository) read(ctx context.Context) (*gh.Repository, error) {
	owner, name := r.Address()
	repo, _, err := r.client.Repositories.Get(ctx, owner, name)
	if !r.isMine(repo, err) {
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		reached, err := listRepositories(ctx, r.client)
		if err != nil {
			return nil, err
		}
		if len(reached) != 1 || reached[0].GetID() != r.id {
			return nil, &promotion.RefusedError{Reason: fmt.Sprintf("the App does not reach repository %d (%s/%s)", r.id, owner, name)}
		}
		owner, name = reached[0].GetOwner().GetLogin(), reached[0].GetName()
		repo, _, err = r.client.Repositories.Get(ctx, owner, name)
		if err == nil && !r.isMine(repo, nil) {
			err = fmt.Errorf("%s/%s is repository %d, not %d", owner, name, repo.GetID(), r.id)
		}
		if err != nil {
			return nil, err
		}
	}
	if repo.GetDefaultBranch() == "" || repo.GetName() == "" || repo.GetOwner().GetLogin() == "" {
		return nil, errors.New("GitHub's answer names no default branch or no address")
	}
	r.moved(repo.GetOwner().GetLogin(), repo.GetName())
	return repo, nil
}

func (r *Repository) isMine(repo *gh.Repository, err error) bool {
	return err == nil && repo.GetID() == r.id
}

func isNotFound(err error) bool {
	return errors.Is(explain("", err), promotion.ErrNotFound)
}

// certain explains an error of a read below the repository. GitHub answers 404
// also for what may not be seen, so "not found" counts only when the
// repository itself can be seen, which costs nothing when it is unchanged.
func (r *Repository) certain(ctx context.Context, doing string, err error) error {
	err = explain(doing, err)
	if !errors.Is(err, promotion.ErrNotFound) {
		return err
	}
	if _, seen := r.read(ctx); seen != nil {
		return explain(doing+": not found, nor is the repository", seen)
	}
	return err
}

// File reads a file at a commit.
func (r *Repository) File(ctx context.Context, commit, path string) ([]byte, error) {
	doing := fmt.Sprintf("reading %q at %s", path, commit)
	if commit == "" || path == "" || strings.HasPrefix(path, "/") || strings.Contains(path, "..") {
		return nil, refusal(doing, "this is no path that GitHub reads")
	}
	owner, name := r.Address()
	file, folder, _, err := r.client.Repositories.GetContents(ctx, owner, name, path, &gh.RepositoryContentGetOptions{Ref: commit})
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	switch {
	case folder != nil:
		return nil, refusal(doing, "it is a folder, not a file")
	case file.GetType() != "file":
		return nil, refusal(doing, fmt.Sprintf("it is a %s, not a file", cutLine(file.GetType(), 20)))
	case file.GetEncoding() != "base64":
		// GitHub leaves the content of files above 1 MB out ("Get repository content").
		return nil, refusal(doing, fmt.Sprintf("it is too large (%d bytes)", file.GetSize()))
	}
	text, err := file.GetContent()
	if err != nil {
		return nil, explain(doing, err)
	}
	if len(text) != file.GetSize() {
		return nil, fmt.Errorf("%s: GitHub sent %d of %d bytes", doing, len(text), file.GetSize())
	}
	return []byte(text), nil
}
