package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/outrider-run/outrider/sdk"
)

type tcpParams struct {
	Address    string         `json:"address" help:"HOST:PORT; an IPv6 host stands in brackets" min:"1"`
	Banner     string         `json:"banner,omitempty" help:"A regular expression that what the server says by itself has to match"`
	Redis      bool           `json:"redis" help:"Send PING to Redis and expect PONG" default:"false"`
	Username   string         `json:"username,omitempty" help:"The Redis user; without it the password is the default user's"`
	Password   *sdk.Secret    `json:"password" help:"The password for Redis"`
	TLS        bool           `json:"tls" help:"Speak TLS from the start" default:"false"`
	CAFile     string         `json:"ca_file,omitempty" help:"PEM file of the authorities to trust, instead of the system's"`
	ServerName string         `json:"server_name,omitempty" help:"The name that the server's certificate must have, if it is not the host"`
	Insecure   bool           `json:"insecure" help:"Believe any certificate. Whoever stands in between can read and change everything" default:"false"`
	MaxLatency *time.Duration `json:"max_latency" help:"The longest time to all that is asked for" min:"1ms"`
	TryTimeout time.Duration  `json:"try_timeout" help:"The most that one look may take" default:"5s" min:"1ms"`
	Waiting
}

// Validate checks what a tag cannot say.
func (p tcpParams) Validate() error {
	var all []error
	no := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if host, port, err := net.SplitHostPort(p.Address); err != nil {
		no("address: %w, wanted HOST:PORT", err)
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		no("address: %q is not HOST:PORT with a port from 1 to 65535", p.Address)
	}
	if _, err := regexp.Compile(p.Banner); err != nil {
		no("banner: %w", err)
	}
	switch {
	case p.Banner != "" && p.Redis:
		no("banner: Redis says nothing by itself; ask for one of banner and redis")
	case !p.Redis && (p.Password != nil || p.Username != ""):
		no("password: it is sent to Redis only; set redis too")
	case p.Username != "" && p.Password == nil:
		no("username: it needs a password")
	case p.Password != nil && p.Password.Reveal() == "":
		no("password: it is empty; leave it out for a server that wants none")
	}
	if !p.TLS && (p.CAFile != "" || p.ServerName != "" || p.Insecure) {
		no("ca_file, server_name, insecure: they need tls")
	}
	return errors.Join(all...)
}

type tcpChecked struct {
	Remote    string  `json:"remote" help:"The IP address and port that answered"`
	ConnectMS float64 `json:"connect_ms" help:"Time until TCP was connected, the look-up of the name included, in milliseconds"`
	LatencyMS float64 `json:"latency_ms" help:"Time to all that was asked for, in milliseconds"`
	Banner    string  `json:"banner,omitempty" help:"What had come when it matched"`
	Looks     int     `json:"looks" help:"How often it was looked, the good one included"`
}

func tcpCheck() sdk.Component {
	return sdk.Define("tcp.check", checkTCP,
		sdk.Doc(`Checks that a server answers on a TCP port, or waits until it does.

By itself it connects. banner reads what the server says first, at most 4 KiB, and matches it with every piece that comes: do not anchor its end with $, since a piece may match that. redis sends AUTH, with a password, and PING. tls does either inside of TLS, and checks the certificate. max_latency limits how long all of it took, the look-up of the name included.

With wait it looks again until all holds or the time is over. A failure has one of the codes connect_failed, tls_failed, banner_mismatch, redis_failed, too_slow, and redis_auth, which no wait and no retry mends.`),
		sdk.Example("A database comes up", `{"address": "db.internal:5432", "wait": "2m"}`),
		sdk.Example("Redis with a password, inside of TLS", `{"address": "cache.internal:6380", "redis": true, "password": "env:REDIS_PASSWORD", "tls": true, "max_latency": "50ms"}`),
		sdk.Example("An SSH server", `{"address": "[::1]:22", "banner": "^SSH-2\\.0-"}`))
}

func checkTCP(ctx context.Context, run *sdk.Run, p tcpParams) (tcpChecked, error) {
	probe, err := newTCPProbe(p)
	if err != nil {
		return tcpChecked{}, sdk.Permanent(err)
	}
	out, looks, err := until(ctx, run, p.Waiting, func(ctx context.Context) (tcpChecked, error) {
		out, err := probe.look(ctx)
		if errors.Is(err, errRedisAuth) {
			err = backoff.Permanent(err)
		}
		return out, err
	})
	out.Looks = looks
	return out, err
}
