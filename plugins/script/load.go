package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/outrider-run/outrider/plugins/script/internal/interp"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// manifestFlag takes `--manifest PATH` or `--manifest=PATH` out of args.
func manifestFlag(args []string) (path string, rest []string) {
	for i := 0; i < len(args); i++ {
		if value, ok := strings.CutPrefix(args[i], "--manifest="); ok {
			path = value
		} else if args[i] == "--manifest" && i+1 < len(args) {
			i++
			path = args[i]
		} else {
			rest = append(rest, args[i])
		}
	}
	return path, rest
}

// load reads the component to serve; without a manifest there is none.
// hostless says that no host will stop the command's processes.
func load(path string, hostless bool) ([]sdk.Component, error) {
	if path == "" {
		return nil, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the manifest: %w", err)
	}
	m, err := manifest.LoadScript(path)
	if err != nil {
		return nil, err
	}
	s := script{
		Script: m,
		dir:    filepath.Dir(path),
		// Under a host the command has to stand in this process's group, where
		// the host's SIGKILL reaches it. A group that this process does not
		// lead is somebody else's and must not be signalled.
		ownGroup: hostless || syscall.Getpgrp() != os.Getpid(),
	}
	if m.Interpreter != "" {
		if s.interpreter, err = interp.Parse(m.Interpreter); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return []sdk.Component{sdk.Raw(m.Component(), s.run)}, nil
}
