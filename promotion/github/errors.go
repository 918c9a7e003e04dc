package github

// What GitHub's refusals mean, in one place. GitHub tells them apart by status
// and, where one status means several things, by words only; the words matched
// here are those that it has used for years.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

// maxWords bounds what is repeated of GitHub's words.
const maxWords = 500

// explain says what an error means; doing is what was tried, as "merging #7".
func explain(doing string, err error) error {
	var (
		limited *promotion.LimitedError
		refused *promotion.RefusedError
		primary *gh.RateLimitError
		answer  *gh.ErrorResponse
		queried graphQLErrors
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.As(err, &limited):
		return fmt.Errorf("%s: %w", doing, limited)
	case errors.As(err, &refused):
		return fmt.Errorf("%s: %w", doing, refused)
	case errors.As(err, &primary):
		// Limits are caught on the wire (limits.go), but go-github itself sends
		// nothing once an answer said that nothing is left.
		return fmt.Errorf("%s: %w", doing, &promotion.LimitedError{
			Until: primary.Rate.Reset.Time, What: "GitHub's hourly rate limit is reached",
		})
	case errors.As(err, &answer) && answer.Response != nil:
		return meaning(doing, answer)
	case errors.As(err, &queried):
		return meaningOfQuery(doing, queried)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// conflicts are GitHub's words for "look again": the head or the base moved,
// or someone was there first. "No commits between" means that the base has it
// already ("Create a pull request"; "Merge a pull request"; "Create a reference").
var conflicts = []string{
	"a pull request already exists", "no commits between", "reference already exists",
	"update is not a fast forward", "branch was modified",
}

// meaning sorts an answer that is a refusal.
func meaning(doing string, answer *gh.ErrorResponse) error {
	said := words(answer)
	has := func(part string) bool { return strings.Contains(strings.ToLower(said), part) }
	conflict := fmt.Errorf("%s: %w (%s)", doing, promotion.ErrConflict, said)
	absent := fmt.Errorf("%s: %w (%s)", doing, promotion.ErrNotFound, said)
	switch status := answer.Response.StatusCode; status {
	case http.StatusNotFound:
		return absent
	case http.StatusConflict:
		if has("git repository is empty") {
			return absent
		}
		return conflict
	case http.StatusMethodNotAllowed: // only merges answer it
		return judge(doing, answer.Message)
	case http.StatusUnprocessableEntity:
		if slices.ContainsFunc(conflicts, has) {
			return conflict
		}
		switch {
		case has("no commit found for sha"):
			return absent
		case headUnknown(answer):
			return conflict // the branch is gone, or not yet seen everywhere
		}
		return refusal(doing, said)
	case http.StatusUnauthorized:
		return refusal(doing, "GitHub does not accept promobot's token: "+said)
	default:
		if status >= 400 && status < 500 && status != http.StatusRequestTimeout {
			return refusal(doing, said)
		}
		return fmt.Errorf("%s: GitHub answered %d: %s", doing, status, said)
	}
}

func refusal(doing, said string) error {
	return fmt.Errorf("%s: %w", doing, &promotion.RefusedError{Reason: said})
}

// headUnknown tells whether a pull request was refused for its head.
func headUnknown(answer *gh.ErrorResponse) bool {
	for _, e := range answer.Errors {
		if e.Resource == "PullRequest" && e.Field == "head" && (e.Code == "invalid" || e.Code == "missing") {
			return true
		}
	}
	return false
}

// words are GitHub's, in one line.
func words(answer *gh.ErrorResponse) string {
	said := []string{strings.TrimRight(answer.Message, ".")}
	for _, e := range answer.Errors {
		switch {
		case e.Message != "":
			said = append(said, e.Message)
		case e.Field != "":
			said = append(said, strings.TrimSpace(e.Resource+" "+e.Field+" is "+e.Code))
		}
	}
	text := strings.Join(strings.Fields(strings.Join(said, ": ")), " ")
	if text == "" {
		text = http.StatusText(answer.Response.StatusCode)
	}
	return cutLine(text, maxWords)
}
