package gitrepo

// Commits that GitHub made: the same object is written here, so that a ledger's
// entry can name it as a parent without fetching it.

import (
	"context"
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion"
)

// Adopt writes a commit as GitHub made and signed it, and returns its id. It
// fails when the object that payload and signature make has another id.
//
// A signature stands in the header gpgsig, after the committer, its lines
// continued by a space ("gitformat-signature", git's documentation).
func (r *Repository) Adopt(ctx context.Context, c promotion.SignedCommit) (string, error) {
	if r.local {
		return "", ErrReadOnly
	}
	defer r.use()()
	header, message, ok := strings.Cut(c.Payload, "\n\n")
	if !ok || !strings.HasPrefix(header, "tree ") {
		return "", fmt.Errorf("commit %s as GitHub gives it is none", clip(c.ID, 80))
	}
	signature := strings.ReplaceAll(strings.TrimRight(c.Signature, "\n"), "\n", "\n ")
	// Some signatures were made with a line end behind them, some without.
	for _, end := range []string{"\n", "\n \n"} {
		data := []byte(header + "\ngpgsig " + signature + end + "\n" + message)
		if objectID(kindCommit, data) != c.ID {
			continue
		}
		p := newPack()
		p.add(kindCommit, data)
		return c.ID, r.keep(ctx, p, []string{c.ID})
	}
	return "", fmt.Errorf("the commit that GitHub signed is not the one it names: payload and signature do not make %s", clip(c.ID, 80))
}
