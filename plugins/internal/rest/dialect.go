package rest

import (
	"net/http"
	"strings"
)

// Dialect is what an engine's API has of its own.
type Dialect struct {
	// Name is the engine's, as messages have it: Digdag.
	Name string
	// Example is a base URL: http://localhost:65432.
	Example string
	// Tails are paths that users may write behind the base URL, the longest first.
	Tails []string
	// Alien is the code of an answer that no such server gives, and Elsewhere what to
	// do about one.
	Alien, Elsewhere string
	// Said is the message in the JSON of an answer, "" where there is none.
	Said func(body []byte) string
	// Judge says of an answer what is wrong with it.
	Judge func(Answer) Verdict
}

// Verdict is what is wrong with an answer; the zero one is that nothing is.
type Verdict struct {
	// Code is an Error's.
	Code string
	// Hint is what to do, "" where the message says it all.
	Hint string
	// Later says that waiting helps, which the code alone does not tell.
	Later bool
}

// an is the name with its article before what it is the name of: a Digdag server.
func (d Dialect) an(what string) string {
	article := "a "
	if strings.ContainsRune("AEIOU", rune(d.Name[0])) {
		article = "an "
	}
	return article + d.Name + " " + what
}

// Usual is the verdict on an answer that is no success, as HTTP has it.
func (c *Client) Usual(a Answer) Verdict {
	switch {
	case a.Status == http.StatusUnauthorized:
		return Verdict{Code: CodeUnauthorized}
	case a.Status == http.StatusForbidden:
		return Verdict{Code: CodeForbidden, Hint: "this user may not do that"}
	case a.Status == http.StatusNotFound:
		return Verdict{Code: CodeNotFound}
	case a.Status == http.StatusConflict:
		return Verdict{Code: CodeConflict}
	case a.Status == http.StatusTooManyRequests:
		return Verdict{Code: CodeRateLimited}
	case a.Status == http.StatusInternalServerError:
		return Verdict{Code: CodeServerError, Hint: "the server's log says more"}
	case a.Status == http.StatusRequestTimeout, a.Status >= 500:
		return Verdict{Code: CodeServerError}
	case a.Status == http.StatusMethodNotAllowed, a.Status < 400:
		if to := a.Header.Get("Location"); to != "" && a.Status >= 300 {
			return Verdict{Code: c.dialect.Alien, Hint: "it redirects to " + placeOf(to) + "; if that is the " + c.dialect.Name + " server, make it the endpoint"}
		}
		return Verdict{Code: c.dialect.Alien, Hint: c.dialect.Elsewhere}
	}
	return Verdict{Code: CodeBadRequest}
}
