package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/outrider-run/outrider/plugins/internal/rest"
)

// Error is every error of a Client but one: when the caller's context ends, the
// error is its cause.
type Error = rest.Error

// Codes of an Error. They are stable.
const (
	// CodeUnauthorized is no login or a wrong one: a 401, Airflow 3's 403 for a token
	// that it cannot read, and the 403 of an Airflow 2 that then shows us nothing.
	CodeUnauthorized = rest.CodeUnauthorized
	// CodeForbidden is a 403 of something that this user may not do.
	CodeForbidden = rest.CodeForbidden
	// CodeNotFound is a DAG, run, task or try that is not there.
	CodeNotFound = rest.CodeNotFound
	// CodeConflict is a 409 that is an error. That of a run that is there already is
	// none.
	CodeConflict = rest.CodeConflict
	// CodeBadRequest is a 400 or 422, or a request that was not sent since the server
	// would refuse it or, worse, take it for another one.
	CodeBadRequest  = rest.CodeBadRequest
	CodeRateLimited = rest.CodeRateLimited
	CodeServerError = rest.CodeServerError
	CodeBadAnswer   = rest.CodeBadAnswer
	CodeUnreachable = rest.CodeUnreachable
	CodeTimeout     = rest.CodeTimeout
	CodeTooBig      = rest.CodeTooBig
	CodeSpent       = rest.CodeSpent
	// CodeNotAirflow is an answer that no API of an Airflow gives: mostly a page in
	// HTML, as Airflow 3's own user interface sends with a 200 for any path that is
	// none of its API's.
	CodeNotAirflow = "not_airflow"
	// CodeTokenCommand is a token command that fails, or prints no token.
	CodeTokenCommand = "token_command"
)

// Near are at most three of names that are like name, the nearest first.
func Near(name string, names []string) []string { return rest.Near(name, names) }

const elsewhere = "is this the base URL of an Airflow (2.3 or later), with the path that it stands under?"

// noRoute is how both versions say that a path is none of their API's.
var noRoute = regexp.MustCompile(`^(API route not found|The requested URL was not found|/api/v1 has been removed)`)

// judge says what is wrong with an answer.
func (c *Client) judge(a answer) rest.Verdict {
	v := c.rest.Usual(a)
	switch {
	case a.Status < 300 && a.Page && (a.Call.Accept == "" || strings.HasPrefix(a.Header.Get("Content-Type"), "text/html")):
		return rest.Verdict{Code: CodeNotAirflow, Hint: elsewhere}
	case a.Status == http.StatusOK, a.Status == http.StatusCreated, a.Status == http.StatusNoContent, a.Status == http.StatusConflict && a.Call.Conflict && !a.Page:
		return rest.Verdict{}
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden && strings.Contains(a.Said, "Invalid JWT"):
		return rest.Verdict{Code: CodeUnauthorized, Hint: c.authHint()}
	case a.Status == http.StatusNotFound && (a.Said == "" || noRoute.MatchString(a.Said)):
		return rest.Verdict{Code: CodeNotAirflow, Hint: elsewhere}
	}
	return v
}

func (c *Client) authHint() string {
	switch {
	case c.ownHeader():
		return "check the header Authorization"
	case c.options.User != "":
		return fmt.Sprintf("check user %q and the password", c.options.User)
	case c.options.Token != "":
		return "check the token, which may have ended"
	case len(c.options.TokenCommand) > 0:
		return "check what the token command prints"
	}
	return "set user and password, or a token"
}

// saidIn is the message of an error answer in JSON, "" where there is none. v2 puts a
// text, a list or an object under detail; v1 a text or null, and then a title says it,
// but that of a 403, which only repeats the status; a proxy has a message.
func saidIn(body []byte) string {
	var said struct {
		Detail                json.RawMessage
		Error, Message, Title any
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	for _, text := range []any{said.Error, said.Message} {
		if text, ok := text.(string); ok && text != "" {
			return rest.OneLine(text)
		}
	}
	if title, ok := said.Title.(string); ok && string(said.Detail) == "null" && title != "Forbidden" {
		return rest.OneLine(title)
	}
	var text string
	if json.Unmarshal(said.Detail, &text) == nil {
		return rest.OneLine(text)
	}
	var fields []struct {
		Loc []any
		Msg string
	}
	if json.Unmarshal(said.Detail, &fields) == nil {
		var all []string
		for _, f := range fields {
			var at []string
			for _, part := range f.Loc {
				at = append(at, fmt.Sprint(part))
			}
			all = append(all, strings.Join(at, ".")+": "+f.Msg)
		}
		return rest.OneLine(strings.Join(all, "; "))
	}
	var object struct{ Reason, Message string }
	if json.Unmarshal(said.Detail, &object) == nil {
		return rest.OneLine(strings.Trim(object.Reason+": "+object.Message, ": "))
	}
	return ""
}
