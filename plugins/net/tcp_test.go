package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// tcpTo is a check of address that gives up late and looks again at once.
func tcpTo(address string) tcpParams {
	return tcpParams{Address: address, TryTimeout: time.Minute, Waiting: Waiting{Every: time.Millisecond}}
}

func TestTCPConnects(t *testing.T) {
	for name, serve := range map[string]func(int, net.Conn){"it says nothing": tcpSilent, "it closes at once": func(int, net.Conn) {}} {
		t.Run(name, func(t *testing.T) {
			address := tcpServer(t, serve)
			out, o := sdktest.Run(t, checkTCP, tcpTo(address))
			if o.Err() != nil || out.Remote != address || out.Looks != 1 || out.ConnectMS <= 0 || out.LatencyMS < out.ConnectMS {
				t.Errorf("%+v, %v", out, o.Err())
			}
		})
	}
}

func TestTCPTakesABannerInPieces(t *testing.T) {
	const text = "SSH-2.0-OpenSSH_9.2p1\r\n"
	next := make(chan struct{})
	address := tcpServer(t, func(n int, c net.Conn) {
		for i := range len(text) {
			_, _ = io.WriteString(c, text[i:i+1])
			<-next // the byte has been read alone, or none is waited for any more
		}
		tcpSilent(n, c)
	})
	defer close(next)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := iotest.OneByteReader(readerFunc(func(p []byte) (int, error) {
		n, err := conn.Read(p)
		next <- struct{}{}
		return n, err
	}))
	got, err := readTCPBanner(reader, regexp.MustCompile(`^SSH-2\.0-\S+\r`))
	if want := text[:len(text)-1]; got != want || err != nil {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// What a server does, what is asked, and what the failure says.
func TestTCPFailures(t *testing.T) {
	// For a server that never answers; the connection has to be made by then.
	const patience = 500 * time.Millisecond
	banner := func(p *tcpParams) { p.Banner = "^220 " }
	redis := func(p *tcpParams) { p.Redis = true }
	for _, c := range []struct {
		name           string
		serve          func(int, net.Conn)
		ask            func(*tcpParams)
		code, contains string
	}{
		{"refused", nil, func(*tcpParams) {}, "connect_failed", "connection refused"},
		{"another banner", tcpSays("554 no\r\n"), func(p *tcpParams) {
			banner(p)
			p.TryTimeout = patience
		}, "banner_mismatch", `it was not done within try_timeout, 500ms: the server said "554 no\r\n", wanted what matches "^220 "`},
		{"no banner", tcpSilent, func(p *tcpParams) {
			banner(p)
			p.TryTimeout = patience
		}, "banner_mismatch", `it was not done within try_timeout, 500ms: the server said nothing, wanted what matches "^220 "`},
		{"closed at once", func(int, net.Conn) {}, banner, "banner_mismatch", "the server closed the connection: the server said nothing"},
		{"closed in the middle", func(_ int, c net.Conn) { _, _ = io.WriteString(c, "22") }, banner, "banner_mismatch", `closed the connection: the server said "22"`},
		{"an endless banner", func(_ int, c net.Conn) { _, _ = io.Copy(c, tcpEndless{}) }, banner, "banner_mismatch", `no match in the first 4096 bytes: the server said "` + strings.Repeat("x", 200) + `" … (4096 bytes)`},
		{"a bad banner", tcpSays("\xff\x00\n" + strings.Repeat(" ", 4096)), banner, "banner_mismatch", `"\xff\x00\n  `},
		{"Redis that says nothing", tcpSilent, func(p *tcpParams) {
			redis(p)
			p.TryTimeout = patience
		}, "redis_failed", "it was not done within try_timeout, 500ms"},
		{"Redis that closes", func(_ int, c net.Conn) {
			_, _ = c.Read(make([]byte, 100)) // else it is a reset
		}, redis, "redis_failed", `closed the connection instead of answering PING; it said ""`},
		{"Redis that never ends a line", func(_ int, c net.Conn) { _, _ = io.Copy(c, tcpEndless{}) }, redis, "redis_failed", "its answer to PING has no end within 4096 bytes"},
		{"Redis that loads", tcpSays("-LOADING Redis is loading the dataset in memory\r\n"), redis, "redis_failed", `it answered PING with the error "LOADING Redis is loading the dataset in memory"`},
		{"no Redis", tcpSays("HTTP/1.1 400 Bad Request\r\n"), redis, "redis_failed", `it answered PING with "HTTP/1.1 400 Bad Request", wanted +PONG; is it Redis?`},
		{"no TLS", tcpSays("hello there\r\n"), func(p *tcpParams) { p.TLS = true }, "tls_failed", "first record does not look like a TLS handshake"},
		{"no answer to TLS", tcpSilent, func(p *tcpParams) { p.TLS, p.TryTimeout = true, patience }, "tls_failed", "it was not done within try_timeout, 500ms"},
		{"too slow", tcpSilent, func(p *tcpParams) { p.MaxLatency = new(time.Duration(1)) }, "too_slow", "to answer, wanted at most 1ns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := tcpTo(tcpRefused(t))
			if c.serve != nil {
				p = tcpTo(tcpServer(t, c.serve))
			}
			c.ask(&p)
			_, o := sdktest.Run(t, checkTCP, p)
			if o.State != sdktest.Failed || o.Code != c.code || !strings.Contains(o.Error, c.contains) || !strings.Contains(o.Error, p.Address) {
				t.Errorf("%s, %q, %s\nwant %q, %s", o.State, o.Code, o.Error, c.code, c.contains)
			}
		})
	}
}

// tcpEndless reads as x for ever.
type tcpEndless struct{}

func (tcpEndless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestTCPAsksRedis(t *testing.T) {
	right, wrong := new(sdk.NewSecret(redisPassword)), new(sdk.NewSecret("battery staple"))
	for _, c := range []struct {
		name        string
		requirePass bool
		user        string
		password    *sdk.Secret
		contains    string // empty: it holds
	}{
		{"open", false, "", nil, ""},
		{"by password", true, "", right, ""},
		{"by user and password", true, "default", right, ""},
		{"no password", true, "", nil, "NOAUTH Authentication required."},
		{"a wrong one", true, "", wrong, "WRONGPASS invalid username-password pair"},
		{"a wrong user", true, "nobody", right, "WRONGPASS invalid username-password pair"},
		{"one too many", false, "", right, "ERR AUTH <password> called without any password configured"},
		{"a user who may not", true, "monitor", right, "NOPERM this user has no permissions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tcpTo(redisServer(t, c.requirePass))
			p.Redis, p.Username, p.Password = true, c.user, c.password
			p.Wait = new(time.Hour) // what does not get better is not waited for
			out, o := sdktest.Run(t, checkTCP, p)
			if c.contains == "" {
				if o.Err() != nil || out.Looks != 1 {
					t.Errorf("%+v, %v", out, o.Err())
				}
				return
			}
			if o.State != sdktest.Permanent || o.Code != "redis_auth" || !strings.Contains(o.Error, c.contains) {
				t.Errorf("%s, %q, %s", o.State, o.Code, o.Error)
			}
		})
	}
}

func TestTCPAsksRedisInsideOfTLS(t *testing.T) {
	address, ca := tcpTLS(t, through(redisServer(t, true)))
	base := tcpTo(address)
	base.TLS, base.Redis, base.Password = true, true, new(sdk.NewSecret(redisPassword))
	for _, c := range []struct {
		name     string
		change   func(*tcpParams)
		contains string
	}{
		{"trusted", func(p *tcpParams) { p.CAFile = ca }, ""},
		{"by another name", func(p *tcpParams) { p.CAFile, p.ServerName = ca, "example.com" }, ""},
		{"whatever it is", func(p *tcpParams) { p.Insecure = true }, ""},
		{"unknown authority", func(*tcpParams) {}, "certificate signed by unknown authority"},
		{"a name that it is not for", func(p *tcpParams) { p.CAFile, p.ServerName = ca, "other.test" }, "not other.test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := base
			c.change(&p)
			_, o := sdktest.Run(t, checkTCP, p)
			if c.contains == "" {
				if o.Err() != nil {
					t.Error(o.Err())
				}
				return
			}
			if o.Code != "tls_failed" || !strings.Contains(o.Error, c.contains) {
				t.Errorf("%s, %q, %s", o.State, o.Code, o.Error)
			}
		})
	}
	for file, contains := range map[string]string{filepath.Join(t.TempDir(), "none"): "no such file", tcpFile(t, "text"): "holds no certificate in PEM"} {
		p := base
		p.CAFile = file
		if _, o := sdktest.Run(t, checkTCP, p); o.State != sdktest.Permanent || !strings.Contains(o.Error, contains) {
			t.Errorf("%s, %s", o.State, o.Error)
		}
	}
}

func tcpFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTCPWaitsUntilItHolds(t *testing.T) {
	answers := []string{"-LOADING Redis is loading the dataset in memory\r\n", "", "+PONG\r\n"}
	p := tcpTo(tcpServer(t, func(n int, c net.Conn) {
		_, _ = c.Read(make([]byte, 100))
		_, _ = io.WriteString(c, answers[n-1])
	}))
	p.Redis, p.Wait = true, new(time.Hour)
	out, o := sdktest.Run(t, checkTCP, p)
	if o.Err() != nil || out.Looks != len(answers) {
		t.Errorf("%+v, %v", out, o.Err())
	}
	if len(o.Progress) == 0 || !strings.Contains(o.Progress[0].Note, "look 1: asking Redis at ") {
		t.Errorf("progress %+v", o.Progress)
	}
}

func TestTCPWaitsNoLongerThanItMay(t *testing.T) {
	p := tcpTo(tcpRefused(t))
	p.Wait = new(30 * time.Millisecond)
	_, o := sdktest.Run(t, checkTCP, p)
	if o.State != sdktest.Failed || o.Code != "connect_failed" || !strings.HasPrefix(o.Error, "not so within 30ms, after ") || !strings.Contains(o.Error, ": connecting to ") {
		t.Errorf("%s, %q, %s", o.State, o.Code, o.Error)
	}
}

