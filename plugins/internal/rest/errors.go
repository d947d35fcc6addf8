package rest

import (
	"fmt"
	"strings"
	"time"
)

// Codes of an Error. They are stable. An engine may have more.
const (
	// CodeUnauthorized is no login, or a wrong one: a 401.
	CodeUnauthorized = "unauthorized"
	// CodeForbidden is a 403.
	CodeForbidden = "forbidden"
	// CodeNotFound is a 404, and a name that is in no list.
	CodeNotFound = "not_found"
	// CodeConflict is a 409 that is an error.
	CodeConflict = "conflict"
	// CodeBadRequest is a 400, or a request that was not sent since the server
	// would refuse it or, worse, take it for another one.
	CodeBadRequest = "bad_request"
	// CodeRateLimited is a 429.
	CodeRateLimited = "rate_limited"
	// CodeServerError is a 5xx, or a 408.
	CodeServerError = "server_error"
	// CodeBadAnswer is an answer that says it is JSON and is not, is empty, or
	// lacks what it must have.
	CodeBadAnswer = "bad_answer"
	// CodeUnreachable is no connection, or one that was cut before the whole
	// answer was there.
	CodeUnreachable = "unreachable"
	// CodeTimeout is no whole answer within Options.Timeout.
	CodeTimeout = "timeout"
	// CodeTooBig is an answer longer than Options.MaxAnswer.
	CodeTooBig = "too_big"
	// CodeSpent is a request that is not sent: Options.MaxRequests are.
	CodeSpent = "requests_spent"
)

// Error is every error of a client but one: when the caller's context ends, the
// error is its cause.
type Error struct {
	// Engine is what was asked: Digdag.
	Engine string
	// Endpoint is the base URL of the server.
	Endpoint string
	// Method and Path are the request: GET, /api/attempts/7. Path has no query.
	Method, Path string
	// Status is that of the answer, 0 where there was none.
	Status int
	// Code is one of the constants above, or the engine's own.
	Code string
	// Message says in one line what is wrong and, where that helps, what to do.
	Message string
	// Near are names that were perhaps meant, the nearest first, with
	// CodeNotFound of a name.
	Near []string
	// RetryAfter is how long the server asks to be left alone, 0 if it does not.
	RetryAfter time.Duration
	// Tries is how often the request was sent, or was about to be.
	Tries int
	// Sent says that the server may have done what was asked all the same.
	Sent bool
	// Err is what net/http or the decoder says, nil where a status says it all.
	Err error

	final bool // no other try mends it
	later bool // Verdict.Later
}

func (e *Error) Error() string {
	text := e.Message
	if e.Method != "" {
		text = fmt.Sprintf("%s at %s: %s %s: %s", e.Engine, e.Endpoint, e.Method, e.Path, e.Message)
	}
	if e.Tries > 1 {
		text += fmt.Sprintf(" (after %d tries)", e.Tries)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same request may go better later.
func (e *Error) Retryable() bool {
	switch e.Code {
	case CodeRateLimited, CodeServerError, CodeUnreachable, CodeTimeout:
		return true
	}
	return e.later
}

// Refuse is the error of a request that is not sent.
func (c *Client) Refuse(q Call, format string, args ...any) *Error {
	e := c.fault(c.Endpoint(), q, CodeBadRequest)
	e.Message = OneLine(fmt.Sprintf(format, args...))
	return e
}

// Missing is the error of a name that is in no list; what is as `workflow "x"`.
func (c *Client) Missing(what string, near []string) *Error {
	text := fmt.Sprintf("no %s at %s", what, c.Endpoint())
	if len(near) > 0 {
		text += "; near: " + strings.Join(near, ", ")
	}
	return &Error{Engine: c.dialect.Name, Endpoint: c.Endpoint(), Code: CodeNotFound, Message: OneLine(text), Near: near}
}

// Bad is the error of an answer that cannot be read. What it holds is not quoted: it
// may be long, and secret. why may be nil.
func (c *Client) Bad(a Answer, why error) *Error {
	text := "the answer is not what " + c.dialect.an("server") + " sends"
	if why != nil {
		text += ": " + why.Error()
	}
	if len(a.Body) == 0 {
		text = "the answer is empty"
	}
	e := c.Fault(a, CodeBadAnswer, "%s; is there something between us and the server that changes it?", text)
	e.Err = why
	return e
}

// Fault is the error of an answer that came whole.
func (c *Client) Fault(a Answer, code, format string, args ...any) *Error {
	e := c.fault(a.Base, a.Call, code)
	e.Status, e.Tries, e.Sent, e.Message = a.Status, a.Tries, true, OneLine(fmt.Sprintf(format, args...))
	return e
}

func (c *Client) fault(base string, q Call, code string) *Error {
	return &Error{Engine: c.dialect.Name, Endpoint: base, Method: q.Method, Path: q.Path, Code: code}
}
