package githubsim

// repository_dispatch (Create a repository dispatch event).

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// The limits of a dispatch.
const (
	maxDispatchType    = 100
	maxDispatchKeys    = 10
	maxDispatchPayload = 64 << 10
)

func (s *Server) dispatchRoutes() {
	s.handle("POST", "/repos/{owner}/{repo}/dispatches",
		need{app: writes("contents"), role: RoleWrite}, s.createDispatch)
}

func (s *Server) createDispatch(c *call) (reply, error) {
	var in struct {
		EventType string          `json:"event_type"`
		Payload   json.RawMessage `json:"client_payload"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.EventType == "" {
		return reply{}, invalidRequest(`"event_type" wasn't supplied.`)
	}
	if n := utf8.RuneCountInString(in.EventType); n > maxDispatchType {
		return reply{}, invalidRequest("event_type is too long (maximum is %d characters); %d were supplied.", maxDispatchType, n)
	}
	var payload any
	if len(in.Payload) > 0 && !bytes.Equal(in.Payload, []byte("null")) {
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(in.Payload, &keys); err != nil {
			return reply{}, invalidRequest("For 'properties/client_payload', the value is not an object.")
		}
		if len(keys) > maxDispatchKeys {
			return reply{}, invalidRequest("No more than %d properties are allowed; %d were supplied.", maxDispatchKeys, len(keys))
		}
		if len(in.Payload) > maxDispatchPayload {
			return reply{}, unprocessable(fmt.Sprintf("client_payload is too large (maximum is %d bytes)", maxDispatchPayload))
		}
		payload = in.Payload
	}
	s.emit(c.repo, "repository_dispatch", in.EventType, c.actor, obj{
		"branch": c.repo.defaultBranch, "client_payload": payload,
	})
	if payload == nil {
		in.Payload = nil
	}
	return noContent(), s.dispatched(c, in.EventType, in.Payload)
}
