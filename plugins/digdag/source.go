package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/plugins/internal/rest"
	"github.com/outrider-run/outrider/sdk"
)

// source is the Digdag server that a component acts on. It is part of every
// component's parameters.
type source struct {
	Endpoint       endpoints             `json:"endpoint,omitzero" help:"URL of the Digdag server, or a list of servers on one database, of which the first that answers is asked; else OUTRIDER_DIGDAG_ENDPOINT"`
	User           string                `json:"user,omitempty" help:"for basic authentication"`
	Password       sdk.Secret            `json:"password,omitzero" help:"for basic authentication"`
	Headers        map[string]string     `json:"headers,omitempty" help:"sent with each request"`
	SecretHeaders  map[string]sdk.Secret `json:"secret_headers,omitempty" help:"as headers, each value a secret"`
	CAFile         string                `json:"ca_file,omitempty" help:"trust the certificates of this PEM file too"`
	Insecure       bool                  `json:"insecure,omitempty" help:"trust any certificate"`
	RequestTimeout time.Duration         `json:"request_timeout" default:"30s" help:"for one try of a request"`
}

type endpoints = rest.Endpoints

// open makes a client. The caller closes it.
func (s source) open(run *sdk.Run) (*client.Client, error) { return s.openFor(run, 0) }

// openFor makes one that sends at most so many requests, 0 for any number.
func (s source) openFor(run *sdk.Run, requests int) (*client.Client, error) {
	if len(s.Endpoint) == 0 {
		s.Endpoint = rest.SplitEndpoints(os.Getenv("OUTRIDER_DIGDAG_ENDPOINT"))
	}
	if len(s.Endpoint) == 0 {
		return nil, sdk.Permanent(sdk.Code("no_endpoint", errors.New("which Digdag? give endpoint: http://host:65432, or set OUTRIDER_DIGDAG_ENDPOINT")))
	}
	headers := maps.Clone(s.Headers)
	for name, value := range s.SecretHeaders {
		if headers == nil {
			headers = map[string]string{}
		}
		headers[name] = value.Reveal()
	}
	c, err := client.New(client.Options{
		Endpoints: s.Endpoint, User: s.User, Password: s.Password.Reveal(), Headers: headers,
		CAFile: s.CAFile, Insecure: s.Insecure, Timeout: s.RequestTimeout, MaxRequests: requests, Log: run.Log(),
	})
	if err != nil {
		return nil, sdk.Permanent(sdk.Code("bad_source", err))
	}
	return c, nil
}

// told is an error as a component returns it: with its code, for good where asking
// again cannot help, and no sooner than the server allows.
func told(doing string, err error) error {
	var e *client.Error
	if missing := (*address.Missing)(nil); errors.As(err, &missing) {
		return sdk.Permanent(sdk.Code(client.CodeNotFound, fmt.Errorf("%s: %w", doing, err)))
	}
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	err = sdk.Code(e.Code, fmt.Errorf("%s: %w", doing, err))
	switch {
	case !e.Retryable():
		return sdk.Permanent(err)
	case e.RetryAfter > 0:
		return sdk.RetryAfter(e.RetryAfter, err)
	}
	return err
}

// parseAddress reads a parameter.
func parseAddress(text string) (address.Address, error) {
	a, err := address.Parse(text)
	if err != nil {
		return a, sdk.Permanent(sdk.Code("bad_address", err))
	}
	return a, nil
}
