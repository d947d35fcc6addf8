package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/plugins/internal/rest"
	"github.com/outrider-run/outrider/sdk"
)

// source is the Airflow that a component acts on. It is part of every component's
// parameters.
type source struct {
	Endpoint       endpoints             `json:"endpoint,omitzero" help:"URL of Airflow's API, which is its api-server's or webserver's, or a list of servers on one database, of which the first that answers is asked; else OUTRIDER_AIRFLOW_ENDPOINT"`
	User           string                `json:"user,omitempty" help:"to get a token with from Airflow 3, for basic authentication with Airflow 2"`
	Password       sdk.Secret            `json:"password,omitzero" help:"of the user"`
	Token          sdk.Secret            `json:"token,omitzero" help:"sent as Bearer, instead of user and password"`
	TokenCommand   []string              `json:"token_command,omitempty" help:"a program with its arguments that prints a token, as a managed Airflow needs it; it is run again when its token is refused"`
	Headers        map[string]string     `json:"headers,omitempty" help:"sent with each request"`
	SecretHeaders  map[string]sdk.Secret `json:"secret_headers,omitempty" help:"as headers, each value a secret"`
	CAFile         string                `json:"ca_file,omitempty" help:"trust the certificates of this PEM file too"`
	Insecure       bool                  `json:"insecure,omitempty" help:"trust any certificate"`
	Zone           string                `json:"zone,omitempty" help:"IANA name, such as Asia/Tokyo: whose days and clock are meant by a date, today or a time without an offset; else the one that Airflow tells of the DAG, which is UTC for most"`
	RequestTimeout time.Duration         `json:"request_timeout" default:"30s" help:"for one try of a request"`
}

type endpoints = rest.Endpoints

// given are the endpoints to ask, those of the environment where there are no others.
func (s source) given() endpoints {
	if len(s.Endpoint) > 0 {
		return s.Endpoint
	}
	return rest.SplitEndpoints(os.Getenv("OUTRIDER_AIRFLOW_ENDPOINT"))
}

// open makes a client. The caller closes it.
func (s source) open(run *sdk.Run) (*client.Client, error) { return s.openFor(run, 0) }

// openFor makes one that sends at most so many requests, 0 for any number.
func (s source) openFor(run *sdk.Run, requests int) (*client.Client, error) {
	given := s.given()
	if len(given) == 0 {
		return nil, sdk.Permanent(sdk.Code("no_endpoint", errors.New("which Airflow? give endpoint: http://host:8080, or set OUTRIDER_AIRFLOW_ENDPOINT")))
	}
	headers := maps.Clone(s.Headers)
	for name, value := range s.SecretHeaders {
		if headers == nil {
			headers = map[string]string{}
		}
		headers[name] = value.Reveal()
	}
	c, err := client.New(client.Options{
		Endpoints: given, User: s.User, Password: s.Password.Reveal(),
		Token: s.Token.Reveal(), TokenCommand: s.TokenCommand, Headers: headers,
		CAFile: s.CAFile, Insecure: s.Insecure, Zone: s.Zone, Timeout: s.RequestTimeout, MaxRequests: requests, Log: run.Log(),
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
	case !e.Retryable() && e.Code != client.CodeTokenCommand: // it may need a server of its own
		return sdk.Permanent(err)
	case e.RetryAfter > 0:
		return sdk.RetryAfter(e.RetryAfter, err)
	}
	return err
}

// isMissing reports whether the server says that there is no such thing.
func isMissing(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Code == client.CodeNotFound
}

// ofThis reports whether an error is of the one thing that was asked for, and stays.
func ofThis(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && !e.Retryable() && e.Code != client.CodeUnauthorized && e.Code != client.CodeNotAirflow && e.Code != client.CodeSpent
}
