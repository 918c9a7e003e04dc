// Package conform holds HTTP traffic against GitHub's own description of its API.
//
// Rules:
//   - The description is GitHub's OpenAPI document; it is read once per process and path, since that takes a second or more.
//   - GitHub's alternatives overlap, so oneOf is read as anyOf, and discriminators are dropped.
//   - What a schema does not declare is a violation on every side: that is how misspelled keys and parameters are found.
//   - Error codes that an operation does not list are fine, answers of success are not.
//   - Nothing here changes the traffic: violations are reported, never answered.
package conform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/vektah/gqlparser/v2/ast"
)

// ErrAbsent says that the description file is not on this machine. Tests that need it skip, saying so.
var ErrAbsent = errors.New("GitHub's API description is absent: put openapi.json into ../shared/github, seen from the project's root, to have the traffic validated")

// webhookPrefix is where the description's webhooks are hung while it is loaded, so that their references are resolved.
const webhookPrefix = "/x-webhooks/"

// Description is GitHub's API as its OpenAPI document tells it. It is safe for concurrent use.
type Description struct {
	routes   []route
	webhooks map[string]*openapi3.Schema
	schema   *ast.Schema // of GraphQL; nil when it is absent
}

// Violation is one departure from the description.
type Violation struct {
	// Side is "request", "answer" or "webhook".
	Side string
	// Operation is the method and path template, or the webhook's event and action.
	Operation string
	// Path is the request's path, empty for webhooks.
	Path string
	// Status is the answer's HTTP status, 0 for requests and webhooks.
	Status int
	// Where is a JSON pointer, or names the parameter.
	Where string
	// Problem says what is wrong.
	Problem string
	// Undeclared is set when the value's name is not in the description at all.
	Undeclared bool
}

// String is one line for a test's log.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", v.Side, v.Operation)
	if v.Path != "" {
		fmt.Fprintf(&b, " (%s)", v.Path)
	}
	if v.Status != 0 {
		fmt.Fprintf(&b, " %d", v.Status)
	}
	if v.Where != "" {
		fmt.Fprintf(&b, " at %s", v.Where)
	}
	fmt.Fprintf(&b, ": %s", v.Problem)
	return b.String()
}

// Find returns the path of the description beside the project: ../shared/github/openapi.json from the folder of go.mod.
// The error is ErrAbsent when there is none.
func Find() (string, error) {
	folder, err := Shared()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "openapi.json")
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", ErrAbsent
		}
		return "", fmt.Errorf("look for GitHub's description: %w", err)
	}
	return path, nil
}

// Shared returns the folder ../shared/github as seen from the module's root, found by walking up to go.mod. It may not exist.
func Shared() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared", "github"), nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", ErrAbsent
		}
		dir = up
	}
}

var (
	loadedMu sync.Mutex
	loaded   = map[string]func() (*Description, error){}
)

// Load reads the description at path; every path is read once per process.
func Load(path string) (*Description, error) {
	loadedMu.Lock()
	once, ok := loaded[path]
	if !ok {
		once = sync.OnceValues(func() (*Description, error) { return read(path) })
		loaded[path] = once
	}
	loadedMu.Unlock()
	return once()
}

