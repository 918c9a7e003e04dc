package github_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/github"
	"github.com/promobot/promobot/promotion/reconcile"
)

// operations are one call of each kind, with the request that decides it.
var operations = map[string]struct {
	line string
	call func(context.Context, *github.Repository) error
}{
	"merge": {"PUT /repos/acme/shop/pulls/7/merge", func(ctx context.Context, r *github.Repository) error {
		return r.MergePullRequest(ctx, reconcile.MergeRequest{Number: 7, Head: head, Method: "squash", Title: "t", Message: "m"})
	}},
	"create": {"POST /repos/acme/shop/pulls", func(ctx context.Context, r *github.Repository) error {
		_, err := r.CreatePullRequest(ctx, reconcile.NewPullRequest{Branch: "promobot/a/qa/1", Base: "main", Title: "t", Body: "b"})
		return err
	}},
	"edit": {"PATCH /repos/acme/shop/pulls/7", func(ctx context.Context, r *github.Repository) error {
		return r.EditPullRequest(ctx, 7, "t", "b")
	}},
	"close": {"PATCH /repos/acme/shop/pulls/7", func(ctx context.Context, r *github.Repository) error {
		return r.ClosePullRequest(ctx, 7)
	}},
	"check": {"POST /repos/acme/shop/check-runs", func(ctx context.Context, r *github.Repository) error {
		_, err := r.WriteCheckRun(ctx, reconcile.CheckRun{Commit: head, Status: "completed", Conclusion: "neutral", Title: "t", Summary: "s"})
		return err
	}},
	"pull": {"GET /repos/acme/shop/pulls/7", func(ctx context.Context, r *github.Repository) error {
		_, err := r.PullRequest(ctx, 7)
		return err
	}},
	"open pulls": {"GET /repos/acme/shop/pulls", func(ctx context.Context, r *github.Repository) error {
		_, err := r.OpenPullRequests(ctx)
		return err
	}},
	"pulls of a head": {"GET /repos/acme/shop/pulls", func(ctx context.Context, r *github.Repository) error {
		_, err := r.PullRequestsForHead(ctx, "promobot/a/qa/1")
		return err
	}},
	"files": {"GET /repos/acme/shop/pulls/7/files", func(ctx context.Context, r *github.Repository) error {
		_, err := r.ChangedFiles(ctx, 7)
		return err
	}},
	"file": {"GET /repos/acme/shop/contents/a.yml", do},
	"check runs": {"GET /repos/acme/shop/commits/" + head + "/check-runs", func(ctx context.Context, r *github.Repository) error {
		_, err := r.CheckRuns(ctx, head)
		return err
	}},
	"repository": {"GET /repos/acme/shop", func(ctx context.Context, r *github.Repository) error {
		_, err := r.Repository(ctx)
		return err
	}},
}

