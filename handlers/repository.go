// Package handlers is what arrives from outside: webhooks, the sweep, questions
// about health.
//
// Rules:
//
//   - An event only says "look at this repository again". No fact is ever read
//     from a payload; what is taken from it is where to look. What is to be dealt
//     with once is kept as a letter: a repository_dispatch, which comes as an
//     event alone, with what it says; a comment that may hold a command, by its
//     id.
//   - A handler decodes, delegates and returns. Which repositories an event wakes
//     is a pure function of its payload, one file per subject.
//   - A webhook is answered 2xx only when its wake or letter is stored. GitHub
//     does not send a failed delivery again by itself (docs: "Handling failed
//     webhook deliveries"); the sweep makes up for what never arrives.
//   - Neither logs nor answers hold a secret or a payload.
package handlers

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Repository is where to look: its id, which never changes, and its address,
// which may.
type Repository struct {
	InstallationID int64
	ID             int64
	Owner, Name    string
}

// Waker has repositories looked at soon. When Wake returns nil that is stored
// durably, for all of them; with an error, for all or none.
type Waker interface {
	Wake(ctx context.Context, repositories ...Repository) error
}

const keyPrefix = "repository/"

// Key is the repository's key in the queue, the same under all its names and
// installations, so that its work never overlaps: "repository/<id>".
func (r Repository) Key() string { return keyPrefix + strconv.FormatInt(r.ID, 10) }

// Note is the repository's address beside its key: "<installation> <owner>/<name>".
func (r Repository) Note() string {
	return fmt.Sprintf("%d %s/%s", r.InstallationID, r.Owner, r.Name)
}

// ParseRepository is the inverse of Key and Note.
func ParseRepository(key, note string) (Repository, error) {
	id, err := strconv.ParseInt(strings.TrimPrefix(key, keyPrefix), 10, 64)
	if err != nil || !strings.HasPrefix(key, keyPrefix) {
		return Repository{}, fmt.Errorf("%q is not a repository's key", key)
	}
	installation, fullName, _ := strings.Cut(note, " ")
	installationID, err := strconv.ParseInt(installation, 10, 64)
	if err != nil {
		return Repository{}, fmt.Errorf("%s: %q is not a repository's address", key, note)
	}
	return newRepository(installationID, id, fullName)
}

// fullNames are GitHub's: letters, digits, '-', '_' and '.'; an owner has only
// some of them, and enterprise-managed users an underscore.
var fullNames = regexp.MustCompile(`^([A-Za-z0-9_-][A-Za-z0-9._-]*)/([A-Za-z0-9._-]+)$`)

func newRepository(installationID, id int64, fullName string) (Repository, error) {
	parts := fullNames.FindStringSubmatch(fullName)
	switch {
	case installationID <= 0:
		return Repository{}, fmt.Errorf("%d is not an installation's id", installationID)
	case id <= 0:
		return Repository{}, fmt.Errorf("%d is not a repository's id", id)
	case parts == nil || parts[2] == "." || parts[2] == "..":
		return Repository{}, fmt.Errorf("%q is not a repository's full name", fullName)
	}
	return Repository{InstallationID: installationID, ID: id, Owner: parts[1], Name: parts[2]}, nil
}
