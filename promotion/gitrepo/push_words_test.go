package gitrepo_test

// The words of remotes that are no git of this machine: GitHub's, and those of
// later versions of git, spoken to a real git in the protocol's own form
// ("gitprotocol-pack", REPORT STATUS).

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// report is a remote's answer to a push.
type report struct {
	unpack string   // "ok", or what went wrong
	refs   []string // "ok REF" or "ng REF REASON"
	said   []string // to people
}

func packet(data string) string { return fmt.Sprintf("%04x%s", len(data)+4, data) }

// body is the answer as it travels: two bands, one for people.
func (r report) body() string {
	var b, inner strings.Builder
	for _, line := range r.said {
		b.WriteString(packet("\x02" + line + "\n"))
	}
	inner.WriteString(packet("unpack " + r.unpack + "\n"))
	for _, line := range r.refs {
		inner.WriteString(packet(line + "\n"))
	}
	inner.WriteString("0000")
	b.WriteString(packet("\x01" + inner.String()))
	return b.String() + "0000"
}

// answerPushes makes the server answer pushes so, without doing anything, and
// then go on or break off.
func (s *server) answerPushes(body string, breakOff bool) {
	s.inject(func(kind string, w http.ResponseWriter, req *http.Request, _ http.Handler) bool {
		if kind != "git-receive-pack" {
			return false
		}
		_, _ = io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
		_, _ = io.WriteString(w, body)
		if breakOff {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		return true
	})
}

func TestPushReadsTheWordsOfOtherRemotes(t *testing.T) {
	const (
		isAt     = "is at 1111111111111111111111111111111111111111 but expected 2222222222222222222222222222222222222222"
		conflict = promotion.Conflict
		refused  = promotion.Refused
		unknown  = promotion.Unknown
	)
	tests := []struct {
		name   string
		main   string   // the reason that main is refused
		said   []string // by the remote to people
		unpack string   // "" for ok
		want   promotion.PushStatus
		reason string // stands in what is told of main
	}{
		// git 2.50 and later, whose updates of refs come in batches.
		{"2.50: moved meanwhile", "incorrect old value provided", nil, "", conflict, "incorrect old value"},
		{"2.50: created meanwhile", "reference already exists", nil, "", conflict, "already exists"},
		{"2.50: deleted meanwhile", "reference does not exist", nil, "", conflict, "does not exist"},
		{"2.50: below another", "refname conflict", nil, "", refused, "refname conflict"},
		{"2.52: differs in case alone", "reference conflict due to case-insensitive filesystem", nil, "", refused, "case-insensitive"},
		// git 2.39 to 2.49: the cause is told to people.
		{"moved meanwhile", "failed to update ref", []string{"error: cannot lock ref 'refs/heads/main': " + isAt}, "", conflict, isAt},
		{"created meanwhile", "failed to update ref", []string{"error: cannot lock ref 'refs/heads/main': reference already exists"}, "", conflict, "reference already exists"},
		{"deleted meanwhile", "failed to update ref", []string{"error: cannot lock ref 'refs/heads/main': unable to resolve reference 'refs/heads/main'"}, "", conflict, "unable to resolve"},
		{"2.45 with reftable: moved meanwhile", "failed to update ref", []string{"error: cannot lock ref 'refs/heads/main': reference is missing but expected 2222222222222222222222222222222222222222"}, "", conflict, "reference is missing"},
		{"being moved now", "failed to update ref", []string{"error: cannot lock ref 'refs/heads/main': Unable to create '/data/x.git/refs/heads/main.lock': File exists."}, "", conflict, "File exists"},
		{"below another, told to people", "failed to update ref", []string{"error: cannot lock ref 'refs/heads/main': 'refs/heads/main/x' exists; cannot create 'refs/heads/main'"}, "", refused, "exists; cannot create"},
		{"no cause told", "failed to update ref", nil, "", unknown, "failed to update ref"},
		{"another ref's cause told", "failed to update ref", []string{"error: cannot lock ref 'refs/heads/main2': " + isAt}, "", unknown, "failed to update ref"},
		{"moved meanwhile, in the reason", "cannot lock ref 'refs/heads/main': " + isAt, nil, "", conflict, isAt},
		{"below another, in the reason", "cannot lock ref 'refs/heads/main': 'refs/heads/main/x' exists; cannot create 'refs/heads/main'", nil, "", refused, "exists; cannot create"},
		{"remote: fetch first", "fetch first", nil, "", conflict, "fetch first"},
		{"remote: non-fast-forward", "non-fast-forward", nil, "", conflict, "non-fast-forward"},
		{"deletion prohibited", "deletion prohibited", nil, "", refused, "deletion prohibited"},
		{"branch is checked out there", "branch is currently checked out", nil, "", refused, "checked out"},
		{"the pack did not arrive whole", "unpacker error", nil, "index-pack abnormal exit", unknown, "unpacker error"},
		{"the remote lacks objects", "missing necessary objects", nil, "", unknown, "missing necessary objects"},
		// GitHub: "About protected branches", "Troubleshooting rules", "Working with
		// push protection from the command line", "Blocking command line pushes that
		// expose your personal email address", "About large files on GitHub".
		{"GH006", "protected branch hook declined", []string{"error: GH006: Protected branch update failed for refs/heads/main.", "error: Changes must be made through a pull request."}, "", refused, "Changes must be made through a pull request"},
		{"GH006, a check expected", "protected branch hook declined", []string{"error: GH006: Protected branch update failed for refs/heads/main.", `error: Required status check "ci" is expected.`}, "", refused, `Required status check "ci" is expected`},
		{"GH006, forced", "protected branch hook declined", []string{"error: GH006: Protected branch update failed for refs/heads/main.", "error: Cannot force-push to this branch"}, "", refused, "Cannot force-push"},
		{"GH013", "push declined due to repository rule violations", []string{"error: GH013: Repository rule violations found for refs/heads/main.", "Review all repository rules at https://github.com/a/b/rules?ref=refs%2Fheads%2Fmain", "", "- Commits must have verified signatures.", "  Found 1 violation:"}, "", refused, "Commits must have verified signatures"},
		{"GH013, push protection", "push declined due to repository rule violations", []string{"error: GH013: Repository rule violations found for refs/heads/main.", "", "- GITHUB PUSH PROTECTION", "    - Push cannot contain secrets"}, "", refused, "Push cannot contain secrets"},
		{"GH009", "push declined due to a detected secret", []string{"error: GH009: Secrets detected! This push failed."}, "", refused, "GH009: Secrets detected"},
		{"GH007", "push declined due to email privacy restrictions", []string{"error: GH007: Your push would publish a private email address."}, "", refused, "GH007"},
		{"GH001", "pre-receive hook declined", []string{"error: GH001: Large files detected. You may want to try Git Large File Storage - https://git-lfs.github.com."}, "", refused, "GH001: Large files detected"},
		{"workflows", "refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml` without `workflows` permission", nil, "", refused, "`workflows` permission"},
		{"a fault of theirs", "Internal Server Error", nil, "", unknown, "Internal Server Error"},
		{"they are busy", "cannot lock ref 'refs/heads/main': unable to create lock: try again", nil, "", unknown, "try again"},
		{"a credential in their words", "denied for ghs_abcDEF123", nil, "", refused, "denied for ***"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sc := newScene(t)
			base := sc.origin.commit("base", nil)
			sc.origin.push()
			sc.fetch()
			mine := sc.newCommit(base, "mine", write("b", "x"))
			r := report{unpack: "ok", said: tt.said, refs: []string{"ng " + mainRef + " " + tt.main}}
			if tt.unpack != "" {
				r.unpack = tt.unpack
			}
			sc.server.answerPushes(r.body(), false)
			res := sc.push(false, promotion.RefUpdate{Ref: mainRef, Old: base, New: mine})
			if res[0].Status != tt.want || !strings.Contains(res[0].Reason, tt.reason) {
				t.Errorf("status %d, reason %q; want %d with %q", res[0].Status, res[0].Reason, tt.want, tt.reason)
			}
			if looked := sc.seen.get("look") > 0; looked != (tt.want == unknown) {
				t.Errorf("the remote was looked at: %v", looked)
			}
			if strings.ContainsAny(res[0].Reason, "\n\x1b") || strings.Contains(res[0].Reason, "ghs_") {
				t.Errorf("the reason is not one clean line: %q", res[0].Reason)
			}
		})
	}
}

