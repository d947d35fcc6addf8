package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/outrider-run/outrider/plugins/script/internal/interp"
	"github.com/outrider-run/outrider/sdk"
)

// program finds what is to be started.
func (s script) program(ctx context.Context, env []string) (path string, args []string, err error) {
	path, isFile := s.Program(s.dir)
	if isFile {
		if err := checkFile(path, s.Interpreter == ""); err != nil {
			return "", nil, startError(err)
		}
	} else if path, err = onPath(path, env); err != nil {
		return "", nil, startError(err)
	}
	if s.Interpreter == "" {
		return path, s.Command[1:], nil
	}
	finder := interp.Finder{Dir: s.dir, Env: env}
	found, err := finder.Find(ctx, s.interpreter)
	var miss *interp.NotFoundError
	if errors.As(err, &miss) {
		return "", nil, sdk.Code("interpreter_not_found", sdk.Permanent(err))
	}
	if err != nil {
		return "", nil, err
	}
	return found.Path, append([]string{path}, s.Command[1:]...), nil
}

// checkFile reports why the program's file cannot be run.
func checkFile(path string, itself bool) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("looking for the program: %w", err)
	case info.IsDir():
		return fmt.Errorf("the program %s is a folder: %w", path, fs.ErrPermission)
	case itself && info.Mode()&0o111 == 0:
		return fmt.Errorf("the program %s is not executable: name an interpreter in the manifest, or run chmod +x: %w", path, fs.ErrPermission)
	}
	return nil
}

// onPath looks a program up in the PATH of env.
func onPath(name string, env []string) (string, error) {
	var dirs string
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			dirs = v
		}
	}
	for _, dir := range filepath.SplitList(dirs) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && filepath.IsAbs(dir) && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("looking for the program %s on PATH (%s): %w", name, dirs, syscall.ENOENT)
}
