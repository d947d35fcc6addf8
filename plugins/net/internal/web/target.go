// Package web sends one HTTP request the way a component should: to the place that
// its parameters say, with TLS and redirects as they say, never to an address that
// they forbid, and with failures that tell a retry from none and hold no secret.
//
// It knows neither components nor their outputs, and it tries once: whether a
// failure is tried again is the caller's choice.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/outrider-run/outrider/sdk"
)

// Target says where a request goes and how. Components embed it in their
// parameters.
type Target struct {
	URL           string                `json:"url" help:"Where to, http:// or https://. No password in it: use secret_headers"`
	Method        string                `json:"method" default:"GET" help:"The HTTP method, in capitals"`
	Headers       map[string]string     `json:"headers,omitempty" help:"Headers to send"`
	SecretHeaders map[string]sdk.Secret `json:"secret_headers,omitempty" help:"Headers to send that nobody may see, each the whole value, such as 'Bearer …'. They do not follow a redirect to another host"`
	Query         map[string]string     `json:"query,omitempty" help:"Added to the URL's query, encoded as needed"`
	Redirects     int                   `json:"redirects" default:"10" min:"0" max:"50" help:"How many redirects to follow; with 0 the redirect itself is the answer"`

	CAFile     string     `json:"ca_file,omitempty" help:"PEM file of the authorities to trust, instead of the system's"`
	ClientCert string     `json:"client_cert,omitempty" help:"PEM file with the certificate to show, and its key unless client_key is given"`
	ClientKey  sdk.Secret `json:"client_key,omitzero" help:"The key of client_cert, in PEM"`
	ServerName string     `json:"server_name,omitempty" help:"The name that the server's certificate must have, if it is not the URL's"`
	Insecure   bool       `json:"insecure" default:"false" help:"Believe any certificate. Whoever stands in between can read and change everything"`

	PublicOnly    bool     `json:"public_only" default:"false" help:"Connect to public addresses only, redirects included; for URLs that others may choose"`
	AllowNetworks []string `json:"allow_networks,omitempty" help:"With public_only: networks that are allowed beside the public ones, such as 10.1.0.0/16"`
}

// Validate checks what tags cannot say. No error holds a value that might be
// secret.
func (t Target) Validate() error {
	errs := []error{t.checkURL()}
	if !httpguts.ValidHeaderFieldName(t.Method) || t.Method != strings.ToUpper(t.Method) || t.Method == http.MethodConnect {
		errs = append(errs, fmt.Errorf("method: %.20q is no method such as GET or POST", t.Method))
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.Headers)) {
		errs = append(errs, checkHeader("headers", name, t.Headers[name], seen))
	}
	for _, name := range slices.Sorted(maps.Keys(t.SecretHeaders)) {
		errs = append(errs, checkHeader("secret_headers", name, t.SecretHeaders[name].Reveal(), seen))
		if http.CanonicalHeaderKey(name) == "Host" {
			errs = append(errs, errors.New("secret_headers: Host cannot be secret"))
		}
	}
	if t.ClientCert == "" && t.ClientKey.Reveal() != "" {
		errs = append(errs, errors.New("client_key: it needs client_cert, the file with its certificate"))
	}
	if _, err := t.networks(); err != nil {
		errs = append(errs, err)
	}
	if len(t.AllowNetworks) > 0 && !t.PublicOnly {
		errs = append(errs, errors.New("allow_networks: it needs public_only, without which all networks are allowed"))
	}
	return errors.Join(errs...)
}

func (t Target) checkURL() error {
	u, err := url.Parse(t.URL)
	switch {
	case err != nil: // its text repeats the URL
		return errors.New("url: it cannot be read; write it as https://host/path, and what is special in it as %XX")
	case u.User != nil:
		return errors.New("url: a user or password stands in it; send them by secret_headers: Authorization")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("url: it begins with %.20q, want http:// or https://", u.Scheme+":")
	case u.Hostname() == "":
		return errors.New("url: it names no host")
	}
	return nil
}

// checkHeader refuses what would be sent as something else than a header's value
// (RFC 9110, 5.5), and headers that belong to the connection.
func checkHeader(field, name, value string, seen map[string]bool) error {
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Errorf("%s: %.40q is no name of a header", field, name)
	case !httpguts.ValidHeaderFieldValue(value):
		return fmt.Errorf("%s: the value of %s holds a line break or another control character", field, name)
	case canonical == "Host" && !httpguts.ValidHostHeader(value):
		return fmt.Errorf("%s: the value of Host is no host", field)
	case slices.Contains([]string{"Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade"}, canonical):
		return fmt.Errorf("%s: %s is set by the connection and cannot be chosen", field, canonical)
	case seen[canonical]:
		return fmt.Errorf("%s: %s is given twice", field, canonical)
	}
	seen[canonical] = true
	return nil
}

func (t Target) networks() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range t.AllowNetworks {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("allow_networks: %.60q is no network such as 10.1.0.0/16 or fd00::/8", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// Sends reports whether a header of that name is sent.
func (t Target) Sends(name string) bool {
	is := func(given string) bool { return strings.EqualFold(given, name) }
	return slices.ContainsFunc(slices.Collect(maps.Keys(t.Headers)), is) ||
		slices.ContainsFunc(slices.Collect(maps.Keys(t.SecretHeaders)), is)
}

// Body is what is sent; Open is called anew for every try and redirect.
type Body struct {
	ContentType string
	Length      int64
	Open        func() (io.ReadCloser, error)
}

// request makes the request of a target that has been validated. A nil body is
// none.
func (t Target) request(ctx context.Context, body *Body) (*http.Request, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, errors.New("url: it cannot be read")
	}
	if len(t.Query) > 0 {
		added := url.Values{}
		for name, value := range t.Query {
			added.Set(name, value)
		}
		// What the URL holds stays as it was written: its signature may depend on it.
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+added.Encode(), "&")
	}
	r, err := http.NewRequestWithContext(ctx, t.Method, u.String(), nil)
	if err != nil {
		return nil, errors.New("the request cannot be made of these parameters")
	}
	r.Header.Set("User-Agent", "outrider")
	if body != nil {
		if r.Body, err = body.Open(); err != nil {
			return nil, err
		}
		r.GetBody, r.ContentLength = body.Open, body.Length
		if body.Length == 0 {
			_ = r.Body.Close()
			r.Body, r.GetBody = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
		}
		r.Header.Set("Content-Type", body.ContentType)
	}
	for name, value := range t.Headers {
		r.Header.Set(name, value)
	}
	for name, value := range t.SecretHeaders {
		r.Header.Set(name, value.Reveal())
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host // net/http takes it from nowhere else
		r.Header.Del("Host")
	}
	return r, nil
}
