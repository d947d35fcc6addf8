package engine

import (
	"errors"
	"net/url"
	"strings"
)

// Endpoints reads what stands for one server or several, with commas or blanks between,
// as Digdag's components do: a scheme may be left out, /api and a slash at the end are.
func Endpoints(text string) (all []string) {
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\n", r) }) {
		if !strings.Contains(one, "://") {
			one = "http://" + one
		}
		all = append(all, strings.TrimRight(strings.TrimSuffix(strings.TrimRight(one, "/"), "/api"), "/"))
	}
	return all
}

// base is an endpoint as a URL without a query.
func base(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the endpoint is no address: want http://HOST:PORT") // it may hold a password, so it is not shown
	}
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}
