// Events that always matter: the repository's refs moved, or something that a
// gate, a verification or a source reads has changed.

package handlers

var alwaysEvents = []string{
	"status", // commit statuses are evidence
	"deployment_status",
	"merge_group", // a merge queue builds, or gives up, a group
}

func onAlways(payload []byte) (wanted, error) {
	var e envelope
	if err := decode(payload, &e); err != nil {
		return wanted{}, err
	}
	return e.wake()
}
