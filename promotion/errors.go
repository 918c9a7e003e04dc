package promotion

import (
	"errors"
	"fmt"
	"time"
)

// Errors of reads and writes say what to do next.

// ErrConflict means that the world moved (a head, a base, a pull request that exists
// already): observe and decide anew.
var ErrConflict = errors.New("it changed meanwhile")

// ErrNotFound means that there is none, and that is known for certain.
var ErrNotFound = errors.New("not found")

// ErrClean means that GitHub has nothing to wait for with a pull request, and so
// refuses to merge it by itself later: it can be merged at once.
var ErrClean = errors.New("it can be merged at once")

// WaitError means not yet: a required check that has not ended, a review that
// is missing, a merge that GitHub has not worked out. Nothing is wrong; look
// again when something happened.
type WaitError struct{ Reason string }

func (e *WaitError) Error() string { return "not yet: " + e.Reason }

// RefusedError is a refusal that repeating does not change: a rule, a missing
// permission, an invalid request. A person has to act.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// LimitedError is a rate limit: nothing before Until will succeed.
type LimitedError struct {
	Until time.Time
	What  string
}

func (e *LimitedError) Error() string {
	return fmt.Sprintf("%s; until %s", e.What, e.Until.UTC().Format(time.RFC3339))
}

// ErrPending is of a command that has had its effect, and is answered when that is
// in force.
var ErrPending = errors.New("it is answered once it is in force")

// Join is what went wrong, as of errors.Join. ErrPending is said where nothing did.
func Join(failures ...error) error {
	var failed []error
	pending := false
	for _, err := range failures {
		if errors.Is(err, ErrPending) {
			pending = true
		} else {
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil || !pending {
		return err
	}
	return ErrPending
}
