package githubsim

// GitHub's refusals, with its status codes and texts.

import (
	"errors"
	"net/http"
	"strconv"
)

const docsURL = "https://docs.github.com/rest"

// apiError is a refusal in GitHub's JSON shape.
type apiError struct {
	status  int
	message string
	doc     string       // documentation_url; docsURL when empty
	errors  []fieldError // of a 422
	reasons []string     // of a 422 that gives its reasons as plain texts
	header  http.Header
}

// fieldError is one entry of a 422's errors. Codes are missing, missing_field,
// invalid, already_exists, unprocessable and custom (Troubleshooting the REST API).
type fieldError struct {
	Resource string `json:"resource,omitempty"`
	Field    string `json:"field,omitempty"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"message,omitempty"`
}

func (e *apiError) Error() string { return strconv.Itoa(e.status) + " " + e.message }

func notFound() error { return &apiError{status: http.StatusNotFound, message: "Not Found"} }

func badCredentials() error {
	return &apiError{status: http.StatusUnauthorized, message: "Bad credentials"}
}

func unauthorized(message string) error {
	return &apiError{status: http.StatusUnauthorized, message: message}
}

func forbidden(message string) error {
	return &apiError{status: http.StatusForbidden, message: message}
}

// notForIntegration refuses what an App lacks the permission for.
func notForIntegration() error { return forbidden("Resource not accessible by integration") }

func conflict(message string) error {
	return &apiError{status: http.StatusConflict, message: message}
}

// notAllowed is 405, which GitHub answers to merges that cannot be.
func notAllowed(message string) error {
	return &apiError{status: http.StatusMethodNotAllowed, message: message}
}

// unprocessable is a 422 with a message of its own.
func unprocessable(message string) error {
	return &apiError{status: http.StatusUnprocessableEntity, message: message}
}

// invalid is 422 "Validation Failed" with its reasons.
func invalid(reasons ...fieldError) error {
	return &apiError{status: http.StatusUnprocessableEntity, message: "Validation Failed", errors: reasons}
}

// unprocessableFor is 422 with its reasons as plain texts, as reviews have it.
func unprocessableFor(reasons ...string) error {
	return &apiError{status: http.StatusUnprocessableEntity, message: "Unprocessable Entity", reasons: reasons}
}

// errorReply turns any error into an answer.
func errorReply(err error) reply {
	var api *apiError
	if !errors.As(err, &api) {
		return reply{http.StatusInternalServerError, obj{
			"message": "Server Error: " + err.Error(), "documentation_url": docsURL, "status": "500",
		}}
	}
	doc := api.doc
	if doc == "" {
		doc = docsURL
	}
	body := obj{"message": api.message, "documentation_url": doc, "status": strconv.Itoa(api.status)}
	if len(api.errors) > 0 {
		body["errors"] = api.errors
	}
	if len(api.reasons) > 0 {
		body["errors"] = api.reasons
	}
	return reply{api.status, body}
}
