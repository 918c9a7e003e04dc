package handlers

import (
	"encoding/json"
	"fmt"
	"time"
)

// PressLetter is the kind of a letter whose body is a Press.
const PressLetter = "press"

// Press is a command that a person gives without a comment: by a button of a check
// run, or on a page. The letter's ID tells one press from another; the same one
// twice is one. What the person may do is looked up when it is carried out.
type Press struct {
	By      string    `json:"by"`              // the person's login, as GitHub has authenticated it
	Command string    `json:"command"`         // what a comment would say after "/promobot "
	Issue   int       `json:"issue,omitempty"` // pull request whose pipeline and environment are meant; 0: none
	Where   string    `json:"where"`           // "check run" or "page", for what is recorded
	At      time.Time `json:"at,omitzero"`     // a press an hour old is not carried out any more; zero: when the letter came
	// Button is the button's identifier. It names the environment and what it was
	// about when it was shown, for promotion.Pressed; Command need not name the
	// environment then. "" where Command alone says what is meant.
	Button string `json:"button,omitempty"`
}

// ParsePress reads a PressLetter's body.
func ParsePress(body []byte) (Press, error) {
	var p Press
	if err := json.Unmarshal(body, &p); err != nil {
		return Press{}, fmt.Errorf("a letter is no press: %w", err)
	}
	return p, nil
}