func read(path string) (*Description, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrAbsent
		}
		return nil, fmt.Errorf("read GitHub's description: %w", err)
	}
	prepared, err := prepare(raw)
	if err != nil {
		return nil, fmt.Errorf("read GitHub's description %s: %w", path, err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(prepared)
	if err != nil {
		return nil, fmt.Errorf("load GitHub's description %s: %w", path, err)
	}
	d := &Description{webhooks: map[string]*openapi3.Schema{}}
	if d.schema, err = readSchema(filepath.Join(filepath.Dir(path), "schema.graphql")); err != nil {
		return nil, err
	}
	for template, item := range doc.Paths.Map() {
		if name, isHook := strings.CutPrefix(template, webhookPrefix); isHook {
			if item.Post == nil || item.Post.RequestBody == nil {
				return nil, fmt.Errorf("load GitHub's description: webhook %s has no body", name)
			}
			media := item.Post.RequestBody.Value.Content["application/json"]
			if media == nil || media.Schema == nil {
				return nil, fmt.Errorf("load GitHub's description: webhook %s has no JSON schema", name)
			}
			d.webhooks[name] = media.Schema.Value
			continue
		}
		d.routes = append(d.routes, newRoute(template, item))
	}
	sortRoutes(d.routes)
	return d, nil
}

// prepare mends the document where GitHub's own habits need it: see the package's rules.
func prepare(raw []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	paths, ok := doc["paths"].(map[string]any)
	if !ok {
		return nil, errors.New("it has no paths")
	}
	hooks, _ := doc["x-webhooks"].(map[string]any)
	for name, hook := range hooks {
		paths[webhookPrefix+name] = hook
	}
	delete(doc, "x-webhooks")
	relax(doc)
	allowLabelArrays(paths)
	allowStale(doc)
	allowMergeGroup(doc)
	listInstallations(paths)
	addUserInstallation(paths)
	addTokenDeletion(paths)
	return json.Marshal(doc)
}

func relax(node any) {
	switch n := node.(type) {
	case map[string]any:
		if alternatives, ok := n["oneOf"].([]any); ok {
			n["anyOf"] = alternatives
			delete(n, "oneOf")
			delete(n, "discriminator")
		}
		for _, child := range n {
			relax(child)
		}
	case []any:
		for _, child := range n {
			relax(child)
		}
	}
}

// allowLabelArrays adds the bare array of names that GitHub accepts for an issue's labels, and go-github sends.
func allowLabelArrays(paths map[string]any) {
	item, _ := paths["/repos/{owner}/{repo}/issues/{issue_number}/labels"].(map[string]any)
	for _, method := range []string{"post", "put"} {
		schema := dig(item, method, "requestBody", "content", "application/json", "schema")
		if schema == nil {
			continue
		}
		alternatives, _ := schema["anyOf"].([]any)
		schema["anyOf"] = append(alternatives, map[string]any{
			"type": "array", "items": map[string]any{"type": "string"},
		})
	}
}

// allowStale adds the conclusion that GitHub itself gives to check runs that nobody finished: its prose and its check suites
// have it, its schema of a check run does not.
func allowStale(doc map[string]any) {
	conclusion := dig(doc, "components", "schemas", "check-run", "properties", "conclusion")
	if values, ok := conclusion["enum"].([]any); ok {
		conclusion["enum"] = append(values, "stale")
	}
}

// allowMergeGroup adds the event merge_group wherever the events of an App are listed: GitHub's schemas of webhooks know only
// its former name.
func allowMergeGroup(node any) {
	switch n := node.(type) {
	case []any:
		for _, one := range n {
			allowMergeGroup(one)
		}
	case map[string]any:
		if values, ok := n["enum"].([]any); ok && slices.Contains(values, any("merge_queue_entry")) && !slices.Contains(values, any("merge_group")) {
			n["enum"] = append(values, "merge_group")
		}
		for _, one := range n {
			allowMergeGroup(one)
		}
	}
}

// listInstallations makes the list of installations one of what a single installation is: written out in the list, an account
// would have to be a user and an enterprise at once.
func listInstallations(paths map[string]any) {
	item, _ := paths["/app/installations"].(map[string]any)
	if list := dig(item, "get", "responses", "200", "content", "application/json", "schema"); list != nil {
		list["items"] = map[string]any{"$ref": "#/components/schemas/installation"}
	}
}

// addUserInstallation adds the user's counterpart of an organization's installation, which clients ask for in turn, where the
// description was cut without it.
func addUserInstallation(paths map[string]any) {
	const path = "/users/{username}/installation"
	item, _ := paths["/orgs/{org}/installation"].(map[string]any)
	get := dig(item, "get")
	if get == nil || paths[path] != nil {
		return
	}
	paths[path] = map[string]any{"get": map[string]any{
		"operationId": "apps/get-user-installation",
		"parameters": []any{map[string]any{
			"name": "username", "in": "path", "required": true, "schema": map[string]any{"type": "string"},
		}},
		"responses": get["responses"],
	}}
}

// addTokenDeletion adds the end of a person's token, which is asked for by an App's client id and secret, where the description
// was cut without it ("Delete an app token").
func addTokenDeletion(paths map[string]any) {
	const path = "/applications/{client_id}/token"
	if paths[path] != nil {
		return
	}
	text := map[string]any{"type": "string"}
	paths[path] = map[string]any{"delete": map[string]any{
		"operationId": "apps/delete-token",
		"parameters":  []any{map[string]any{"name": "client_id", "in": "path", "required": true, "schema": text}},
		"requestBody": map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{"schema": map[string]any{
			"type": "object", "properties": map[string]any{"access_token": text}, "required": []any{"access_token"},
		}}}},
		"responses": map[string]any{"204": map[string]any{"description": "Response"}},
	}}
}

func dig(node map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		node, _ = node[key].(map[string]any)
	}
	return node
}
