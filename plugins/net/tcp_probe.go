package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

// maxTCPAnswer is the most that is read of a banner or an answer, in bytes.
const maxTCPAnswer = 4 << 10

// tcpProbe is what one look does.
type tcpProbe struct {
	tcpParams
	banner   *regexp.Regexp // nil: none is asked for
	tls      *tls.Config    // nil: no TLS
	password string
}

// newTCPProbe takes parameters that are valid, and reads the file they name.
func newTCPProbe(p tcpParams) (tcpProbe, error) {
	probe := tcpProbe{tcpParams: p}
	if p.Password != nil {
		probe.password = p.Password.Reveal()
	}
	if p.Banner != "" {
		var err error
		if probe.banner, err = regexp.Compile(p.Banner); err != nil {
			return tcpProbe{}, fmt.Errorf("banner: %w", err)
		}
	}
	if !p.TLS {
		return probe, nil
	}
	host, _, err := net.SplitHostPort(p.Address)
	if err != nil {
		return tcpProbe{}, fmt.Errorf("address: %w", err)
	}
	probe.tls = &tls.Config{ServerName: cmp.Or(p.ServerName, host), InsecureSkipVerify: p.Insecure}
	if p.CAFile != "" {
		pem, err := os.ReadFile(p.CAFile)
		if err != nil {
			return tcpProbe{}, fmt.Errorf("ca_file: %w", err)
		}
		probe.tls.RootCAs = x509.NewCertPool()
		if !probe.tls.RootCAs.AppendCertsFromPEM(pem) {
			return tcpProbe{}, fmt.Errorf("ca_file: %q holds no certificate in PEM", p.CAFile)
		}
	}
	return probe, nil
}

// look does it once, within its timeout.
func (p tcpProbe) look(ctx context.Context) (tcpChecked, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.TryTimeout, fmt.Errorf("it was not done within try_timeout, %v", p.TryTimeout))
	defer cancel()
	began := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.Address)
	if err != nil {
		return tcpChecked{}, tcpFailure(ctx, "connect_failed", "connecting to "+p.Address, err)
	}
	defer conn.Close()
	// The end of ctx ends whatever reads or writes.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	out := tcpChecked{Remote: conn.RemoteAddr().String(), ConnectMS: tcpMilliseconds(time.Since(began))}
	if p.tls != nil {
		secure := tls.Client(conn, p.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return tcpChecked{}, tcpFailure(ctx, "tls_failed", "making TLS with "+p.Address, err)
		}
		conn = secure
	}
	if p.banner != nil {
		if out.Banner, err = readTCPBanner(conn, p.banner); err != nil {
			return tcpChecked{}, tcpFailure(ctx, "banner_mismatch", "reading the banner of "+p.Address, err)
		}
	}
	if p.Redis {
		r := redisConn{Writer: conn, r: bufio.NewReaderSize(conn, maxTCPAnswer), hide: p.hide}
		if err := r.check(p.Username, p.password); err != nil {
			return tcpChecked{}, tcpFailure(ctx, "redis_failed", "asking Redis at "+p.Address, err)
		}
	}
	took := time.Since(began)
	if p.MaxLatency != nil && took > *p.MaxLatency {
		return tcpChecked{}, sdk.Code("too_slow", fmt.Errorf("%s took %v to answer, wanted at most %v", p.Address, took, *p.MaxLatency))
	}
	out.LatencyMS = tcpMilliseconds(took)
	return out, nil
}

func tcpMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// hide takes the password out of what a server says.
func (p tcpProbe) hide(text string) string {
	if p.password == "" {
		return text
	}
	return strings.ReplaceAll(text, p.password, "[secret]")
}

// tcpFailure says what was being done. After the end of ctx its cause is why it
// failed, whatever the connection made of that.
func tcpFailure(ctx context.Context, code, doing string, err error) error {
	if ctx.Err() != nil {
		heard := ""
		if silent, ok := errors.AsType[*tcpUnmatched](err); ok {
			heard = ": " + silent.heard()
		}
		err = fmt.Errorf("%w%s", context.Cause(ctx), heard)
	}
	if errors.Is(err, errRedisAuth) {
		code, err = "redis_auth", sdk.Permanent(err)
	}
	return sdk.Code(code, fmt.Errorf("%s: %w", doing, err))
}

// tcpUnmatched is the error of a banner that did not come.
type tcpUnmatched struct {
	want *regexp.Regexp
	got  []byte
	err  error
}

func (u *tcpUnmatched) Error() string { return u.err.Error() + ": " + u.heard() }
func (u *tcpUnmatched) Unwrap() error { return u.err }

func (u *tcpUnmatched) heard() string {
	if len(u.got) == 0 {
		return fmt.Sprintf("the server said nothing, wanted what matches %q", u.want)
	}
	return fmt.Sprintf("the server said %s, wanted what matches %q", tcpExcerpt(string(u.got)), u.want)
}

// readTCPBanner reads until want matches.
func readTCPBanner(r io.Reader, want *regexp.Regexp) (string, error) {
	got := make([]byte, 0, maxTCPAnswer)
	for {
		n, err := r.Read(got[len(got):cap(got)])
		got = got[:len(got)+n]
		switch {
		case n > 0 && want.Match(got):
			return string(got), nil
		case errors.Is(err, io.EOF):
			return "", &tcpUnmatched{want, got, errors.New("the server closed the connection")}
		case err != nil:
			return "", &tcpUnmatched{want, got, err}
		case len(got) == maxTCPAnswer:
			return "", &tcpUnmatched{want, got, fmt.Errorf("no match in the first %d bytes", maxTCPAnswer)}
		}
	}
}

// tcpExcerpt quotes the beginning of what a server said.
func tcpExcerpt(text string) string {
	const most = 200
	if len(text) > most {
		return fmt.Sprintf("%q … (%d bytes)", text[:most], len(text))
	}
	return fmt.Sprintf("%q", text)
}
