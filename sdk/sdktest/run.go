package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Run calls a component's function with params as they are: no defaults are
// filled in and nothing is validated. The output is what the function returned,
// also beside an error.
func Run[P, O any](t testing.TB, fn func(context.Context, *sdk.Run, P) (O, error), params P, options ...Option) (O, Outcome) {
	t.Helper()
	var out O
	c := sdk.Define("sdktest.run", func(ctx context.Context, run *sdk.Run, _ struct{}) (O, error) {
		var err error
		out, err = fn(ctx, run, params)
		return out, err
	})
	o := RunJSON(t, c, "{}", options...)
	return out, o
}

// RunJSON runs a component in this process with params, one JSON object, as a
// host does: they are decoded strictly, defaults filled in and Validate called.
// Secrets stand in params as their values.
func RunJSON(t testing.TB, c sdk.Component, params string, options ...Option) Outcome {
	t.Helper()
	call, err := newCall(t.Context(), c.Engine().Name, params, t.TempDir(), options)
	if err != nil {
		t.Fatal(err)
	}
	o, err := runLocal(c.Engine(), call)
	if err != nil {
		t.Fatalf("running %s: %v", c.Engine().Name, err)
	}
	return o
}

func runLocal(c *engine.Component, call *call) (Outcome, error) {
	var o Outcome
	server := engine.NewServer(manifest.Manifest{}, []*engine.Component{c})
	if err := server.Check(); err != nil {
		return o, err
	}
	serve := func(s client.Server) error { return server.Local(s) }
	r, err := client.Local(call.ctx, serve, call.start, call.events(&o))
	if err != nil {
		return o, err
	}
	o.setResult(r)
	return o, o.readArtifacts(call)
}

// events records into o.
func (c *call) events(o *Outcome) client.Events {
	names := map[string][]byte{}
	o.Artifacts = names
	return client.Events{
		Log: func(l *taskv1.LogLine) {
			line := Line{Level: l.GetLevel(), Message: l.GetMessage(), Source: l.GetSource()}
			if raw := l.GetFields(); len(raw) > 0 {
				_ = json.Unmarshal(raw, &line.Fields)
			}
			o.Logs = append(o.Logs, line)
			if c.onLog != nil {
				c.onLog(line)
			}
		},
		Progress: func(p *taskv1.Progress) {
			o.Progress = append(o.Progress, Progress{p.GetDone(), p.GetTotal(), p.GetNote()})
		},
		Alive: func() { o.Alive++ },
		Checkpoint: func(value []byte) error {
			if c.store != nil {
				if err := c.store(value); err != nil {
					return err
				}
			}
			o.Checkpoints = append(o.Checkpoints, value)
			return nil
		},
		Artifact: func(a *taskv1.Artifact) error {
			names[a.GetName()] = nil
			return nil
		},
		Open: func(task, name string) (string, error) {
			return c.open(task, name)
		},
	}
}

func (o *Outcome) readArtifacts(c *call) error {
	for name := range o.Artifacts {
		raw, err := os.ReadFile(filepath.Join(c.start.ArtifactDir, name))
		if err != nil {
			return fmt.Errorf("reading a committed artifact: %w", err)
		}
		o.Artifacts[name] = raw
	}
	return nil
}
