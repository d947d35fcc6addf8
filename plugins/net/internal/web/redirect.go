package web

import (
	"fmt"
	"net/http"
	"net/url"
)

// redirect decides on the next request of a chain; net/http has copied the headers
// of the first one into it.
func (t Target) redirect(next *http.Request, before []*http.Request) error {
	if t.Redirects == 0 {
		return http.ErrUseLastResponse
	}
	if len(before) > t.Redirects {
		return &Failure{Code: "too_many_redirects", Err: fmt.Errorf("the server redirected more than %d times, the last time to %s", t.Redirects, Place(next.URL))}
	}
	if s := next.URL.Scheme; s != "http" && s != "https" {
		return &Failure{Code: "bad_redirect", Err: fmt.Errorf("the server redirects to %.20q, want http or https", s+":")}
	}
	for _, r := range append(before[1:len(before):len(before)], next) {
		if !sameOrigin(before[0].URL, r.URL) {
			t.strip(next)
			break
		}
	}
	return nil
}

// sameOrigin reports whether what may be told to one may be told to the other: the
// same host and port, and not in the clear what was encrypted before. From http to
// https, on its usual port, is no other host.
func sameOrigin(first, next *url.URL) bool {
	if first.Hostname() != next.Hostname() {
		return false
	}
	if first.Scheme == "http" && next.Scheme == "https" && port(first) == "80" && port(next) == "443" {
		return true
	}
	return first.Scheme == next.Scheme && port(first) == port(next)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// strip takes away what another host must not see: net/http itself lets a subdomain
// see it, and tells the old URL with its query.
func (t Target) strip(r *http.Request) {
	for name := range t.SecretHeaders {
		r.Header.Del(name)
	}
	for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
		r.Header.Del(name)
	}
	if !t.Sends("Referer") {
		r.Header.Del("Referer")
	}
}

// Place is a URL without what may be secret in it: user, query and fragment.
func Place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// Place is the target's URL without what may be secret in it.
func (t Target) Place() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return "the URL"
	}
	return Place(u)
}
