// Workflow runs: evidence for verifications, and what became of a recovery that
// promobot had sent.

package handlers

func onWorkflowRun(payload []byte) (wanted, error) {
	var e envelope
	if err := decode(payload, &e); err != nil {
		return wanted{}, err
	}
	if e.Action == "in_progress" {
		return ignore("a run that goes on says no more than one that was asked for"), nil
	}
	return e.wake()
}
