package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/outrider-run/outrider/plugins/internal/rest"
)

// Error is every error of a Client but one: when the caller's context ends, the
// error is its cause.
type Error = rest.Error

// Codes of an Error. They are stable.
const (
	CodeUnauthorized = rest.CodeUnauthorized
	CodeForbidden    = rest.CodeForbidden
	CodeNotFound     = rest.CodeNotFound
	// CodeConflict is a 409 that is an error. The 409 of Start and Kill is none.
	CodeConflict    = rest.CodeConflict
	CodeBadRequest  = rest.CodeBadRequest
	CodeRateLimited = rest.CodeRateLimited
	CodeServerError = rest.CodeServerError
	CodeBadAnswer   = rest.CodeBadAnswer
	CodeUnreachable = rest.CodeUnreachable
	CodeTimeout     = rest.CodeTimeout
	CodeTooBig      = rest.CodeTooBig
	CodeSpent       = rest.CodeSpent
	// CodeTooManyAttempts is the 400 of a server on which as many attempts run as
	// it allows (executor.attempt_max_run, 100 by default). Waiting helps.
	CodeTooManyAttempts = "too_many_attempts"
	// CodeNotDigdag is an answer that no Digdag gives: mostly a page in HTML, as
	// its own user interface sends with a 200 for any path outside of /api.
	CodeNotDigdag = "not_digdag"
)

// Near are at most three of names that are like name, the nearest first.
func Near(name string, names []string) []string { return rest.Near(name, names) }

const elsewhere = "is this the base URL of a Digdag server (0.9.31 or later), with the path that it stands under?"

// judge says what is wrong with an answer.
func (c *Client) judge(a answer) rest.Verdict {
	v := c.rest.Usual(a)
	switch {
	case a.Status == http.StatusOK && a.Page && a.Call.Accept == "":
		return rest.Verdict{Code: CodeNotDigdag, Hint: elsewhere}
	case a.Status == http.StatusOK, a.Status == http.StatusConflict && a.Call.Conflict && !a.Page:
		return rest.Verdict{}
	case a.Status == http.StatusUnauthorized:
		v.Hint = c.authHint()
	case a.Status == http.StatusBadRequest && strings.HasPrefix(a.Said, "Too many attempts running"):
		return rest.Verdict{Code: CodeTooManyAttempts, Hint: "wait until some have ended, or raise executor.attempt_max_run on the server", Later: true}
	case a.Status == http.StatusNotFound && a.Said == "" && len(a.Body) > 0:
		return rest.Verdict{Code: CodeNotDigdag, Hint: elsewhere}
	case a.Status == http.StatusNotFound && a.Said == "":
		v.Hint = "a Digdag server says so of an id that it cannot have; else " + elsewhere
	case a.Status == http.StatusInternalServerError && a.Page && c.otherAuthorization():
		v.Hint = "a Digdag server with basic authentication answers so to any other kind of Authorization"
	}
	return v
}

func (c *Client) authHint() string {
	password := c.options.Password
	switch {
	case c.options.User == "" && c.options.Headers["Authorization"] == "":
		return "set user and password"
	case c.options.User != "" && (password == "" || strings.Contains(password, ":")):
		return "a Digdag server takes no empty password and none with a colon"
	case c.options.User != "":
		return fmt.Sprintf("check user %q and the password", c.options.User)
	}
	return "check the header Authorization"
}

func (c *Client) otherAuthorization() bool {
	for name := range c.options.Headers {
		if http.CanonicalHeaderKey(name) == "Authorization" {
			return true
		}
	}
	return false
}

// saidIn is the message of an error answer in JSON, "" where there is none.
func saidIn(body []byte) string {
	var said struct{ Message *string }
	if json.Unmarshal(body, &said) != nil || said.Message == nil {
		return ""
	}
	return rest.OneLine(*said.Message)
}
