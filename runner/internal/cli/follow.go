package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/params"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// follow ends ctx when Digdag was asked to kill the attempt, where it is known how to
// ask it. What goes wrong with that is told once and ends nothing.
func follow(ctx context.Context, e engine.Engine, sources map[string]config.Source, warn func(format string, args ...any)) (context.Context, func()) {
	failed := func(err error) { warn("%v; a kill of the attempt will not stop this run", err) }
	api, err := apiOf(ctx, e, sources)
	if err != nil {
		failed(err)
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	killed := e.Cancelled(ctx, api, failed)
	go func() {
		select {
		case why := <-killed:
			cancel(&run.Cause{State: run.Cancelled, Code: run.CodeCancelled, Reason: why.Error()})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// apiOf puts together what the caller and the config say. A source's password goes to
// its own endpoint alone. Without an endpoint from the caller it is the one source that
// is a Digdag; of several none is taken for the caller.
func apiOf(ctx context.Context, e engine.Engine, sources map[string]config.Source) (engine.API, error) {
	if e.Name != engine.Digdag {
		return engine.API{}, nil
	}
	asked := engine.Endpoints(e.Endpoint)
	var fit []digdagSource
	for name, s := range sources {
		if s.Engine != string(engine.Digdag) {
			continue
		}
		d := digdagSource{name: name}
		if json.Unmarshal(s.Params, &d) != nil || len(d.Endpoint) == 0 {
			continue // its components say what is wrong with it
		}
		if len(asked) == 0 || slices.ContainsFunc(asked, func(one string) bool { return slices.Contains(d.Endpoint, one) }) {
			fit = append(fit, d)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0].api(ctx)
	case len(asked) > 0:
		return engine.API{Endpoints: asked}, nil
	}
	return engine.API{}, nil
}

// digdagSource is what of a source is needed to ask about an attempt. The password and
// secret headers are references, env:NAME or file:PATH, or stand there themselves.
type digdagSource struct {
	name          string
	Endpoint      endpoints         `json:"endpoint"`
	User          string            `json:"user"`
	Password      string            `json:"password"`
	Headers       map[string]string `json:"headers"`
	SecretHeaders map[string]string `json:"secret_headers"`
	CAFile        string            `json:"ca_file"`
	Insecure      bool              `json:"insecure"`
}

// endpoints are one or several.
type endpoints []string

func (e *endpoints) UnmarshalJSON(raw []byte) error {
	var all []string
	if len(raw) > 0 && raw[0] == '[' {
		if err := json.Unmarshal(raw, &all); err != nil {
			return err
		}
	} else {
		all = make([]string, 1)
		if err := json.Unmarshal(raw, &all[0]); err != nil {
			return err
		}
	}
	*e = engine.Endpoints(strings.Join(all, ","))
	return nil
}

func (s digdagSource) api(ctx context.Context) (engine.API, error) {
	from := params.Lookup{Env: os.LookupEnv}
	api := engine.API{Endpoints: s.Endpoint, User: s.User, Headers: maps.Clone(s.Headers), CAFile: s.CAFile, Insecure: s.Insecure}
	var err error
	if api.Password, err = from.Value(ctx, s.Password); err != nil {
		return api, fmt.Errorf("source %s: password: %w", s.name, err)
	}
	for name, value := range s.SecretHeaders {
		if api.Headers == nil {
			api.Headers = map[string]string{}
		}
		if api.Headers[name], err = from.Value(ctx, value); err != nil {
			return api, fmt.Errorf("source %s: secret_headers.%s: %w", s.name, name, err)
		}
	}
	return api, nil
}
