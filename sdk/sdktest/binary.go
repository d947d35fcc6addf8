package sdktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// stopGrace is how long a plugin may take to end once its run is over.
const stopGrace = 10 * time.Second

// Binary is a plugin's executable.
type Binary struct {
	Path string
	// Args follow the mode, for a program that serves what its arguments name.
	Args []string
	// Env is added to the few variables that a host hands on.
	Env []string
}

// Build compiles the plugin in package pkg, "." for the test's own, with the
// build tags of the test.
func Build(t testing.TB, pkg string) *Binary {
	t.Helper()
	out := filepath.Join(t.TempDir(), "outrider-plugin-under-test")
	args := []string{"build", "-o", out}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-tags" {
				args = append(args, "-tags", s.Value)
			}
		}
	}
	if msg, err := exec.Command("go", append(args, pkg)...).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, msg)
	}
	return &Binary{Path: out}
}

// Manifest is what `PLUGIN describe` prints.
func (b *Binary) Manifest(t testing.TB) manifest.Manifest {
	t.Helper()
	raw := b.describe(t)
	var m manifest.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("the plugin describes itself with bad JSON: %v\n%s", err, raw)
	}
	return m
}

func (b *Binary) describe(t testing.TB) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(b.Path, append([]string{"describe"}, b.Args...)...)
	cmd.Env = append(os.Environ(), b.Env...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("describing the plugin: %v\n%s", err, errs.Bytes())
	}
	return out.Bytes()
}

// Run starts the binary as a host does and runs one component in it.
func (b *Binary) Run(t testing.TB, component, params string, options ...Option) Outcome {
	t.Helper()
	dir, err := client.PrivateDir()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	call, err := newCall(t.Context(), component, params, dir, options)
	if err != nil {
		t.Fatal(err)
	}
	o, err := b.run(t.Context(), call)
	if err != nil {
		t.Fatalf("running %s: %v", component, err)
	}
	return o
}

// run kills the plugin when ctx, not the call's own, ends before its result.
func (b *Binary) run(ctx context.Context, call *call) (Outcome, error) {
	var o Outcome
	var stderr bytes.Buffer
	p, err := client.Start(ctx, client.Command{
		Path: b.Path, Args: b.Args, Env: b.Env, Dir: call.dir, Stderr: &stderr,
	})
	if err != nil {
		return o, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	r, err := p.Execute(call.ctx, call.start, call.events(&o))
	if err != nil {
		p.Kill()
		o.State, o.Error = Crashed, err.Error()
		err = nil
	} else {
		o.setResult(r)
		if err = p.Stop(stopGrace); err != nil {
			err = fmt.Errorf("ending the plugin after its result: %w", err)
		}
	}
	o.Stdout, o.Stderr = p.Printed(), stderr.String()
	return o, errors.Join(err, o.readArtifacts(call))
}
