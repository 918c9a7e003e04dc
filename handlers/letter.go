// Letters: what is dealt with once, and so is kept until it was. All else that
// arrives only says where to look, and can be asked for again.

package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DispatchLetter is the kind of a letter whose body is a Dispatch.
const DispatchLetter = "repository_dispatch"

// Letter is one thing to be dealt with once.
type Letter struct {
	ID   string    // the same when it is sent again: the delivery's, or comment-<id>
	Kind string    // says what Body is
	Body []byte    // JSON
	At   time.Time // when it came; zero: now
}

// Mail keeps letters for their repository and has them dealt with soon. When
// Post returns nil they are stored durably. A letter that is known is not kept
// twice.
type Mail interface {
	Post(ctx context.Context, repository Repository, letters ...Letter) error
}

const lettersPrefix = "letters/"

// LettersKey is the key in the queue of the repository's letters, "letters/<id>":
// another than the repository's own, so that a letter does not wait behind 200
// promotions.
func (r Repository) LettersKey() string { return lettersPrefix + strconv.FormatInt(r.ID, 10) }

// ParseLettersKey says whether a key is that of a repository's letters, and of
// which: the inverse of LettersKey and Note.
func ParseLettersKey(key, note string) (repository Repository, is bool, err error) {
	id, is := strings.CutPrefix(key, lettersPrefix)
	if !is {
		return Repository{}, false, nil
	}
	repository, err = ParseRepository(keyPrefix+id, note)
	return repository, true, err
}

// Dispatch is a repository_dispatch ("Create a repository dispatch event", REST
// API documentation).
type Dispatch struct {
	Type    string          `json:"type"`           // event_type
	Payload json.RawMessage `json:"client_payload"` // at most 10 keys and 64 KB, GitHub says; null for none
}

// ParseDispatch reads a DispatchLetter's body.
func ParseDispatch(body []byte) (Dispatch, error) {
	var d Dispatch
	if err := json.Unmarshal(body, &d); err != nil {
		return Dispatch{}, fmt.Errorf("a letter is no repository_dispatch: %w", err)
	}
	return d, nil
}

// dispatchEvent is the webhook: the event_type is its action.
type dispatchEvent struct {
	envelope
	Payload json.RawMessage `json:"client_payload"`
}

// deliveryIDs are GUIDs; what else it may be one day is taken as long as it is
// short and plain.
var deliveryIDs = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`)

// onDispatch makes a letter of a repository_dispatch. The repository is looked
// at once the letter was dealt with.
func onDispatch(delivery string, payload []byte) (wanted, error) {
	var e dispatchEvent
	if err := decode(payload, &e); err != nil {
		return wanted{}, err
	}
	w, err := e.wake()
	switch {
	case err != nil || w.ignored != "":
		return w, err
	case !deliveryIDs.MatchString(delivery):
		return wanted{}, fmt.Errorf("%w: the delivery has no id", errPayload)
	}
	body, err := json.Marshal(Dispatch{Type: e.Action, Payload: e.Payload})
	if err != nil {
		return wanted{}, fmt.Errorf("%w: %w", errPayload, err)
	}
	w.letters = []Letter{{ID: delivery, Kind: DispatchLetter, Body: body}}
	return w, nil
}