// A cancel ends whatever it finds going on: with these limits the test would
// not end else.
func TestTCPObeysACancelAtOnce(t *testing.T) {
	for name, ask := range map[string]func(*tcpParams){
		"in a banner": func(p *tcpParams) { p.Banner = "x" },
		"in TLS":      func(p *tcpParams) { p.TLS = true },
		"in Redis":    func(p *tcpParams) { p.Redis = true },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			p := tcpTo(tcpServer(t, func(n int, c net.Conn) {
				cancel(errors.New("enough"))
				tcpSilent(n, c)
			}))
			p.TryTimeout, p.Wait = 100*time.Hour, new(100*time.Hour)
			ask(&p)
			_, o := sdktest.Run(t, checkTCP, p, sdktest.Context(ctx))
			if o.State != sdktest.Cancelled || !strings.Contains(o.Error, "enough") {
				t.Errorf("%s, %s", o.State, o.Error)
			}
		})
	}
	t.Run("between two looks", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := tcpTo(tcpServer(t, func(_ int, c net.Conn) {
			_, _ = c.Read(make([]byte, 100))
			_, _ = io.WriteString(c, "-LOADING\r\n")
			_, _ = io.Copy(io.Discard, c) // until the look is over
			cancel(errors.New("enough"))
		}))
		p.Redis, p.Every, p.Wait = true, time.Hour, new(100*time.Hour)
		_, o := sdktest.Run(t, checkTCP, p, sdktest.Context(ctx))
		if o.State != sdktest.Cancelled || !strings.Contains(o.Error, "enough") {
			t.Errorf("%s, %s", o.State, o.Error)
		}
	})
	t.Run("in the second look", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		var looks atomic.Int32
		p := tcpTo(tcpServer(t, func(n int, c net.Conn) {
			if looks.Add(1) > 1 {
				cancel(errors.New("enough"))
				tcpSilent(n, c)
				return
			}
			_, _ = c.Read(make([]byte, 100))
			_, _ = io.WriteString(c, "-LOADING\r\n")
			_, _ = io.Copy(io.Discard, c)
		}))
		p.Redis, p.Every, p.TryTimeout, p.Wait = true, time.Millisecond, 100*time.Hour, new(100*time.Hour)
		_, o := sdktest.Run(t, checkTCP, p, sdktest.Context(ctx))
		if o.State != sdktest.Cancelled || !strings.Contains(o.Error, "enough; before that: ") || !strings.Contains(o.Error, "LOADING") {
			t.Errorf("%s, %s", o.State, o.Error)
		}
	})
}

