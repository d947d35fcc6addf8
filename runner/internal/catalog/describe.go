package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/outrider-run/outrider/runner/internal/proc"
	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/protocol"
)

const (
	// maxManifest bounds what a plugin may print in answer.
	maxManifest = 16 << 20
	// maxComplaint bounds what is kept of its stderr.
	maxComplaint = 4 << 10
	// endPatience is how long killed processes may take to be gone.
	endPatience = 500 * time.Millisecond
)

var errTooLong = fmt.Errorf("its description is larger than %d bytes", maxManifest)

// describe asks the plugin at path what it serves. The plugin gets nothing to
// read, an environment that holds no secrets and no sign of a host, and its
// whole process group is gone when describe returns.
func describe(ctx context.Context, path string, timeout time.Duration) (manifest.Manifest, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	m, err := ask(ctx, stop, path)
	if err != nil {
		return m, fmt.Errorf("describe: %w", err)
	}
	return m, nil
}

func ask(ctx context.Context, stop context.CancelCauseFunc, path string) (m manifest.Manifest, err error) {
	out, outEnd, err := proc.NewPipe()
	if err != nil {
		return m, err
	}
	talk, talkEnd, err := proc.NewPipe()
	if err != nil {
		out.Close()
		_ = outEnd.Close()
		return m, err
	}
	p, err := proc.Start(ctx, proc.Spec{
		Path: path, Args: []string{"describe"}, Dir: filepath.Dir(path), Env: describeEnv(os.LookupEnv),
		Stdout: outEnd, Stderr: talkEnd,
	})
	_ = outEnd.Close()
	_ = talkEnd.Close()
	if err != nil {
		out.Close()
		talk.Close()
		return m, err
	}
	var (
		answer, complaint bytes.Buffer
		ended             = make(chan struct{}) // the process has, or is given up
		wg                sync.WaitGroup
	)
	wg.Go(func() {
		out.Drain(ended, func(b []byte) {
			if answer.Len()+len(b) > maxManifest {
				stop(errTooLong)
				return
			}
			answer.Write(b)
		})
	})
	wg.Go(func() {
		talk.Drain(ended, func(b []byte) { complaint.Write(b[:min(len(b), maxComplaint-complaint.Len())]) })
	})
	select {
	case <-p.Done():
	case <-ctx.Done():
	}
	close(ended)
	closeErr := p.Close(endPatience)
	select {
	case <-p.Done():
		closeErr = nil // what else was in its group is on its way out
	default: // nothing will come, and nobody may wait for it
		out.Close()
		talk.Close()
	}
	wg.Wait()
	if ctx.Err() != nil {
		return m, context.Cause(ctx)
	}
	if closeErr != nil {
		return m, closeErr
	}
	if exit := p.Exit(); exit.Code != 0 {
		return m, fmt.Errorf("%s%s", exit, said(complaint.String()))
	}
	if err := json.Unmarshal(answer.Bytes(), &m); err != nil {
		return m, fmt.Errorf("what it prints is no manifest: %w (%.60q)", err, answer.String())
	}
	if err := m.Validate(); err != nil {
		return m, fmt.Errorf("its manifest is not good: %w", err)
	}
	if len(m.Components) == 0 {
		return m, errors.New("serves no component")
	}
	return m, nil
}

// said quotes the first line of what a program complained of.
func said(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(strings.ToValidUTF8(text, "\ufffd")), "\n")
	if line == "" {
		return ""
	}
	return ": " + line
}

// describeEnv is what a program needs to start, and no more.
func describeEnv(lookup func(string) (string, bool)) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ"} {
		if v, ok := lookup(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// checkProtocol reports a plugin that this host cannot talk to. Its components
// are known all the same.
func checkProtocol(m manifest.Manifest) error {
	if len(m.Protocols) > 0 && !slices.Contains(m.Protocols, protocol.Version) {
		return fmt.Errorf("speaks protocol %v, this host %d", m.Protocols, protocol.Version)
	}
	return nil
}