func TestErrorsSayWhatToDoNext(t *testing.T) {
	message := func(text string) obj {
		return obj{"message": text, "documentation_url": "https://docs.github.com/rest"}
	}
	invalid := func(e obj) obj { return obj{"message": "Validation Failed", "errors": []obj{e}} }
	tests := []struct {
		name, operation string
		status          int
		body            any
		want            string
		says            string // part of the error
	}{
		{"head moved", "merge", 409, message("Head branch was modified. Review and try the merge again."), "conflict", "Head branch was modified"},
		{"base moved", "merge", 405, message("Base branch was modified. Review and try the merge again."), "conflict", "Base branch"},
		{"required check", "merge", 405, message(`Required status check "ci" is expected.`), "wait", `Required status check "ci"`},
		{"not merged", "merge", 200, obj{"merged": false, "message": "No."}, "refused", "No."},
		{"queued", "merge", 202, obj{}, "no answer", "later"},
		{"open already", "create", 422, invalid(obj{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:b."}), "conflict", "already exists"},
		{"base has it", "create", 422, invalid(obj{"resource": "PullRequest", "code": "custom", "message": "No commits between main and b"}), "conflict", "No commits between"},
		{"branch not seen yet", "create", 422, invalid(obj{"resource": "PullRequest", "field": "head", "code": "invalid"}), "conflict", "head is invalid"},
		{"no such base", "create", 422, invalid(obj{"resource": "PullRequest", "field": "base", "code": "invalid"}), "refused", "PullRequest base is invalid"},
		{"text too long", "create", 422, invalid(obj{"resource": "PullRequest", "field": "body", "code": "custom", "message": "body is too long"}), "refused", "body is too long"},
		{"ref exists", "edit", 422, message("Reference already exists"), "conflict", ""},
		{"not forward", "edit", 422, message("Update is not a fast forward"), "conflict", ""},
		{"permission", "close", 403, message("Resource not accessible by integration"), "refused", "Resource not accessible by integration"},
		{"archived", "edit", 403, message("Repository was archived so is read-only."), "refused", "archived"},
		{"no commit", "check", 422, message("No commit found for SHA: " + head), "not found", ""},
		{"no commit to list for", "check runs", 422, message("No commit found for SHA: " + head), "not found", ""},
		{"no pull request", "pull", 404, message("Not Found"), "not found", ""},
		{"no file", "file", 404, message("Not Found"), "not found", ""},
		{"empty repository", "file", 409, message("Git Repository is empty."), "not found", ""},
		{"legal", "file", 451, message("Repository access blocked"), "refused", "blocked"},
		{"too fast", "create", 422, invalid(obj{"resource": "PullRequest", "code": "custom", "message": "was submitted too quickly after creating your last one"}), "limited", ""},
		{"other repository", "pull", 200, pull(7, obj{"base": obj{"ref": "main", "repo": repository("acme", "shop", 5)}}), "no answer", "repository 5"},
		{"other number", "pull", 200, pull(8, nil), "no answer", "#8"},
		{"neither open nor closed", "pull", 200, pull(7, obj{"state": "draft"}), "no answer", ""},
		{"closed one among the open", "open pulls", 200, []obj{pull(7, obj{"state": "closed"})}, "no answer", "#7"},
		{"opened for another branch", "create", 201, pull(7, obj{"head": obj{"ref": "x", "sha": head}}), "no answer", `"x"`},
		{"created as nothing", "create", 201, obj{}, "no answer", ""},
		{"check run as nothing", "check", 201, obj{}, "no answer", ""},
		{"edited another", "edit", 200, pull(8, nil), "no answer", "#8"},
		{"checks without a count", "check runs", 200, obj{}, "no answer", ""},
		{"folder", "file", 200, []obj{{"type": "file"}}, "refused", "folder"},
		{"symlink", "file", 200, obj{"type": "symlink", "target": "../x"}, "refused", "symlink"},
		{"large file", "file", 200, obj{"type": "file", "size": 5 << 20, "encoding": "none", "content": ""}, "refused", "too large"},
		{"file cut off", "file", 200, obj{"type": "file", "size": 9, "encoding": "base64", "content": "YTE="}, "no answer", "2 of 9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			op := operations[tt.operation]
			s.on(op.line, answer(tt.status, tt.body))
			err := op.call(t.Context(), s.repository())
			if got := kind(err); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q, want it to say %q", err, tt.says)
			}
			silent(t, err)
		})
	}
}

// No operation takes a broken answer for an empty one, or for a refusal.
func TestNoAnswer(t *testing.T) {
	broken := map[string]http.HandlerFunc{
		"502":            answer(http.StatusBadGateway, "<html>Unicorn!</html>"),
		"503":            answer(http.StatusServiceUnavailable, ""),
		"empty 200":      answer(http.StatusOK, ""),
		"empty 201":      answer(http.StatusCreated, ""),
		"not JSON":       answer(http.StatusOK, "<html>Log in</html>"),
		"cut off":        answer(http.StatusOK, `[{"number": 7, "state": "op`, "Content-Length", "9000"),
		"cut off chunks": cutOff,
		"null":           answer(http.StatusOK, "null"),
		"more than JSON": answer(http.StatusOK, "[]\n<html>"),
		"other status":   answer(http.StatusNonAuthoritativeInfo, "[]"),
		"connection closed": func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		},
	}
	for fault, handler := range broken {
		for name, op := range operations {
			t.Run(fault+"/"+name, func(t *testing.T) {
				s := newServer(t)
				s.on(op.line, handler)
				err := op.call(t.Context(), s.repository())
				if got := kind(err); got != "no answer" {
					t.Errorf("the error is %q (%v), want no answer", got, err)
				}
				silent(t, err)
			})
		}
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte(`[`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// What may not be seen is 404 too; then it is not known to be absent.
func TestNotFoundCountsOnlyWhereTheRepositoryIsSeen(t *testing.T) {
	s := newServer(t)
	s.on("GET /repos/acme/shop", answer(http.StatusNotFound, obj{"message": "Not Found"}))
	s.on("GET /installation/repositories", answer(http.StatusOK, obj{"total_count": 0, "repositories": []obj{}}))
	err := do(t.Context(), s.repository())
	if got := kind(err); got != "refused" {
		t.Errorf("the error is %q (%v), want refused", got, err)
	}
	s.on("GET /repos/acme/shop", answer(http.StatusBadGateway, ""))
	if got := kind(do(t.Context(), s.repository())); got != "no answer" {
		t.Errorf("with the repository unread, the error is %q, want no answer", got)
	}
}

func TestCancelled(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.on("GET /repos/acme/shop/contents/a.yml", func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		answer(http.StatusOK, "{")(w, nil)
	})
	if err := do(ctx, s.repository()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the cancellation", err)
	}
}

func TestLimits(t *testing.T) {
	reset := newClock().Now().Add(20 * time.Minute)
	tests := []struct {
		name    string
		status  int
		text    string
		headers []string
		want    time.Duration // from now
	}{
		{"secondary, 403", 403, "You have exceeded a secondary rate limit.", []string{"Retry-After", "90"}, 90 * time.Second},
		{"secondary, 429", 429, "You have exceeded a secondary rate limit.", []string{"Retry-After", "30"}, 30 * time.Second},
		{"secondary, with quota headers", 403, "You have exceeded a secondary rate limit.", []string{"Retry-After", "5", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", unix(reset)}, 5 * time.Second},
		{"secondary, nothing said", 403, "You have exceeded a secondary rate limit.", nil, time.Minute},
		{"429, nothing said", 429, "Too many requests", nil, time.Minute},
		{"primary", 403, "API rate limit exceeded for installation ID 42.", []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", unix(reset)}, 20*time.Minute + time.Second},
		{"primary, 429", 429, "API rate limit exceeded", []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", unix(reset)}, 20*time.Minute + time.Second},
		{"primary, reset past", 403, "API rate limit exceeded", []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1"}, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.serveFile()
			op := operations["create"]
			s.on(op.line, answer(tt.status, obj{"message": tt.text}, tt.headers...))
			r := s.repository()
			err := op.call(t.Context(), r)
			var limited *promotion.LimitedError
			if !errors.As(err, &limited) {
				t.Fatalf("error %v, want a limit", err)
			}
			if got := limited.Until.Sub(s.clock.Now()); got != tt.want {
				t.Errorf("limited for %s, want %s", got, tt.want)
			}
			silent(t, err)

			asked := len(s.lines())
			if got := kind(do(t.Context(), r)); got != "limited" || len(s.lines()) != asked {
				t.Errorf("within the limit: error %q and requests %q, want limited and nothing sent", got, s.lines()[asked:])
			}
			s.clock.advance(tt.want)
			if err := do(t.Context(), r); err != nil {
				t.Errorf("after the limit: %v", err)
			}
		})
	}
}

// Installations have limits of their own.
func TestLimitsOfOneInstallationOnly(t *testing.T) {
	s := newServer(t)
	s.on("POST /app/installations/43/access_tokens", s.giveToken)
	s.on("GET /repos/other/shop", answer(http.StatusOK, repository("other", "shop", 5)))
	op := operations["create"]
	s.on(op.line, answer(http.StatusForbidden, obj{"message": "secondary rate limit"}))
	a := s.app()
	if got := kind(op.call(t.Context(), a.Repository(installationID, repositoryID, "acme", "shop"))); got != "limited" {
		t.Fatalf("error %q, want limited", got)
	}
	if _, err := a.Repository(43, 5, "other", "shop").Repository(t.Context()); err != nil {
		t.Errorf("another installation: %v", err)
	}
}
