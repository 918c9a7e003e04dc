package gitrepo

// GitHub's own refusals, which no git server of the tests gives: the lines are
// those that its documentation and its users show.

import (
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion"
)

func TestClassifyGitHubsAnswers(t *testing.T) {
	const ref = "refs/heads/main"
	tests := []struct {
		name, line, stderr string
		want               promotion.PushStatus
		reason             string
	}{
		{"protected branch", "[remote rejected] (protected branch hook declined)", "remote: error: GH006: Protected branch update failed for refs/heads/main.        \nremote: error: At least 1 approving review is required.        \n", promotion.Refused, "At least 1 approving review"},
		{"rule", "[remote rejected] (push declined due to repository rule violations)", "remote: error: GH013: Repository rule violations found for refs/heads/main.\nremote: \nremote: - Changes must be made through a pull request.\n", promotion.Refused, "Changes must be made through a pull request"},
		{"workflows", "[remote rejected] (refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml` without `workflows` permission)", "", promotion.Refused, "`workflows` permission"},
		{"secret scanning", "[remote rejected] (push declined due to a detected secret)", "remote: error: GH009: Secrets detected!\n", promotion.Refused, "Secrets detected"},
		{"moved meanwhile", "[remote rejected] (cannot lock ref 'refs/heads/main': is at 1111 but expected 2222)", "", promotion.Conflict, "is at 1111"},
		{"moved meanwhile, in the remote's words", "[remote rejected] (failed to update ref)", "remote: error: cannot lock ref 'refs/heads/main': is at 1111 but expected 2222\n", promotion.Conflict, "is at 1111"},
		{"another ref moved", "[remote rejected] (failed to update ref)", "remote: error: cannot lock ref 'refs/heads/main-2': is at 1111 but expected 2222\n", promotion.Unknown, "failed to update ref"},
		{"below another", "[remote rejected] (cannot lock ref 'refs/heads/main': 'refs/heads/main/x' exists; cannot create 'refs/heads/main')", "", promotion.Refused, "exists; cannot create"},
		{"a fault of theirs", "[remote rejected] (Internal Server Error)", "", promotion.Unknown, "Internal Server Error"},
		{"no answer", "[remote failure] (remote failed to report status)", "", promotion.Unknown, ""},
		{"a token in their words", "[remote rejected] (denied for ghs_abcDEF123)", "", promotion.Refused, "denied for ***"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := pushAnswer{lines: readPorcelain("To https://github.com/a/b\n!\t1111:" + ref + "\t" + tt.line + "\nDone\n"), remote: remoteLines(tt.stderr)}
			got := classify(answer, []string{ref})[0]
			if got.status != tt.want || !strings.Contains(got.reason, tt.reason) {
				t.Errorf("got status %d, reason %q; want %d with %q", got.status, got.reason, tt.want, tt.reason)
			}
		})
	}
}
