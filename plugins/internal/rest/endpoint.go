package rest

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// baseOf makes the base URL of an endpoint as users write it: without the API's path,
// without a slash at the end, with a scheme. It takes no credentials: they would stand
// in every message.
func (d Dialect) baseOf(endpoint string) (string, error) {
	text := strings.TrimSpace(endpoint)
	if text == "" {
		return "", fmt.Errorf("is empty; want a URL such as %s", d.Example)
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// Its own text quotes the whole, which may hold a password.
		return "", errors.New("is no URL; want one such as " + d.Example)
	case u.User != nil:
		return "", fmt.Errorf("the one on %s holds a user or password; give them as user and password", u.Host)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%q: the scheme is %s; want http or https", endpoint, u.Scheme)
	case u.Hostname() == "":
		return "", fmt.Errorf("%q has no host", endpoint)
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%q: want no ? and no # in it", endpoint)
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	for _, tail := range d.Tails {
		if shorter, ok := strings.CutSuffix(path, tail); ok {
			path = strings.TrimRight(shorter, "/")
			break
		}
	}
	return u.Scheme + "://" + u.Host + path, nil
}
