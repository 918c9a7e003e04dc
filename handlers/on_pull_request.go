// Pull requests and their reviews: a promotion is opened, moved, merged, closed
// or approved.

package handlers

// idlePullRequestActions change nothing that promobot reads. Labels, drafts,
// bases and texts do.
var idlePullRequestActions = map[string]bool{
	"assigned":               true,
	"unassigned":             true,
	"review_requested":       true,
	"review_request_removed": true,
	"locked":                 true,
	"unlocked":               true,
	"milestoned":             true,
	"demilestoned":           true,
}

func onPullRequest(payload []byte) (wanted, error) {
	var e envelope
	if err := decode(payload, &e); err != nil {
		return wanted{}, err
	}
	if idlePullRequestActions[e.Action] {
		return ignore("this action changes nothing that is read"), nil
	}
	return e.wake()
}

func onPullRequestReview(payload []byte) (wanted, error) {
	var e envelope
	if err := decode(payload, &e); err != nil {
		return wanted{}, err
	}
	if e.Action == "edited" {
		return ignore("a review's text is not read"), nil
	}
	return e.wake()
}
