package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"
)

// API is how Digdag is asked.
type API struct {
	// Endpoints are http://HOST:PORT, with a path before /api where there is one, all of
	// one Digdag; a name and password in one are for basic authentication. After one
	// that fails the next is asked.
	Endpoints []string
	// User and Password are for basic authentication; an empty user is none.
	User, Password string
	// Headers go with every request.
	Headers map[string]string
	// CAFile is of certificates in PEM to trust beside the system's; Insecure trusts any.
	CAFile   string
	Insecure bool
}

const (
	// askEvery is the time between two requests, give or take a fifth: many tasks
	// that start together do not ask together.
	askEvery = 3 * time.Second
	// askTime bounds one request, so that one that hangs does not delay the next.
	askTime = 2500 * time.Millisecond
	// askMost bounds an answer, which holds the attempt's parameters.
	askMost = 8 << 20
)

// Cancelled asks Digdag every three seconds about the attempt, one request each
// time, and tells on a channel, once, when it is to be killed: Digdag itself tells no
// process. Requests that fail end nothing: the first is told to failed. Without an
// attempt or an endpoint the channel never speaks. It ends with ctx.
func (e Engine) Cancelled(ctx context.Context, api API, failed func(error)) <-chan error {
	told := make(chan error, 1)
	if e.asks(api) {
		go func() {
			client, err := newClient(api, askTime)
			if err != nil {
				failed(err)
				return
			}
			a := asker{api: api, id: e.Identity, client: client, every: askEvery}
			if why := a.untilKilled(ctx, failed); why != nil {
				told <- why
			}
		}()
	}
	return told
}

func (e Engine) asks(api API) bool {
	return e.Name == Digdag && e.Identity.Run != "" && len(api.Endpoints) > 0
}

func newClient(api API, timeout time.Duration) (*http.Client, error) {
	client := &http.Client{
		Timeout: timeout,
		// Our headers would go along to wherever it leads.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if api.CAFile == "" && !api.Insecure {
		return client, nil
	}
	trust := &tls.Config{InsecureSkipVerify: api.Insecure}
	if api.CAFile != "" {
		pem, err := os.ReadFile(api.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificates to trust: %w", err)
		}
		if trust.RootCAs, err = x509.SystemCertPool(); err != nil {
			trust.RootCAs = x509.NewCertPool()
		}
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", api.CAFile)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trust
	client.Transport = transport
	return client, nil
}

// asker asks about one attempt.
type asker struct {
	api    API
	id     Identity
	client *http.Client
	every  time.Duration
}

// untilKilled returns why the attempt is to end, nil when ctx has.
func (a asker) untilKilled(ctx context.Context, failed func(error)) error {
	at := 0
	for told := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(float64(a.every) * (0.8 + 0.4*rand.Float64()))):
		}
		killed, err := a.ask(ctx, a.api.Endpoints[at%len(a.api.Endpoints)])
		if err != nil {
			at++
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case killed:
			return fmt.Errorf("digdag was asked to kill attempt %s", a.id.Run)
		case err != nil && !told:
			told = true
			failed(fmt.Errorf("ask digdag whether attempt %s was killed: %w", a.id.Run, err))
		}
	}
}

// ask reports whether the attempt's kill was asked for. One that is done was not
// killed by that: the task is late, and its end tells.
func (a asker) ask(ctx context.Context, endpoint string) (bool, error) {
	req, err := a.request(ctx, endpoint)
	if err != nil {
		return false, err
	}
	res, err := a.client.Do(req)
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, askMost))
	switch {
	case res.StatusCode != http.StatusOK:
		return false, fmt.Errorf("%s answered %s", where(req), res.Status)
	case err != nil:
		return false, fmt.Errorf("read the answer of %s: %w", where(req), err)
	}
	var attempt struct {
		ID              string
		SessionUUID     string
		CancelRequested bool
	}
	if err := json.Unmarshal(body, &attempt); err != nil {
		return false, fmt.Errorf("%s answered no attempt: %w", where(req), err)
	}
	// Ids begin at 1 on every server: another's attempt 12 may be killed as it likes.
	if attempt.ID != a.id.Run || a.id.Session != "" && attempt.SessionUUID != a.id.Session {
		return false, fmt.Errorf("%s knows another attempt %s: it is not the Digdag that runs this task", where(req), a.id.Run)
	}
	return attempt.CancelRequested, nil
}

func (a asker) request(ctx context.Context, endpoint string) (*http.Request, error) {
	u, err := base(endpoint)
	if err != nil {
		return nil, err
	}
	u.Path, u.RawPath = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/api")+"/api/attempts/"+a.id.Run, ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if a.api.User != "" {
		req.SetBasicAuth(a.api.User, a.api.Password)
	}
	for name, value := range a.api.Headers {
		req.Header.Set(name, value)
	}
	return req, nil
}

// where is what was asked, without a password.
func where(req *http.Request) string { return req.URL.Redacted() }