// TestPushOfSeveralReadsTheWordsOfOtherRemotes: what one ref's refusal means for
// the other.
func TestPushOfSeveralReadsTheWordsOfOtherRemotes(t *testing.T) {
	tests := []struct {
		name         string
		main, ledger string // reasons; "" is ok
		said         []string
		atomic       bool
		want         [2]promotion.PushStatus
	}{
		{"atomic: a rule", "push declined due to repository rule violations", "atomic push failure", []string{"error: GH013: Repository rule violations found for refs/heads/main."}, true, [2]promotion.PushStatus{promotion.Refused, promotion.Bystander}},
		{"atomic: a transaction, told of one", "atomic transaction failed", "atomic transaction failed", []string{"error: cannot lock ref 'refs/heads/main': is at 1111 but expected 2222"}, true, [2]promotion.PushStatus{promotion.Conflict, promotion.Bystander}},
		{"atomic: a transaction, told of none", "atomic transaction failed", "atomic transaction failed", nil, true, [2]promotion.PushStatus{promotion.Unknown, promotion.Unknown}},
		{"atomic: 2.50, one moved", "incorrect old value provided", "atomic push failure", nil, true, [2]promotion.PushStatus{promotion.Conflict, promotion.Bystander}},
		{"one moved, the other landed", "incorrect old value provided", "", nil, false, [2]promotion.PushStatus{promotion.Conflict, promotion.Pushed}},
		{"a rule for one, the other landed", "protected branch hook declined", "", []string{"error: GH006: Protected branch update failed for refs/heads/main."}, false, [2]promotion.PushStatus{promotion.Refused, promotion.Pushed}},
		{"one hook for all that minds one", "pre-receive hook declined", "pre-receive hook declined", []string{"error: GH006: Protected branch update failed for refs/heads/main."}, false, [2]promotion.PushStatus{promotion.Refused, promotion.Bystander}},
		{"one hook for all", "pre-receive hook declined", "pre-receive hook declined", []string{"the repository is closed today"}, false, [2]promotion.PushStatus{promotion.Refused, promotion.Refused}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sc := newScene(t)
			base := sc.origin.commit("base", nil)
			sc.origin.push()
			sc.fetch()
			mine := sc.newCommit(base, "mine", write("b", "x"))
			r := report{unpack: "ok", said: tt.said}
			for _, ref := range [][2]string{{mainRef, tt.main}, {ledger, tt.ledger}} {
				line := "ok " + ref[0]
				if ref[1] != "" {
					line = "ng " + ref[0] + " " + ref[1]
				}
				r.refs = append(r.refs, line)
			}
			sc.server.answerPushes(r.body(), false)
			res := sc.push(tt.atomic, promotion.RefUpdate{Ref: mainRef, Old: base, New: mine}, promotion.RefUpdate{Ref: ledger, New: mine})
			if diff := cmp.Diff(tt.want, [2]promotion.PushStatus{res[0].Status, res[1].Status}); diff != "" {
				t.Errorf("statuses (-want +got):\n%s\nall: %+v", diff, res)
			}
		})
	}
}

