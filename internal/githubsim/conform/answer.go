package conform

// Answers: strict. A success must be described, of the described media type, and hold nothing undeclared.
// An error needs GitHub's message; a server error may be anything, since GitHub answers those with a page.

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

func checkAnswer(op *openapi3.Operation, r *http.Request, status int, header http.Header, body []byte) []problem {
	switch {
	case status >= 500:
		return nil
	case status == http.StatusNotModified:
		return bodyless(body)
	case status >= 300 && status < 400:
		if header.Get("Location") == "" {
			return []problem{{where: "Location", text: "a redirect without a place to go"}}
		}
		return nil
	}
	var described *openapi3.Response
	if op != nil {
		if ref := op.Responses.Value(strconv.Itoa(status)); ref != nil {
			described = ref.Value
		}
	}
	if status >= 400 {
		return checkError(described, header, body)
	}
	if op == nil {
		return []problem{{text: "the simulator answered what GitHub does not describe"}}
	}
	if described == nil {
		return []problem{{text: "GitHub describes no such status"}}
	}
	if len(described.Content) == 0 {
		return bodyless(body)
	}
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return []problem{{where: "Content-Type", text: fmt.Sprintf("%q: %s", header.Get("Content-Type"), err)}}
	}
	if asked, raw := customMedia(media); raw {
		if !strings.Contains(r.Header.Get("Accept"), asked) {
			return []problem{{where: "Content-Type", text: fmt.Sprintf("%s was not asked for", media)}}
		}
		return nil
	}
	content := described.Content[media]
	if content == nil || content.Schema == nil {
		return []problem{{where: "Content-Type", text: fmt.Sprintf("GitHub describes no %s here", media)}}
	}
	value, err := decode(body)
	if err != nil {
		return []problem{{where: "body", text: err.Error()}}
	}
	found := check(content.Schema.Value, value, true, openapi3.VisitAsResponse())
	if op.OperationID == "checks/create" || op.OperationID == "checks/update" || op.OperationID == "checks/get" {
		found = append(found, completedNeedsConclusion(value)...)
	}
	return found
}

// customMedia tells GitHub's own non-JSON media types (docs: Media types): raw, diff, patch, sha, html.
func customMedia(media string) (kind string, ok bool) {
	rest, ok := strings.CutPrefix(media, "application/vnd.github.")
	if !ok || strings.HasSuffix(rest, "+json") {
		return "", false
	}
	rest = strings.TrimPrefix(rest, "v3.")
	switch rest {
	case "raw", "diff", "patch", "sha", "html":
		return rest, true
	}
	return "", false
}

func bodyless(body []byte) []problem {
	if len(body) == 0 {
		return nil
	}
	return []problem{{where: "body", text: "GitHub describes none for this answer"}}
}

func checkError(described *openapi3.Response, header http.Header, body []byte) []problem {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return []problem{{where: "Content-Type", text: fmt.Sprintf("%q: %s", header.Get("Content-Type"), err)}}
	}
	// GitHub sends application/json where its description says application/scim+json.
	if media != "application/json" && media != "application/scim+json" {
		return []problem{{where: "Content-Type", text: fmt.Sprintf("is %s, GitHub's errors are JSON", media)}}
	}
	var message struct {
		Message *string `json:"message"`
	}
	if err := json.Unmarshal(body, &message); err != nil || message.Message == nil {
		return []problem{{where: "/message", text: "GitHub's errors have one"}}
	}
	if described == nil {
		return nil
	}
	content := described.Content["application/json"]
	if content == nil || content.Schema == nil {
		return nil
	}
	value, err := decode(body)
	if err != nil {
		return []problem{{where: "body", text: err.Error()}}
	}
	return check(content.Schema.Value, value, false, openapi3.VisitAsResponse())
}
