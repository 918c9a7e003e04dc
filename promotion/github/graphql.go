package github

// GraphQL, for what REST cannot do: auto-merge, the merge queue, and GitHub's
// own word on whether reviews are missing. Rules:
//
//   - Documents are files, and each is valid by GitHub's schema.
//   - An answer with errors is an error, whatever data comes with it. GraphQL
//     sends most errors as a 200: they are sorted by their type and, as with
//     REST, by their words.
//   - GraphQL goes the way of REST (transport.go): same tokens, same limits.

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

//go:embed *.graphql
var documents embed.FS

// graphQLOf is where the GraphQL API of a REST API is: on github.com and on
// Enterprise Cloud beside it, on an Enterprise Server at /api/graphql ("Forming
// calls with GraphQL"; GitHub Enterprise Server's edition of it).
func graphQLOf(base *url.URL) *url.URL {
	at := *base
	at.RawPath = ""
	at.Path = strings.TrimSuffix(base.Path, "v3/") + "graphql"
	return &at
}

// graphQLError is one of the errors of an answer.
type graphQLError struct {
	Type       string `json:"type"` // NOT_FOUND, FORBIDDEN, UNPROCESSABLE, RATE_LIMITED, …
	Message    string `json:"message"`
	Extensions struct {
		Code string `json:"code"` // of a document that does not fit the server's schema
	} `json:"extensions"`
}

// graphQLErrors are all errors of an answer.
type graphQLErrors []graphQLError

func (e graphQLErrors) Error() string { return e.words() }

// words are GitHub's, in one line.
func (e graphQLErrors) words() string {
	var said []string
	for _, one := range e {
		if m := plain(one.Message); !slices.Contains(said, m) {
			said = append(said, m)
		}
	}
	return cutLine(strings.Join(said, "; "), maxWords)
}

// plain is a message without the class's name that GitHub doubles in front of
// some: "Pull request Pull request is in clean status".
func plain(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	const class = "Pull request "
	if rest, doubled := strings.CutPrefix(message, class); doubled && strings.HasPrefix(rest, class) {
		return rest
	}
	return message
}

// meaningOfQuery sorts errors of GraphQL's.
func meaningOfQuery(doing string, e graphQLErrors) error {
	is := func(kinds ...string) bool {
		return slices.ContainsFunc(e, func(one graphQLError) bool { return slices.Contains(kinds, one.Type) })
	}
	old := slices.ContainsFunc(e, func(one graphQLError) bool { return one.Type == "" && one.Extensions.Code != "" })
	switch {
	case is("NOT_FOUND"):
		return fmt.Errorf("%s: %w (%s)", doing, promotion.ErrNotFound, e.words())
	case is("FORBIDDEN", "INSUFFICIENT_SCOPES"):
		return refusal(doing, e.words()+"; an owner has to accept the App's permissions in the settings, under GitHub Apps: contents and pull requests, read and write")
	case is("UNPROCESSABLE"):
		var judged error
		for _, one := range e {
			if one.Type == "UNPROCESSABLE" {
				judged = graver(judged, judge(doing, plain(one.Message)))
			}
		}
		return judged
	case old:
		return refusal(doing, "this GitHub does not know what is asked for; it may be an Enterprise Server that is too old: "+e.words())
	}
	return fmt.Errorf("%s: GitHub answered: %w", doing, e)
}

// mutate sends a document that writes.
func (r *Repository) mutate(ctx context.Context, document string, variables map[string]any, into any) error {
	return r.send(context.WithValue(ctx, mutationKey{}, true), document, variables, into)
}

// send sends a document and decodes the answer's data into the value.
func (r *Repository) send(ctx context.Context, document string, variables map[string]any, into any) error {
	text, err := documents.ReadFile(document + ".graphql")
	if err != nil {
		return fmt.Errorf("the document %q is not built in: %w", document, err)
	}
	body, err := json.Marshal(map[string]any{"query": string(text), "variables": variables})
	if err != nil {
		return fmt.Errorf("writing a query: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.app.graphQL.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("writing a query: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", r.app.agent)
	resp, err := r.client.Client().Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end already (transport.go)
	if resp.StatusCode == http.StatusNotFound {
		// GraphQL says "not found" in a 200. This is the API itself.
		return fmt.Errorf("GitHub answers 404 where its GraphQL API should be, %s", r.app.graphQL.Path)
	}
	if err := gh.CheckResponse(resp); err != nil {
		return err
	}
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors graphQLErrors   `json:"errors"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("GitHub's answer is no answer: %w", err)
	}
	if len(answer.Errors) > 0 {
		return answer.Errors
	}
	if len(answer.Data) == 0 || string(answer.Data) == "null" {
		return errors.New("GitHub's answer holds neither data nor errors")
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		return fmt.Errorf("GitHub's answer is no answer: %w", err)
	}
	return nil
}
