package conform

// Webhooks: the payload against the schema that GitHub gives for the event and its action.

import (
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Webhook validates one delivery's payload. The event is the X-GitHub-Event header; the action is the payload's, empty for
// events that have none. An event that GitHub does not describe is a violation.
func (d *Description) Webhook(event, action string, payload []byte) []Violation {
	operation := event
	if action != "" {
		operation += " " + action
	}
	var all []Violation
	add := func(p problem) {
		all = append(all, Violation{Side: "webhook", Operation: operation, Where: p.where, Problem: p.text, Undeclared: p.undeclared})
	}
	schema := d.webhookSchema(event, action)
	if schema == nil {
		add(problem{text: "GitHub describes no such webhook"})
		return all
	}
	value, err := decode(payload)
	if err != nil {
		add(problem{where: "body", text: err.Error()})
		return all
	}
	object, ok := value.(map[string]any)
	if !ok {
		add(problem{where: "body", text: "is not an object"})
		return all
	}
	if got, _ := object["action"].(string); got != action {
		add(problem{where: "/action", text: fmt.Sprintf("is %q, the delivery says %q", got, action)})
	}
	for _, p := range check(schema, value, true, openapi3.VisitAsRequest()) {
		add(p)
	}
	if event == "check_run" {
		for _, p := range completedNeedsConclusion(object["check_run"]) {
			p.where = "/check_run" + p.where
			add(p)
		}
	}
	return all
}

func (d *Description) webhookSchema(event, action string) *openapi3.Schema {
	name := strings.ReplaceAll(event, "_", "-")
	if event == "repository_dispatch" {
		// The action is the sender's own word; GitHub describes a sample of it.
		return d.webhooks["repository-dispatch-sample.collected"]
	}
	if action != "" {
		name += "-" + strings.ReplaceAll(action, "_", "-")
	}
	return d.webhooks[name]
}
