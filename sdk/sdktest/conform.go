package sdktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/manifest"
)

const (
	// cancelWithin is how long a host under an engine waits for a cancelled
	// task before it kills it.
	cancelWithin = 2500 * time.Millisecond
	// runFor is when a case that has not ended by itself is cancelled.
	runFor = 10 * time.Second
	// cancelAfter is how far a case gets that is to be cancelled, unless it
	// says something before.
	cancelAfter = 100 * time.Millisecond
)

// Case is one set of parameters to run a component with. Secrets stand in it as
// their values, at least six characters long, so that they can be looked for.
type Case struct {
	Params  string
	Options []Option
}

// Conform checks what every component owes its users, in this process:
//
//   - it describes itself the same way each time
//   - its schema accepts its examples and the cases, and refuses unknown keys
//   - its output is what it describes
//   - cancelled, it returns within 2.5 s
//   - it leaves no goroutine behind
//   - it prints nothing on stdout
//   - no secret stands in a log line, nor in another text that it sends
//
// The rules from the output on are checked by running every case twice, once
// cancelled soon after its start and once to the end; without a case they are
// not checked. The test that calls Conform cannot be a parallel one.
func Conform(t testing.TB, c sdk.Component, cases ...Case) {
	t.Helper()
	// Setenv fails in a parallel test: goroutines and stdout are the process's.
	t.Setenv("OUTRIDER_CONFORM", "1")
	about := describeTwice(t, c)
	if about == nil {
		return
	}
	checkSchema(t, about, c.Engine().Accepts, cases)
	runCases(t, about, cases, subject{
		run: func(_ context.Context, call *call) (Outcome, error) { return runLocal(c.Engine(), call) },
		begin: func() (end func(o *Outcome)) {
			before := goleak.IgnoreCurrent()
			printed := captureStdout(t)
			return func(o *Outcome) {
				text := printed()
				if o == nil {
					return
				}
				o.Stdout = text
				http.DefaultClient.CloseIdleConnections()
				if leak := goleak.Find(before); leak != nil {
					t.Errorf("goroutines: the component leaves some behind: %v", leak)
				}
			}
		},
	})
}

// Conform checks one component of the binary over the real protocol: the rules
// of the function of that name, but for goroutines.
func (b *Binary) Conform(t testing.TB, component string, cases ...Case) {
	t.Helper()
	if one, two := b.describe(t), b.describe(t); !bytes.Equal(one, two) {
		t.Errorf("describe: two starts describe themselves differently:\n%s%s", one, two)
	}
	m := b.Manifest(t)
	if err := m.Validate(); err != nil {
		t.Errorf("describe: %v", err)
	}
	for _, about := range m.Components {
		if about.Name == component {
			checkSchema(t, &about, nil, cases)
			runCases(t, &about, cases, subject{run: b.run, begin: func() func(*Outcome) { return func(*Outcome) {} }})
			return
		}
	}
	t.Errorf("describe: the plugin serves no component %q", component)
}

func describeTwice(t testing.TB, c sdk.Component) *manifest.Component {
	t.Helper()
	if err := c.Engine().Check(); err != nil {
		t.Errorf("describe: %v", err)
		return nil
	}
	var said [2][]byte
	var about manifest.Component
	for i := range said {
		var err error
		if about, err = c.Engine().Describe(); err == nil {
			said[i], err = json.Marshal(about)
		}
		if err != nil {
			t.Errorf("describe: %v", err)
			return nil
		}
	}
	if !bytes.Equal(said[0], said[1]) {
		t.Errorf("describe: it describes itself differently the second time:\n%s\n%s", said[0], said[1])
	}
	if err := manifest.CheckName(about.Name); err != nil {
		t.Errorf("describe: %v", err)
	}
	return &about
}

// subject is what is run.
type subject struct {
	// run runs one call; ctx ends when its outcome is not waited for any more.
	run func(ctx context.Context, call *call) (Outcome, error)
	// begin is called before each run, end after it, with nil when the run did
	// not end.
	begin func() (end func(o *Outcome))
}

func runCases(t testing.TB, about *manifest.Component, cases []Case, s subject) {
	t.Helper()
	for _, c := range cases {
		secrets := secretsOf(t, about, c.Params)
		for _, after := range []time.Duration{cancelAfter, runFor} {
			end := s.begin()
			o, err := runOnce(t, about.Name, c, after, s)
			if errors.Is(err, errStuck) {
				end(nil)
				t.Errorf("cancel: %s is still running %v after it was cancelled, with %s", about.Name, cancelWithin, c.Params)
				return // what it holds would disturb all else
			}
			end(&o)
			if err != nil {
				t.Errorf("run: %s with %s: %v", about.Name, c.Params, err)
				continue
			}
			checkOutcome(t, about, o, secrets)
		}
	}
}

var errStuck = errors.New("the component does not return")

// runOnce cancels the run when it has lasted for after, the short way also at
// its first sign of life, and gives up on it when that does not end it.
func runOnce(t testing.TB, name string, c Case, after time.Duration, s subject) (Outcome, error) {
	t.Helper()
	dir, err := client.PrivateDir()
	if err != nil {
		return Outcome{}, err
	}
	defer os.RemoveAll(dir)
	call, err := newCall(t.Context(), name, c.Params, dir, c.Options)
	if err != nil {
		return Outcome{}, err
	}
	life, give := context.WithCancel(t.Context())
	defer give()
	ctx, cancel := context.WithCancelCause(call.ctx)
	defer cancel(nil)
	call.ctx = ctx
	if after == cancelAfter {
		see := call.onLog
		call.onLog = func(l Line) {
			if see != nil {
				see(l)
			}
			cancel(errors.New("Conform cancels"))
		}
	}
	timer := time.AfterFunc(after, func() { cancel(errors.New("Conform cancels")) })
	defer timer.Stop()

	type ended struct {
		o   Outcome
		err error
	}
	done := make(chan ended, 1)
	go func() {
		o, err := s.run(life, call)
		done <- ended{o, err}
	}()
	select {
	case e := <-done:
		return e.o, e.err
	case <-ctx.Done():
	}
	select {
	case e := <-done:
		return e.o, e.err
	case <-time.After(cancelWithin + stopSlack):
		return Outcome{}, errStuck
	}
}

// stopSlack is for what comes after the result: a process has to end, and
// goroutines are given a moment to go.
const stopSlack = 1500 * time.Millisecond

// captureStdout takes what is printed on os.Stdout until printed is called.
func captureStdout(t testing.TB) (printed func() string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatalf("making a pipe: %v", err)
	}
	var text bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { text.ReadFrom(r) })
	real := os.Stdout
	os.Stdout = w
	return func() string {
		os.Stdout = real
		w.Close()
		// A child of the component may hold the other end still.
		_ = r.SetReadDeadline(time.Now().Add(time.Second))
		reading.Wait()
		r.Close()
		return text.String()
	}
}
