package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"time"

	"github.com/outrider-run/outrider/plugins/net/internal/web"
	"github.com/outrider-run/outrider/sdk"
)

type checkParams struct {
	web.Target

	Expect      string         `json:"expect" default:"2xx" help:"The statuses that are good, such as '200,404' or '2xx,300-303'"`
	MaxLatency  *time.Duration `json:"max_latency" min:"1ms" help:"The longest time to the answer's headers, redirects included"`
	Match       string         `json:"match,omitempty" help:"A regular expression that must be found in the body"`
	MaxBody     sdk.Bytes      `json:"max_body" default:"1MiB" max:"64MiB" help:"How much of the body is searched"`
	MinCertDays *float64       `json:"min_cert_days" min:"0" help:"The least number of days for which the certificate must still hold"`
	TryTimeout  time.Duration  `json:"try_timeout" default:"10s" min:"1ms" help:"The most that one look may take"`
	Waiting
}

// Validate checks what tags cannot say.
func (p checkParams) Validate() error {
	errs := []error{p.Target.Validate()}
	if _, err := web.ParseStatuses(p.Expect); err != nil {
		errs = append(errs, fmt.Errorf("expect: %w", err))
	}
	if _, err := regexp.Compile(p.Match); err != nil {
		errs = append(errs, fmt.Errorf("match: %w", err))
	}
	return errors.Join(errs...)
}

type checkOutput struct {
	Status    int      `json:"status"`
	URL       string   `json:"url" help:"What answered, after redirects, without its query"`
	LatencyMS float64  `json:"latency_ms" help:"Time to the answer's headers, in milliseconds"`
	CertDays  *float64 `json:"cert_days,omitempty" help:"Days left on the certificate, of HTTPS"`
	Looks     int      `json:"looks"`
}

func httpCheck() sdk.Component {
	return sdk.Define("http.check", check,
		sdk.Doc("Checks that a server answers as it should, or waits until it does.\n\n"+
			"It looks at the status, and if asked to at the time that the answer takes, its body and the days left on the certificate. "+
			"All that does not hold stands in the error. With wait it looks again until all holds or the time is over."),
		sdk.Example("A page is up and its certificate good for two weeks", `{"url": "https://www.example.com/", "match": "Welcome", "max_latency": "2s", "min_cert_days": 14}`),
		sdk.Example("Wait for a service to come up", `{"url": "http://localhost:8080/health", "wait": "10m"}`),
	)
}

func check(ctx context.Context, run *sdk.Run, p checkParams) (checkOutput, error) {
	client, err := web.Open(p.Target)
	if err != nil {
		return checkOutput{}, sdk.Permanent(err)
	}
	l := looker{params: p, client: client}
	if l.expected, err = web.ParseStatuses(p.Expect); err != nil {
		return checkOutput{}, sdk.Permanent(err)
	}
	if l.match, err = regexp.Compile(p.Match); err != nil {
		return checkOutput{}, sdk.Permanent(err)
	}
	out, looks, err := until(ctx, run, p.Waiting, l.look)
	out.Looks = looks
	return out, err
}

// looker looks once at a time.
type looker struct {
	params   checkParams
	client   *web.Client
	expected web.Statuses
	match    *regexp.Regexp
}

func (l looker) look(ctx context.Context) (checkOutput, error) {
	p := l.params
	ctx, cancel := context.WithTimeoutCause(ctx, p.TryTimeout, fmt.Errorf("%w: a look may take %s", web.ErrTry, p.TryTimeout))
	defer cancel()
	began := time.Now()
	answer, err := l.client.Do(ctx, nil)
	if err != nil {
		return checkOutput{}, seen(p, err)
	}
	defer func() { _ = answer.Body.Close() }()
	latency := time.Since(began)
	out := checkOutput{Status: answer.StatusCode, URL: web.Place(answer.Request.URL), LatencyMS: math.Round(latency.Seconds()*1e6) / 1e3}
	if answer.TLS != nil {
		days := math.Floor(validUntil(answer.TLS).Sub(began).Hours()/24*10) / 10
		out.CertDays = &days
	}
	var body []byte
	if p.Match != "" {
		if body, err = io.ReadAll(io.LimitReader(answer.Body, int64(p.MaxBody))); err != nil {
			return checkOutput{}, seen(p, l.client.Explain(ctx, err))
		}
	}
	if err := l.judge(out, latency, body); err != nil {
		return checkOutput{}, seen(p, sdk.Code("check_failed", err))
	}
	return out, nil
}

// judge names everything that does not hold.
func (l looker) judge(out checkOutput, latency time.Duration, body []byte) error {
	p := l.params
	var errs []error
	if !l.expected.Has(out.Status) {
		errs = append(errs, fmt.Errorf("the status is %d, want %s", out.Status, p.Expect))
	}
	if p.MaxLatency != nil && latency > *p.MaxLatency {
		errs = append(errs, fmt.Errorf("the answer took %s, the most is %s", latency.Round(time.Millisecond), *p.MaxLatency))
	}
	if !l.match.Match(body) {
		errs = append(errs, fmt.Errorf("%q is not in the first %d bytes of the body", p.Match, len(body)))
	}
	switch {
	case p.MinCertDays == nil:
	case out.CertDays == nil:
		errs = append(errs, errors.New("min_cert_days: the server, reached without TLS, shows no certificate"))
	case *out.CertDays < *p.MinCertDays:
		errs = append(errs, fmt.Errorf("the certificate holds for %g more days, the least is %g", *out.CertDays, *p.MinCertDays))
	}
	return errors.Join(errs...)
}

// seen says where it was, and gives a failure its code.
func seen(p checkParams, err error) error {
	if f, ok := errors.AsType[*web.Failure](err); ok {
		err = sdk.Code(f.Code, err)
	}
	return fmt.Errorf("%s %s: %w", p.Method, p.Place(), err)
}

// validUntil is when the connection's certificate will be refused: the first end in
// a chain, and of several chains the best. With insecure there is no chain.
func validUntil(state *tls.ConnectionState) time.Time {
	first := func(chain []*x509.Certificate) time.Time {
		end := chain[0].NotAfter
		for _, c := range chain {
			if c.NotAfter.Before(end) {
				end = c.NotAfter
			}
		}
		return end
	}
	if len(state.VerifiedChains) == 0 {
		return first(state.PeerCertificates[:1])
	}
	var best time.Time
	for _, chain := range state.VerifiedChains {
		if end := first(chain); end.After(best) {
			best = end
		}
	}
	return best
}
