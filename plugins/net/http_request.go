package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/net/http/httpguts"

	"github.com/outrider-run/outrider/plugins/net/internal/web"
	"github.com/outrider-run/outrider/sdk"
)

type requestParams struct {
	web.Target

	JSON     json.RawMessage   `json:"json,omitzero" help:"Body: any value, sent as JSON"`
	Form     map[string]string `json:"form,omitempty" help:"Body: fields, sent as an HTML form sends them"`
	BodyFile string            `json:"body_file,omitempty" help:"Body: a file, sent as it is; name its type in headers as Content-Type"`

	Expect            string        `json:"expect" default:"2xx" help:"The statuses that are a success, such as '200,404' or '2xx,300-303'"`
	Retries           int           `json:"retries" default:"3" min:"0" max:"100" help:"How often to try again after 429, 5xx and connection errors. With a method that is not idempotent, such as POST, and no idempotency key, only where the server has surely not done it"`
	RetryWait         time.Duration `json:"retry_wait" default:"1s" min:"1ms" max:"1h" help:"The wait before the first retry, about; it grows. A server's Retry-After goes before it"`
	IdempotencyHeader string        `json:"idempotency_header,omitempty" help:"Send a key in a header of this name, such as Idempotency-Key: one that all tries of this request have in common, made of the run's key, the method, the URL and the body"`
	TryTimeout        time.Duration `json:"try_timeout" default:"1m" min:"1ms" help:"The most that one try may take, from the look-up of the name to the answer's last byte"`
	Timeout           time.Duration `json:"timeout" default:"10m" min:"1ms" help:"The most that all tries and the waits between them may take"`

	MaxBody     sdk.Bytes         `json:"max_body" default:"1MiB" max:"8MiB" help:"The longest answer that is taken into the output, unpacked"`
	Artifact    string            `json:"artifact,omitempty" help:"Write the answer's body to an artifact of this name instead of the output; it may be of any size"`
	MaxArtifact sdk.Bytes         `json:"max_artifact" default:"10GiB" help:"The longest answer that is written to an artifact, unpacked"`
	Values      map[string]string `json:"values,omitempty" help:"Values to take out of a JSON answer, each by a JSON pointer such as /items/0/id; only they are in the output then"`
	ShowHeaders []string          `json:"show_headers,omitempty" help:"Headers of the answer to put into the output, such as ETag"`
}

// Validate checks what tags cannot say.
func (p requestParams) Validate() error {
	errs := []error{p.Target.Validate()}
	if p.bodies() > 1 {
		errs = append(errs, errors.New("json, form, body_file: only one of them can be the body"))
	}
	if p.bodies() > 0 && (p.Method == http.MethodGet || p.Method == http.MethodHead) {
		errs = append(errs, fmt.Errorf("method: %s has no body; with one it is mostly POST or PUT", p.Method))
	}
	if _, err := web.ParseStatuses(p.Expect); err != nil {
		errs = append(errs, fmt.Errorf("expect: %w", err))
	}
	if h := p.IdempotencyHeader; h != "" && (!httpguts.ValidHeaderFieldName(h) || p.Sends(h)) {
		errs = append(errs, fmt.Errorf("idempotency_header: %.40q is no name of a header, or is among the headers already", h))
	}
	if p.Artifact != "" && len(p.Values) > 0 {
		errs = append(errs, errors.New("values: they cannot be taken out of an artifact; leave one of the two out"))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Values)) {
		if !jsontext.Pointer(p.Values[name]).IsValid() {
			errs = append(errs, fmt.Errorf("values: %s: %.60q is no JSON pointer: it is empty or begins with /, and ~ stands in it only as ~0 and / only as ~1 within a name", name, p.Values[name]))
		}
	}
	return errors.Join(errs...)
}

func (p requestParams) bodies() (n int) {
	for _, given := range []bool{p.JSON != nil, p.Form != nil, p.BodyFile != ""} {
		if given {
			n++
		}
	}
	return n
}

type requestOutput struct {
	Status      int                        `json:"status"`
	URL         string                     `json:"url" help:"What answered, after redirects, without its query"`
	Headers     map[string]string          `json:"headers,omitempty" help:"Those of show_headers that there are"`
	ContentType string                     `json:"content_type,omitempty"`
	Size        int64                      `json:"size" help:"Bytes of the body, unpacked"`
	JSON        json.RawMessage            `json:"json,omitzero" help:"The body, if it is JSON"`
	Body        string                     `json:"body,omitempty" help:"The body, if it is other text"`
	BodyBase64  []byte                     `json:"body_base64,omitempty" help:"The body, if it is no text"`
	Values      map[string]json.RawMessage `json:"values,omitempty"`
	Artifact    string                     `json:"artifact,omitempty"`
	Tries       int                        `json:"tries"`
}

func httpRequest() sdk.Component {
	return sdk.Define("http.request", request,
		sdk.Doc("Sends an HTTP request and hands on the answer.\n\n"+
			"The answer stands in the output as json, body or body_base64, or in an artifact. "+
			"What may go better the next time is tried again: 429, 5xx and connection errors, for as long as Retry-After says. "+
			"A request that is not idempotent, such as a POST, is repeated after 429 and where no connection was made; where the server may have done it, only with an idempotency key (idempotency_header). "+
			"An unexpected 4xx other than 429 is a failure for good.\n\n"+
			"A program that calls this with URLs of others should set public_only."),
		sdk.Example("Take a value out of an answer", `{"url": "https://api.example.com/v1/jobs/7", "values": {"state": "/job/state"}}`),
		sdk.Example("Start a job once, however often it is tried", `{"method": "POST", "url": "https://api.example.com/v1/jobs", "json": {"table": "orders"}, "idempotency_header": "Idempotency-Key", "secret_headers": {"Authorization": "env:API_AUTHORIZATION"}}`),
		sdk.Example("Download a file", `{"url": "https://data.example.com/orders.csv", "artifact": "orders.csv", "try_timeout": "30m", "timeout": "1h"}`),
	)
}

func request(ctx context.Context, run *sdk.Run, p requestParams) (requestOutput, error) {
	statuses, err := web.ParseStatuses(p.Expect)
	if err != nil {
		return requestOutput{}, sdk.Permanent(err)
	}
	body, err := p.body()
	if err != nil {
		return requestOutput{}, sdk.Permanent(err)
	}
	if p.IdempotencyHeader != "" {
		p.Headers = maps.Clone(p.Headers)
		if p.Headers == nil {
			p.Headers = map[string]string{}
		}
		if p.Headers[p.IdempotencyHeader], err = p.idempotencyKey(run.Key(), body); err != nil {
			return requestOutput{}, sdk.Permanent(err)
		}
	}
	client, err := web.Open(p.Target)
	if err != nil {
		return requestOutput{}, sdk.Permanent(err)
	}
	x := exchange{run: run, params: p, client: client, body: body, expected: statuses}
	return x.do(ctx)
}
