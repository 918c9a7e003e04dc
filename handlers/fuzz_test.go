package handlers_test

import (
	"fmt"
	"testing"

	"github.com/promobot/promobot/handlers"
)

// FuzzWebhookBody: whatever body is authentically signed, the answer is one of
// the documented ones, nothing panics, and what is woken is a well-formed
// repository that survives the queue.
func FuzzWebhookBody(f *testing.F) {
	for _, event := range []string{"push", "installation", "check_run", "issue_comment", "pull_request", "ping", "nonsense", ""} {
		f.Add(event, []byte(pushBody))
	}
	f.Add("installation", []byte(`{"action":"created","installation":{"id":3},"repositories":[{"id":42,"full_name":"acme/deploy"}]}`))
	f.Add("check_run", []byte(`{"action":"completed","check_run":{"app":{"id":7}},"installation":{"id":3},"repository":{"id":1,"full_name":"a/b"}}`))
	f.Add("issue_comment", []byte(`{"issue":{"pull_request":null},"comment":null,"installation":{"id":3}}`))
	f.Add("issue_comment", []byte(`{"action":"created","comment":{"id":5,"body":"/promobot hold prod"},"installation":{"id":3},"repository":{"id":1,"full_name":"a/b"}}`))
	f.Add("push", []byte(`{"repository":[],"installation":7}`))
	f.Add("push", []byte(`{"installation":{"id":3},"repository":{"id":1e99,"full_name":"a b/c\nd"}}`))
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		front := newFront(t)
		status, _ := front.answer(delivery(t.Context(), event, body))
		switch status {
		case 200, 202, 400:
		default:
			t.Fatalf("answered %d", status)
		}
		for repository, letters := range front.posted {
			if again, is, err := handlers.ParseLettersKey(repository.LettersKey(), repository.Note()); err != nil || !is || again != repository {
				t.Fatalf("%+v came back from the queue as %+v, %v", repository, again, err)
			}
			for _, letter := range letters {
				if letter.Kind != handlers.CommentLetter {
					continue
				}
				if comment, err := handlers.ParseComment(letter.Body); err != nil || letter.ID != fmt.Sprintf("comment-%d", comment.ID) {
					t.Fatalf("the letter %+v is read as %+v, %v", letter, comment, err)
				}
			}
		}
		for _, repository := range front.woken {
			again, err := handlers.ParseRepository(repository.Key(), repository.Note())
			if err != nil || again != repository {
				t.Fatalf("%+v came back from the queue as %+v, %v", repository, again, err)
			}
		}
	})
}
