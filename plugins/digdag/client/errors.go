package client

import (
	"fmt"
	"time"
)

// Codes of an Error. They are stable.
const (
	// CodeUnauthorized is a 401: no user and password, or wrong ones.
	CodeUnauthorized = "unauthorized"
	// CodeForbidden is a 403.
	CodeForbidden = "forbidden"
	// CodeNotFound is a 404, and a name that is in no list.
	CodeNotFound = "not_found"
	// CodeConflict is a 409 that is an error. The 409 of Start and Kill is none.
	CodeConflict = "conflict"
	// CodeBadRequest is a 400, or a request that was not sent since the server
	// would refuse it or, worse, take it for another one.
	CodeBadRequest = "bad_request"
	// CodeTooManyAttempts is the 400 of a server on which as many attempts run as
	// it allows (executor.attempt_max_run, 100 by default). Waiting helps.
	CodeTooManyAttempts = "too_many_attempts"
	// CodeRateLimited is a 429.
	CodeRateLimited = "rate_limited"
	// CodeServerError is a 5xx, or a 408.
	CodeServerError = "server_error"
	// CodeNotDigdag is an answer that no Digdag gives: mostly a page in HTML, as
	// its own user interface sends with a 200 for any path outside of /api.
	CodeNotDigdag = "not_digdag"
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
)

// Error is every error of a Client but one: when the caller's context ends, the
// error is its cause.
type Error struct {
	// Endpoint is the server as it was given, without /api.
	Endpoint string
	// Method and Path are the request: GET, /api/attempts/7. Path has no query.
	Method, Path string
	// Status is that of the answer, 0 where there was none.
	Status int
	// Code is one of the constants above.
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

	// final says that no other try mends it.
	final bool
}

func (e *Error) Error() string {
	text := e.Message
	if e.Method != "" {
		text = fmt.Sprintf("Digdag at %s: %s %s: %s", e.Endpoint, e.Method, e.Path, e.Message)
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
	case CodeRateLimited, CodeServerError, CodeUnreachable, CodeTimeout, CodeTooManyAttempts:
		return true
	}
	return false
}