func TestTCPRefusesWhatCannotBe(t *testing.T) {
	for params, want := range map[string]string{
		`{"address":"host"}`:                            "address: address host: missing port in address, wanted HOST:PORT",
		`{"address":"host:0"}`:                          `"host:0" is not HOST:PORT`,
		`{"address":"host:65536"}`:                      `"host:65536" is not HOST:PORT`,
		`{"address":":80"}`:                             `":80" is not HOST:PORT`,
		`{"address":"::1:80"}`:                          "too many colons",
		`{"address":"h:1","banner":"("}`:                "banner: error parsing regexp",
		`{"address":"h:1","banner":"x","redis":true}`:   "ask for one of banner and redis",
		`{"address":"h:1","password":"secret word"}`:    "it is sent to Redis only",
		`{"address":"h:1","redis":true,"username":"u"}`: "username: it needs a password",
		`{"address":"h:1","redis":true,"password":""}`:  "password: it is empty",
		`{"address":"h:1","insecure":true}`:             "they need tls",
		`{"address":"h:1","max_latency":"0s"}`:          "max_latency: is below the least",
	} {
		if o := sdktest.RunJSON(t, tcpCheck(), params); o.Code != "bad_params" || !strings.Contains(o.Error, want) || strings.Contains(o.Error, "secret word") {
			t.Errorf("%s: %s %q, want %q", params, o.State, o.Error, want)
		}
	}
}

// Conform looks for the password in all that the component says, here while the
// server says it back.
func TestTCPConforms(t *testing.T) {
	ssh := tcpServer(t, tcpSays("SSH-2.0-x\r\n"))
	redis := redisServer(t, true)
	silent := tcpServer(t, tcpSilent)
	var echoes []string
	for _, before := range []string{"-ERR I do not know ", "what is ", "-ERR \x00", strings.Repeat("x", maxTCPAnswer-len(redisPassword))} {
		echoes = append(echoes, tcpServer(t, tcpSays(before+redisPassword+"\r\n")))
	}
	cases := []sdktest.Case{
		{Params: `{"address":"` + ssh + `","banner":"^SSH-","wait":"1m"}`},
		{Params: `{"address":"` + redis + `","redis":true,"password":"` + redisPassword + `"}`},
		{Params: `{"address":"` + redis + `","redis":true,"password":"never ` + redisPassword + `"}`},
		{Params: `{"address":"` + silent + `","redis":true,"password":"` + redisPassword + `","wait":"200ms","every":"50ms","try_timeout":"50ms"}`},
	}
	for _, echo := range echoes {
		cases = append(cases, sdktest.Case{Params: `{"address":"` + echo + `","redis":true,"password":"` + redisPassword + `","wait":"100ms","every":"20ms"}`})
	}
	sdktest.Conform(t, tcpCheck(), cases...)
}

func FuzzRedisAnswer(f *testing.F) {
	f.Fuzz(func(t *testing.T, line string) {
		err := redisAnswer("PING", "PONG", line)
		if (err == nil) != (strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r") == "+PONG") {
			t.Errorf("%q: %v", line, err)
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 1000) {
			t.Errorf("%q: the error is not one short line: %v", line, err)
		}
	})
}
