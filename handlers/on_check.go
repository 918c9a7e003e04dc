// Check runs and suites: evidence for gates and verifications. GitHub tells an
// App about its own ones too; those say nothing new, except that a person pressed
// a button on them.

package handlers

type checkEvent struct {
	envelope
	CheckRun   checkPayload `json:"check_run"`
	CheckSuite checkPayload `json:"check_suite"`
}

type checkPayload struct {
	App struct {
		ID int64 `json:"id"`
	} `json:"app"`
}

// pressed are the actions that a person causes.
var pressed = map[string]bool{"rerequested": true, "requested_action": true}

func onCheckRun(appID int64) func([]byte) (wanted, error) {
	return func(payload []byte) (wanted, error) {
		var e checkEvent
		if err := decode(payload, &e); err != nil {
			return wanted{}, err
		}
		if e.CheckRun.App.ID == appID && !pressed[e.Action] {
			return ignore("promobot's own check run"), nil
		}
		return e.wake()
	}
}

func onCheckSuite(appID int64) func([]byte) (wanted, error) {
	return func(payload []byte) (wanted, error) {
		var e checkEvent
		if err := decode(payload, &e); err != nil {
			return wanted{}, err
		}
		switch {
		case e.Action == "requested":
			return ignore("the push itself is told too"), nil
		case e.CheckSuite.App.ID == appID && !pressed[e.Action]:
			return ignore("promobot's own check suite"), nil
		}
		return e.wake()
	}
}
