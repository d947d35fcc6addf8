package sdktest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// recorder is a test whose failures are looked at instead of reported.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

// broken returns what Conform finds.
func broken(t *testing.T, conform func(testing.TB)) []string {
	r := &recorder{TB: t}
	conform(r)
	return r.failed
}

func wantOnly(t *testing.T, failed []string, rule string) {
	t.Helper()
	if len(failed) == 0 {
		t.Errorf("the breach of the rule %q was not seen", rule)
	}
	for _, f := range failed {
		if !strings.HasPrefix(f, rule+":") {
			t.Errorf("rule %q: %s", rule, f)
		}
	}
}

type empty struct{}

type withSecret struct {
	Token   sdk.Secret            `json:"token"`
	Headers map[string]sdk.Secret `json:"headers,omitempty"`
	Mode    string                `json:"mode" default:""`
}

const hush = "p@ss word/42+x"

func TestConformPassesAGoodComponent(t *testing.T) {
	c := sdk.Define("test.good", func(ctx context.Context, run *sdk.Run, p withSecret) (empty, error) {
		run.Log().Info("token", "token", p.Token, "headers", p.Headers)
		exec.Command("true").Run()
		if p.Mode == "wait" {
			<-ctx.Done()
			return empty{}, ctx.Err()
		}
		return empty{}, nil
	}, sdk.Example("One.", `{"token":"env:TOKEN"}`))
	params, _ := json.Marshal(map[string]any{"token": hush, "headers": map[string]string{"a": "another-secret"}})
	Conform(t, c, Case{Params: string(params)})
}

func TestConformSeesEachBreach(t *testing.T) {
	type body func(ctx context.Context, run *sdk.Run, p withSecret) (empty, error)
	leaks := func(encode func(string) string) body {
		return func(_ context.Context, run *sdk.Run, p withSecret) (empty, error) {
			run.Log().Info("got", "it", "<"+encode(p.Token.Reveal())+">")
			return empty{}, nil
		}
	}
	base64At := func(n int) body {
		return leaks(func(s string) string {
			return base64.StdEncoding.EncodeToString([]byte("user:abc"[:5+n] + s + "tail"))
		})
	}
	hold := make(chan struct{})
	defer close(hold)
	for name, c := range map[string]struct {
		rule string
		body body
	}{
		"cancel": {"cancel", func(context.Context, *sdk.Run, withSecret) (empty, error) { <-hold; return empty{}, nil }},
		"goroutine": {"goroutines", func(context.Context, *sdk.Run, withSecret) (empty, error) {
			go func() { <-hold }()
			return empty{}, nil
		}},
		"print": {"stdout", func(context.Context, *sdk.Run, withSecret) (empty, error) { fmt.Println("hi"); return empty{}, nil }},
		"child prints": {"stdout", func(context.Context, *sdk.Run, withSecret) (empty, error) {
			cmd := exec.Command("echo", "hi")
			cmd.Stdout = os.Stdout
			return empty{}, cmd.Run()
		}},
		"secret in a message": {"secrets", func(_ context.Context, run *sdk.Run, p withSecret) (empty, error) {
			run.Log().Debug("token " + p.Token.Reveal())
			return empty{}, nil
		}},
		"secret of a map": {"secrets", func(_ context.Context, run *sdk.Run, p withSecret) (empty, error) {
			run.Log().Warn(p.Headers["a"].Reveal())
			return empty{}, nil
		}},
		"secret in an error": {"secrets", func(_ context.Context, _ *sdk.Run, p withSecret) (empty, error) {
			return empty{}, errors.New("GET /?token=" + p.Token.Reveal())
		}},
		"secret in a panic": {"secrets", func(_ context.Context, _ *sdk.Run, p withSecret) (empty, error) { panic(p.Token.Reveal()) }},
		"secret in a note": {"secrets", func(_ context.Context, run *sdk.Run, p withSecret) (empty, error) {
			run.Progress(1, 1, p.Token.Reveal())
			return empty{}, nil
		}},
		"in a query":   {"secrets", leaks(url.QueryEscape)},
		"in a path":    {"secrets", leaks(url.PathEscape)},
		"in JSON":      {"secrets", leaks(func(s string) string { b, _ := json.Marshal(s); return string(b) })},
		"in base64, 0": {"secrets", base64At(1)},
		"in base64, 1": {"secrets", base64At(2)},
		"in base64, 2": {"secrets", base64At(3)},
		"in base64url": {"secrets", leaks(func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) })},
	} {
		t.Run(name, func(t *testing.T) {
			params, _ := json.Marshal(map[string]any{"token": hush, "headers": map[string]string{"a": "another-secret"}})
			wantOnly(t, broken(t, func(tb testing.TB) {
				Conform(tb, sdk.Define("test.bad", c.body), Case{Params: string(params)})
			}), c.rule)
		})
	}
}

