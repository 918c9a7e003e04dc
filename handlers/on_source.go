// Releases and tags: what brings versions to the repositories whose pipeline
// files name this one as a source, besides itself.

package handlers

import "strings"

// Followers lists the repositories whose pipeline files name owner/name as the
// source of their versions, as far as they were read: what is missing, the next
// sweep looks at.
type Followers func(owner, name string) []Repository

// refEvent is of events about one branch or tag.
type refEvent struct {
	envelope
	Ref     string `json:"ref"`      // in full (push), or its name alone (create, delete)
	RefType string `json:"ref_type"` // create and delete: branch or tag
}

func onRelease(followers Followers) func([]byte) (wanted, error) {
	return func(payload []byte) (wanted, error) {
		var e envelope
		if err := decode(payload, &e); err != nil {
			return wanted{}, err
		}
		return followed(e, followers)
	}
}

// onRef is for push, create and delete. A push of a tag that moved comes without
// the other two.
func onRef(followers Followers) func([]byte) (wanted, error) {
	return func(payload []byte) (wanted, error) {
		var e refEvent
		if err := decode(payload, &e); err != nil {
			return wanted{}, err
		}
		if e.RefType == "tag" || e.RefType == "" && strings.HasPrefix(e.Ref, "refs/tags/") {
			return followed(e.envelope, followers)
		}
		return e.wake()
	}
}

// followed wakes the repository and those that follow it, each once.
func followed(e envelope, followers Followers) (wanted, error) {
	w, err := e.wake()
	if err != nil || w.ignored != "" || followers == nil {
		return w, err
	}
	source := w.repositories[0]
	for _, follower := range followers(source.Owner, source.Name) {
		if follower.ID != source.ID {
			w.repositories = append(w.repositories, follower)
		}
	}
	return w, nil
}
