package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/launch"
	"github.com/outrider-run/outrider/runner/internal/params"
	"github.com/outrider-run/outrider/runner/internal/redact"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Codes of outcomes of calls that did not come to a plugin.
const (
	CodeNoComponent = "unknown_component" // there is none of that name
	CodeLocked      = "plugin_locked"     // the plugin is not as the lock file has it
	CodeBadParams   = "bad_params"
	CodeHost        = "host" // the host could not make the call
)

// Finder looks components up; *catalog.Catalog is one.
type Finder interface {
	Find(ctx context.Context, name string) (catalog.Entry, error)
}

// Caller calls components by their names. Its methods may be called at once. A call
// that is given up is over within the budget of a stop, 3.5 s.
type Caller struct {
	// Ends are what calls leave to be waited for, as Call has them; nil: nothing.
	Ends *sync.WaitGroup

	finder Finder
	config config.Config
	state  state.Dir
	env    []string
	say    Say
}

// New makes a Caller. env is the host's environment as os.Environ has it: references to
// secrets are looked up in it, and plugins get their part of it.
func New(f Finder, cfg config.Config, d state.Dir, env []string, say Say) *Caller {
	return &Caller{finder: f, config: cfg, state: d, env: env, say: say}
}

// Open makes the Caller of this process: the plugins of the setup, the state folder and
// the environment are its own.
func Open(s Setup, say Say) (*Caller, error) {
	lock, err := ReadLock(s.LockPath)
	if err != nil {
		return nil, err
	}
	s.Options.Lock = lock
	d, err := state.Open(os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	if d.Temporary != nil {
		say(hclog.Warn, "state is kept in %s: %v", d.Root(), d.Temporary)
	}
	return New(catalog.Open(s.Options), s.Config, d, os.Environ(), say), nil
}

// Heard takes what a component says while it runs, without secrets; what is nil is not
// heard. Calls come one at a time.
type Heard struct {
	Log      func(*taskv1.LogLine)
	Progress func(done, total float64, note string) // in the component's own unit; total 0: unknown
}

// Resolve lays parameters over each other as the component's schema has it, and returns
// them complete, with secrets as references. Its error is a *params.Problems where they are
// no good.
func (c *Caller) Resolve(ctx context.Context, component string, from params.Sources) (json.RawMessage, error) {
	e, err := c.finder.Find(ctx, component)
	if err != nil {
		return nil, err
	}
	r, err := params.Merge(e.Component.Params, from)
	return r.JSON, err
}

// Run calls a component with parameters, a JSON object in which secrets are references.
// No secret is in the outcome: neither in its message nor in its output.
func (c *Caller) Run(ctx context.Context, component string, p json.RawMessage) run.Outcome {
	return c.Hear(ctx, component, p, Heard{})
}

// Hear is Run that hands on what the component says meanwhile.
func (c *Caller) Hear(ctx context.Context, component string, p json.RawMessage, h Heard) run.Outcome {
	o, r := c.Raw(ctx, component, p, h)
	if o.State == run.Success {
		o.Output = r.JSON(o.Output)
	}
	return o
}

// Raw is Hear that leaves the output as the component gave it, and returns what masks the
// secrets in it. It is for who knows which texts of the output are ids and names: a
// secret may be a word as plain as these, and an id that is masked is none.
func (c *Caller) Raw(ctx context.Context, component string, p json.RawMessage, h Heard) (run.Outcome, *redact.Redactor) {
	e, err := c.finder.Find(ctx, component)
	if err != nil {
		return notFound(ctx, err), nil
	}
	resolved, err := params.Merge(e.Component.Params, params.Sources{File: p, FileName: component + ".json"})
	if err != nil {
		return badParams(component, err), nil
	}
	values, secrets, err := resolved.WithSecrets(ctx, params.Lookup{Env: c.lookup})
	if err != nil {
		return badParams(component, err), nil
	}
	r := redact.New(secrets)
	o, err := Call{
		Entry: e, Config: c.config, State: c.state, Params: values, Env: c.env, Stop: stopBudget, Say: c.say, Ends: c.Ends,
	}.Do(ctx, &listener{h, r})
	if err != nil {
		return run.Outcome{State: run.Failed, Code: CodeHost, Message: err.Error()}, nil
	}
	o.Message, o.Stack = r.String(o.Message), r.String(o.Stack)
	return o, r
}

// stopBudget is that of a stop under an engine: the checker is itself a task of one.
var stopBudget = launch.StopBudget{Cancel: 2500 * time.Millisecond, Kill: 300 * time.Millisecond, Reap: 500 * time.Millisecond}

// lookup is os.LookupEnv on the Caller's environment, where the last of a name counts.
func (c *Caller) lookup(name string) (value string, found bool) {
	for _, kv := range c.env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			value, found = v, true
		}
	}
	return value, found
}

// notFound is the outcome of a component that cannot be had.
func notFound(ctx context.Context, err error) run.Outcome {
	if ctx.Err() != nil {
		return run.OutcomeOf(ctx)
	}
	o := run.Outcome{State: run.Failed, Message: err.Error(), Broken: true, Code: "plugin"}
	var miss *catalog.NotFound
	var locked *catalog.Difference
	if errors.As(err, &miss) {
		o.Code, o.Broken, o.Misused, o.Permanent = CodeNoComponent, false, true, true
		for _, p := range miss.Problems {
			if errors.As(p.Err, &locked) {
				break
			}
		}
	}
	if locked != nil || errors.As(err, &locked) {
		o.Code, o.Broken, o.Misused, o.Permanent = CodeLocked, true, false, true
		o.Message = locked.Error()
	}
	return o
}

// badParams is the outcome of parameters that are no good, or of a schema that is not.
func badParams(component string, err error) run.Outcome {
	o := run.Outcome{State: run.Failed, Code: CodeBadParams, Permanent: true}
	var p *params.Problems
	if o.Misused = errors.As(err, &p); o.Misused {
		o.Message = fmt.Sprintf("%s: %v", component, err)
	} else {
		o.Broken = true
		o.Message = fmt.Sprintf("%s: the component's parameter schema is no good: %v", component, err)
	}
	return o
}

// listener hands on what a component says, without secrets.
type listener struct {
	heard  Heard
	redact *redact.Redactor
}

func (l *listener) Log(line *taskv1.LogLine) {
	if l.heard.Log == nil {
		return
	}
	one := &taskv1.LogLine{
		UnixNano: line.GetUnixNano(), Level: line.GetLevel(), Source: line.GetSource(),
		Message: l.redact.String(line.GetMessage()),
	}
	if fields := line.GetFields(); len(fields) > 0 {
		one.Fields = l.redact.JSON(fields)
	}
	l.heard.Log(one)
}

func (l *listener) Progress(done, total float64, note string) {
	if l.heard.Progress != nil {
		l.heard.Progress(done, total, l.redact.String(note))
	}
}

func (l *listener) Alive() {}

func (l *listener) Checkpoint(context.Context, []byte) error { return nil }

func (l *listener) Artifact(context.Context, *taskv1.Artifact) error { return nil }

func (l *listener) Open(context.Context, string, string) (string, error) {
	return "", ErrUnrecorded
}

// ErrUnrecorded answers a component that wants another's artifact.
var ErrUnrecorded = errors.New("a call that is not recorded has no artifacts of others")
