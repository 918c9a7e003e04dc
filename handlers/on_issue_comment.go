// Comments on pull requests: people talk to the bot there. (GitHub calls them
// issue comments; those on plain issues are none of promobot's business.)

package handlers

type issueCommentEvent struct {
	envelope
	Issue struct {
		PullRequest *struct{} `json:"pull_request"`
	} `json:"issue"`
	Comment struct {
		App struct {
			ID int64 `json:"id"`
		} `json:"performed_via_github_app"`
	} `json:"comment"`
}

func onIssueComment(appID int64) func([]byte) (wanted, error) {
	return func(payload []byte) (wanted, error) {
		var e issueCommentEvent
		if err := decode(payload, &e); err != nil {
			return wanted{}, err
		}
		switch {
		case e.Issue.PullRequest == nil:
			return ignore("not on a pull request"), nil
		case e.Comment.App.ID == appID:
			return ignore("promobot's own comment"), nil
		case e.Action == "deleted":
			return ignore("what was said stays said"), nil
		}
		return e.wake()
	}
}
