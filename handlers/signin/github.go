package signin

// What is asked of GitHub with a person's token: who they are, and which of a
// list of repositories there are for them. One GraphQL query answers a hundred,
// the public ones and those of others included.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	mostAnswer  = 1 << 20
	endTime     = 5 * time.Second
	namesPrefix = "r" // of the aliases of repositories in a query
)

// answer is what GitHub says to a token.
type answer struct {
	login   string // of the account, where it was asked for
	id      int64
	visible map[int64]bool
}

// viewer is whose a token is.
func (s *SignIn) viewer(ctx context.Context, t token) (login string, id int64, err error) {
	a, err := s.ask(ctx, t, true, nil)
	return a.login, a.id, err
}

// question is a query for repositories by name, and for who asks.
func question(who bool, repositories []Repository) (query string, variables map[string]string) {
	variables = map[string]string{}
	var head, body strings.Builder
	if who {
		body.WriteString("viewer{login databaseId} ")
	} else {
		body.WriteString("rateLimit{cost} ") // a query asks for something
	}
	for i, r := range repositories {
		n := strconv.Itoa(i)
		fmt.Fprintf(&head, "$o%s:String!,$n%s:String!,", n, n)
		fmt.Fprintf(&body, "%s%s:repository(owner:$o%s,name:$n%s){databaseId} ", namesPrefix, n, n, n)
		variables["o"+n], variables["n"+n] = r.Owner, r.Name
	}
	query = "query"
	if head.Len() > 0 {
		query += "(" + strings.TrimSuffix(head.String(), ",") + ")"
	}
	return query + "{" + body.String() + "}", variables
}

// ask asks GitHub. Only what it said plainly counts: a repository is seen that it
// names by its id, and is not that it says is not there or forbidden; with
// anything else nothing is known.
func (s *SignIn) ask(ctx context.Context, t token, who bool, repositories []Repository) (answer, error) {
	query, variables := question(who, repositories)
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return answer{}, fmt.Errorf("encode a query: %w", err)
	}
	resp, err := s.send(ctx, http.MethodPost, s.graphQL, body, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+string(t)) })
	if err != nil {
		return answer{}, &UnavailableError{Reason: "GitHub does not answer"}
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return answer{}, ErrSignedOut
	default:
		return answer{}, &UnavailableError{Reason: fmt.Sprintf("GitHub answers %d", resp.StatusCode), RetryAfter: retryAfter(resp, s.options.Now())}
	}
	var got struct {
		Data   map[string]json.RawMessage `json:"data"`
		Errors []struct {
			Type string `json:"type"`
			Path []any  `json:"path"`
		} `json:"errors"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostAnswer)).Decode(&got); err != nil {
		return answer{}, &UnavailableError{Reason: "GitHub's answer broke off"}
	}
	hidden := map[string]bool{}
	for _, e := range got.Errors {
		name := ""
		if len(e.Path) > 0 {
			name, _ = e.Path[0].(string)
		}
		if !strings.HasPrefix(name, namesPrefix) || e.Type != "NOT_FOUND" && e.Type != "FORBIDDEN" {
			return answer{}, &UnavailableError{Reason: "GitHub does not say what you can see", RetryAfter: retryAfter(resp, s.options.Now())}
		}
		hidden[name] = true
	}
	return read(got.Data, hidden, who, repositories)
}

// read takes the answer apart.
func read(data map[string]json.RawMessage, hidden map[string]bool, who bool, repositories []Repository) (answer, error) {
	out := answer{visible: map[int64]bool{}}
	unclear := &UnavailableError{Reason: "GitHub does not say what you can see"}
	if data == nil {
		return out, unclear
	}
	if who {
		var viewer struct {
			Login string `json:"login"`
			ID    int64  `json:"databaseId"`
		}
		if err := json.Unmarshal(data["viewer"], &viewer); err != nil || viewer.Login == "" || viewer.ID == 0 {
			return out, unclear
		}
		out.login, out.id = viewer.Login, viewer.ID
	}
	for i, r := range repositories {
		name := namesPrefix + strconv.Itoa(i)
		var found *struct {
			ID int64 `json:"databaseId"`
		}
		if raw, there := data[name]; there {
			if err := json.Unmarshal(raw, &found); err != nil {
				return out, unclear
			}
		}
		switch {
		case found == nil && !hidden[name]:
			return out, unclear
		case found != nil && found.ID == r.ID: // another may have its former name
			out.visible[r.ID] = true
		}
	}
	return out, nil
}

// retryAfter is how long GitHub wants to be left alone; at most an hour.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		return min(time.Duration(n)*time.Second, time.Hour)
	}
	if resp.Header.Get("X-RateLimit-Remaining") == "0" {
		if at, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return min(max(time.Unix(at, 0).Sub(now), time.Second), time.Hour)
		}
	}
	return 0
}

// end has GitHub end a token ("Delete an app token", REST API documentation).
func (s *SignIn) end(ctx context.Context, t token) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	body, err := json.Marshal(map[string]string{"access_token": string(t)})
	if err != nil {
		return fmt.Errorf("encode a token: %w", err)
	}
	resp, err := s.send(ctx, http.MethodDelete, s.revoke, body, func(r *http.Request) { r.SetBasicAuth(s.options.ClientID, s.options.ClientSecret) })
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusNotFound, http.StatusUnprocessableEntity: // it is no token any more
		return nil
	}
	return fmt.Errorf("GitHub answers %d", resp.StatusCode)
}

// send sends JSON. Its errors hold nothing that was sent.
func (s *SignIn) send(ctx context.Context, method, to string, body []byte, sign func(*http.Request)) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address of GitHub's API is none")
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", s.options.UserAgent)
	sign(req)
	return s.client.Do(req)
}
