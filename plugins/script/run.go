package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/outrider-run/outrider/plugins/script/internal/command"
	"github.com/outrider-run/outrider/plugins/script/internal/events"
	"github.com/outrider-run/outrider/plugins/script/internal/interp"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// script is a script component.
type script struct {
	manifest.Script
	dir         string             // of the manifest
	interpreter interp.Requirement // if the manifest names one
	ownGroup    bool               // see command.Command
}

// run is one call of the component.
func (s script) run(ctx context.Context, run *sdk.Run, params json.RawMessage) (json.RawMessage, error) {
	check, err := outputCheck(s.Output) // first: nothing runs for an output that cannot be checked
	if err != nil {
		return nil, sdk.Code("bad_manifest", sdk.Permanent(err))
	}
	temp, err := run.TempDir()
	if err != nil {
		return nil, err
	}
	paramsFile, err := writeParams(temp, params)
	if err != nil {
		return nil, err
	}
	defer os.Remove(paramsFile)
	// The program reads the same file on stdin as under its name: it may close
	// or ignore stdin, or seek in it, and nobody waits for it to read.
	stdin, err := os.Open(paramsFile)
	if err != nil {
		return nil, fmt.Errorf("opening the parameters: %w", err)
	}
	defer stdin.Close()

	set := map[string]string{
		"OUTRIDER_PARAMS_FILE": paramsFile,
		"OUTRIDER_RUN_ID":      run.ID(),
		"OUTRIDER_ATTEMPT":     strconv.Itoa(run.Attempt()),
		"OUTRIDER_KEY":         run.Key(),
		"TMPDIR":               temp,
		"PWD":                  s.dir,
	}
	if _, ok := os.LookupEnv("PYTHONUNBUFFERED"); !ok {
		set["PYTHONUNBUFFERED"] = "1" // else what Python prints comes at its end
	}
	env := command.Environ(os.Environ(), set)
	path, args, err := s.program(ctx, env)
	if err != nil {
		return nil, err
	}
	run.Log().Debug("starting", "program", path, "args", args)

	h := hearer{run: run, takesOutput: s.Outputs == manifest.OutputsEvents}
	exit, err := command.Command{
		Path: path, Args: args, Dir: s.dir, Env: env, Stdin: stdin, OwnGroup: s.ownGroup,
		Stdout: h.stdout, Stderr: h.stderr, Events: h.events,
		Notice: func(text string) { run.Log().Warn(text) },
	}.Run(ctx)
	if err != nil {
		return nil, startError(err)
	}
	if exit.Code == 0 && !exit.Cancelled {
		return h.result(check)
	}
	return nil, s.failure(ctx, exit, &h)
}

// writeParams puts the parameters where only this user can read them. The line
// end is for readers of lines, such as the shell's read.
func writeParams(dir string, params json.RawMessage) (path string, err error) {
	f, err := os.CreateTemp(dir, "params-*.json") // 0600
	if err != nil {
		return "", fmt.Errorf("writing the parameters: %w", err)
	}
	_, err = f.Write(append(params[:len(params):len(params)], '\n'))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("writing the parameters: %w", err)
	}
	return f.Name(), nil
}

// result is what a command that ended well leaves.
func (h *hearer) result(check func(json.RawMessage) error) (json.RawMessage, error) {
	if e := h.failure; e != nil {
		h.run.Log().Warn("the command told of an error and ended with exit status 0, which is success", "code", e.Code, "error", e.Message)
	}
	out, err := h.outputs.JSON()
	if err != nil {
		return nil, sdk.Code("result_too_large", sdk.Permanent(fmt.Errorf("%w: more than %d bytes", err, events.MaxOutput)))
	}
	if err := check(out); err != nil {
		return nil, sdk.Code("bad_output", sdk.Permanent(err))
	}
	return out, nil
}