func TestConformSeesBadDescriptions(t *testing.T) {
	fn := func(context.Context, *sdk.Run, json.RawMessage) (json.RawMessage, error) {
		return json.RawMessage(`{"rows":"many"}`), nil
	}
	typed := func(context.Context, *sdk.Run, withSecret) (empty, error) { return empty{}, nil }
	ok := json.RawMessage(`{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false}`)
	for name, c := range map[string]struct {
		rule      string
		component sdk.Component
		cases     []Case
	}{
		"a bad name": {"describe", sdk.Raw(manifest.Component{Name: "Bad", Params: ok}, fn), nil},
		"a wrong tag": {"describe", sdk.Define("test.tag", func(context.Context, *sdk.Run, struct {
			A int `default:"x"`
		},
		) (empty, error) {
			return empty{}, nil
		}), nil},
		"an example the schema refuses": {"examples", sdk.Raw(manifest.Component{
			Name: "test.raw", Params: ok, Examples: []manifest.Example{{Params: json.RawMessage(`{"a":"x"}`)}},
		}, fn), nil},
		"an example that only the component refuses": {"examples", sdk.Define("test.typed", func(context.Context, *sdk.Run, limited) (empty, error) {
			return empty{}, nil
		}, sdk.Example("Too much.", `{"a":7}`)), nil},
		"a case the schema refuses": {"examples", sdk.Define("test.typed", typed), []Case{{Params: `{"token":1}`}}},
		"unknown keys, by example": {"unknown keys", sdk.Raw(manifest.Component{
			Name: "test.raw", Params: json.RawMessage(`{"type":"object"}`), Examples: []manifest.Example{{Params: json.RawMessage(`{}`)}},
		}, fn), nil},
		"unknown keys": {"unknown keys", sdk.Raw(manifest.Component{Name: "test.raw", Params: json.RawMessage(`{}`)}, fn), nil},
		"an output of another shape": {"output", sdk.Raw(manifest.Component{
			Name: "test.raw", Params: ok, Output: json.RawMessage(`{"properties":{"rows":{"type":"integer"}}}`),
		}, fn), []Case{{Params: `{"a":1}`}}},
		"no schema":             {"schema", sdk.Raw(manifest.Component{Name: "test.raw", Params: json.RawMessage(`7`)}, fn), nil},
		"a broken output":       {"schema", sdk.Raw(manifest.Component{Name: "test.raw", Params: ok, Output: json.RawMessage(`{"type":7}`)}, fn), nil},
		"a secret to short for": {"secrets", sdk.Define("test.typed", typed), []Case{{Params: `{"token":"abc"}`}}},
	} {
		t.Run(name, func(t *testing.T) {
			wantOnly(t, broken(t, func(tb testing.TB) { Conform(tb, c.component, c.cases...) }), c.rule)
		})
	}
}

type limited struct {
	A int `json:"a"`
}

func (l limited) Validate() error {
	if l.A > 5 {
		return errors.New("a is too much")
	}
	return nil
}

func TestConformIsNotForParallelTests(t *testing.T) {
	t.Run("parallel", func(t *testing.T) {
		t.Parallel()
		defer func() {
			if recover() == nil {
				t.Error("Conform ran in a parallel test")
			}
		}()
		Conform(t, sdk.Define("test.it", func(context.Context, *sdk.Run, empty) (empty, error) { return empty{}, nil }))
	})
}

func TestBinaryConform(t *testing.T) {
	bin := Build(t, "./testdata/plugin")
	secret := Case{Params: `{"token":"hush-hush-hush"}`}
	t.Run("good", func(t *testing.T) { bin.Conform(t, "test.good", secret) })
	unstable := *bin
	unstable.Env = []string{"UNSTABLE=1"}
	for _, c := range []struct {
		rule, component string
		bin             *Binary
		cases           []Case
	}{
		{"describe", "test.good", &unstable, nil},
		{"describe", "test.other", bin, nil},
		{"stdout", "test.raw_stdout", bin, []Case{{Params: `{}`}}},
		{"cancel", "test.stuck", bin, []Case{{Params: `{}`}}},
		{"secrets", "test.stderr", bin, []Case{secret}},
		{"unknown keys", "test.open", bin, nil},
	} {
		t.Run(c.component, func(t *testing.T) {
			wantOnly(t, broken(t, func(tb testing.TB) { c.bin.Conform(tb, c.component, c.cases...) }), c.rule)
		})
	}
}

func TestBinaryRunOfACrash(t *testing.T) {
	bin := Build(t, "./testdata/plugin")
	o := bin.Run(t, "test.crash", `{}`)
	if o.State != Crashed || !strings.Contains(o.Error, "exit status 7") || o.Err() == nil {
		t.Errorf("%+v", o)
	}
}
