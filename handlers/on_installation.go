// Installations and repositories come and go. What is gone needs no wake: work
// that still asks for it finds out.

package handlers

type installationEvent struct {
	envelope
	Repositories      []repositoryPayload `json:"repositories"`
	RepositoriesAdded []repositoryPayload `json:"repositories_added"`
}

func onInstallation(payload []byte) (wanted, error) {
	var e installationEvent
	if err := decode(payload, &e); err != nil {
		return wanted{}, err
	}
	switch {
	case e.Action == "deleted" || e.Action == "suspend":
		return ignore("there are no rights to look any more"), nil
	case len(e.Repositories) == 0: // "unsuspend" lists none
		return wanted{sweep: true}, nil
	}
	return wakeAll(e.Installation.ID, e.Repositories)
}

func onInstallationRepositories(payload []byte) (wanted, error) {
	var e installationEvent
	if err := decode(payload, &e); err != nil {
		return wanted{}, err
	}
	if len(e.RepositoriesAdded) == 0 {
		return ignore("no repository was added"), nil
	}
	return wakeAll(e.Installation.ID, e.RepositoriesAdded)
}

// onRepository follows renames, transfers, archiving and a new default branch.
func onRepository(payload []byte) (wanted, error) {
	var e envelope
	if err := decode(payload, &e); err != nil {
		return wanted{}, err
	}
	if e.Action == "deleted" {
		return ignore("the repository is gone"), nil
	}
	return e.wake()
}
