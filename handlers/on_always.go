// Events that always matter: the repository's refs moved, or something that a
// gate, a verification or a source reads has changed.

package handlers

var alwaysEvents = []string{
	"push",   // a base, a promotion's branch, or the pipeline file
	"create", // a branch or tag: a base appears, a source offers
	"delete", // a branch or tag: a promotion's head is gone
	"status", // commit statuses are evidence
	"deployment_status",
	"release",
	"repository_dispatch",
	"merge_group",
}

func onAlways(payload []byte) (wanted, error) {
	var e envelope
	if err := decode(payload, &e); err != nil {
		return wanted{}, err
	}
	return e.wake()
}
