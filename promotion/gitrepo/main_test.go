package gitrepo_test

// The test program plays other programs, too: a promobot that is killed.

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/gitrepo"
)

const (
	roleVariable = "PROMOBOT_TEST_ROLE"
	dirVariable  = "PROMOBOT_TEST_DIR"
	urlVariable  = "PROMOBOT_TEST_URL"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "promote":
		if err := promoteOnce(context.Background(), os.Getenv(dirVariable), os.Getenv(urlVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "no such role")
		os.Exit(2)
	}
}

// promoteOnce is all that promobot does with git, once: it takes dev/app.yaml
// over into prod, on a branch and in a ledger.
func promoteOnce(ctx context.Context, dir, url string) error {
	store, err := gitrepo.New(gitrepo.Options{Dir: dir})
	if err != nil {
		return err
	}
	repo := store.Open(gitrepo.Remote{Key: "42", URL: url, Token: func(context.Context, string) (string, error) { return goodToken, nil }})
	refs, err := repo.Fetch(ctx)
	if err != nil {
		return err
	}
	base := refs[mainRef]
	if _, err := repo.Chain(ctx, base, "", 0); err != nil {
		return err
	}
	data, mode, found, err := repo.ReadFile(ctx, base, "dev/app.yaml")
	if err != nil || !found {
		return fmt.Errorf("dev/app.yaml: found %v: %w", found, err)
	}
	edit := write("prod/app.yaml", string(data))
	edit.Mode = mode
	commits := []promotion.NewCommit{
		{Base: base, Parents: []string{base}, Author: bot, Time: noon, Message: "Promote"},
		{Author: bot, Time: noon, Message: "Claim"},
	}
	commits[0].Edits = append(commits[0].Edits, edit)
	ids, err := repo.Commit(ctx, commits)
	if err != nil {
		return err
	}
	results, err := repo.Push(ctx, []promotion.RefUpdate{
		{Ref: promoted, Old: refs[promoted], New: ids[0]}, {Ref: ledger, Old: refs[ledger], New: ids[1]},
	}, false)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Status != promotion.Pushed {
			return fmt.Errorf("%s: status %d: %s", r.Ref, r.Status, r.Reason)
		}
	}
	return store.Close()
}

const promoted = "refs/heads/promobot/shop/prod/1"
