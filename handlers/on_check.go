// Check runs and suites: evidence for gates and verifications. GitHub tells an
// App about its own ones too; those say nothing new, except that a person pressed
// a button on them: one of ours, or "Re-run". Both become letters. Rules: of a
// press nothing is taken from the payload but who pressed, which button, and on
// which pull request; what the button is about is found when the letter is dealt
// with. Once "Re-run" was pressed, GitHub shows the suite as queued until the run
// is written again ("Rerequest a check run", REST API documentation), though
// there is nothing new to say.

package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// checkRunName is the name of promobot's check runs.
const checkRunName = "promobot"

// The events of which a press is one.
const (
	checkRunEvent   = "check_run"
	checkSuiteEvent = "check_suite"
)

// AgainLetter is the kind of a letter whose body is an Again.
const AgainLetter = "rerequested"

// Again asks for the check run on a commit again.
type Again struct {
	Commit string `json:"commit"`
}

// ParseAgain reads an AgainLetter's body.
func ParseAgain(body []byte) (Again, error) {
	var a Again
	if err := json.Unmarshal(body, &a); err != nil {
		return Again{}, fmt.Errorf("a letter asks for no check run: %w", err)
	}
	if !commitID.MatchString(a.Commit) {
		return Again{}, errors.New("a letter asks for no check run: it names no commit")
	}
	return a, nil
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// again is the letter that asks for a check run again; a commit that is none only
// wakes.
func again(w wanted, delivery, commit string) (wanted, error) {
	if !commitID.MatchString(commit) || !deliveryIDs.MatchString(delivery) {
		return w, nil
	}
	body, err := json.Marshal(Again{Commit: commit})
	if err != nil {
		return wanted{}, fmt.Errorf("%w: %w", errPayload, err)
	}
	w.letters = []Letter{{ID: delivery, Kind: AgainLetter, Body: body}}
	return w, nil
}

type checkEvent struct {
	envelope
	CheckRun   checkPayload `json:"check_run"`
	CheckSuite checkPayload `json:"check_suite"`
	Requested  struct {
		Identifier string `json:"identifier"`
	} `json:"requested_action"`
	Sender struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"sender"`
}

type checkPayload struct {
	Name string `json:"name"`
	Head string `json:"head_sha"`
	App  struct {
		ID int64 `json:"id"`
	} `json:"app"`
	PullRequests []struct {
		Number int `json:"number"`
		Head   struct {
			SHA string `json:"sha"`
		} `json:"head"`
	} `json:"pull_requests"`
}

// pressed are the actions that a person causes.
var pressed = map[string]bool{"rerequested": true, "requested_action": true}

// buttons are the identifiers of promobot's buttons: a command, and a hash of what
// it is about (promotion.Applies).
var buttons = regexp.MustCompile(`^(approve|resume|retry|promote|hold|rollback):[0-9a-f]{8,16}$`)

func onCheckRun(appID int64) func(string, []byte) (wanted, error) {
	return func(delivery string, payload []byte) (wanted, error) {
		var e checkEvent
		if err := decode(payload, &e); err != nil {
			return wanted{}, err
		}
		own := e.CheckRun.App.ID == appID
		if own && !pressed[e.Action] {
			return ignore("promobot's own check run"), nil
		}
		w, err := e.wake()
		if err != nil || w.ignored != "" || !own || e.CheckRun.Name != checkRunName {
			return w, err
		}
		if e.Action == "rerequested" {
			return again(w, delivery, e.CheckRun.Head)
		}
		button := buttons.FindStringSubmatch(e.Requested.Identifier)
		switch {
		case button == nil || e.Sender.Type != "User":
			return w, nil // an older program's button, or no person: what stands there is shown anew
		case !deliveryIDs.MatchString(delivery):
			return wanted{}, fmt.Errorf("%w: the delivery has no id", errPayload)
		case e.Sender.Login == "":
			return wanted{}, fmt.Errorf("%w: nobody pressed the button", errPayload)
		}
		body, err := json.Marshal(Press{
			By: e.Sender.Login, Command: button[1], Issue: e.CheckRun.issue(), Where: "check run", Button: button[0],
		})
		if err != nil {
			return wanted{}, fmt.Errorf("%w: %w", errPayload, err)
		}
		w.letters = []Letter{{ID: delivery, Kind: PressLetter, Body: body}}
		return w, nil
	}
}

// issue is the pull request whose head the check run stands on; 0: none.
func (c checkPayload) issue() int {
	for _, p := range c.PullRequests {
		if p.Number > 0 && p.Head.SHA == c.Head {
			return p.Number
		}
	}
	return 0
}

func onCheckSuite(appID int64) func(string, []byte) (wanted, error) {
	return func(delivery string, payload []byte) (wanted, error) {
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
		w, err := e.wake()
		if err != nil || w.ignored != "" || e.CheckSuite.App.ID != appID || e.Action != "rerequested" {
			return w, err
		}
		return again(w, delivery, e.CheckSuite.Head)
	}
}