// TestPushAnswerCutShort: the remote dies in its answer, at each quarter of it,
// after the push landed or before; or a proxy ends the answer as if it were
// whole, for the rest of which git waits until it is ended. What became of the
// refs is looked up.
func TestPushAnswerCutShort(t *testing.T) {
	whole := report{unpack: "ok", refs: []string{"ok " + mainRef, "ng " + ledger + " hook declined"}}.body()
	for quarter := range 5 {
		name, part := fmt.Sprintf("after %d of %d bytes", len(whole)*quarter/4, len(whole)), whole[:len(whole)*quarter/4]
		if quarter == 4 {
			name, part = "ended as if it were whole", whole[:len(whole)/2]
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sc := newScene(t, func(o *gitrepo.Options) {
				if quarter == 4 {
					o.Timeout = 5 * time.Second
				}
			})
			base := sc.origin.commit("base", nil)
			sc.origin.push()
			sc.fetch()
			mine := sc.newCommit(base, "mine", write("b", "x"))
			sc.server.inject(func(kind string, w http.ResponseWriter, req *http.Request, next http.Handler) bool {
				if kind != "git-receive-pack" {
					return false
				}
				answerHalf(w, req, next, func() {}) // it landed, whatever is said
				return true
			})
			first := sc.push(false, promotion.RefUpdate{Ref: mainRef, Old: base, New: mine})
			if first[0].Status != promotion.Pushed {
				t.Errorf("it landed, and is told as %+v", first[0])
			}
			sc.server.answerPushes(part, quarter < 4)
			mine = sc.newCommit(mine, "more", write("c", "x"))
			res := sc.push(false, promotion.RefUpdate{Ref: mainRef, Old: first[0].New, New: mine}, promotion.RefUpdate{Ref: ledger, New: mine})
			for _, r := range res {
				if r.Status != promotion.Unknown {
					t.Errorf("nothing landed, nothing is certain, and it is told as %+v", r)
				}
			}
		})
	}
}
