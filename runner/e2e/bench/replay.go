package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// replay starts programs as Digdag did when a task of it was recorded: in its folder,
// with its files and environment, an open silent stdin and one pipe for the outputs.
type replay struct {
	argv []string
	// dir is the task's folder. Only the folder above differs from the recorded one.
	dir   string
	files map[string]string // relative to dir

	env          []string
	silent, keep *os.File
	tasks        int
}

func (b *bench) replay(recorded []byte) (*replay, error) {
	var task struct {
		Argv  []string
		Cwd   string
		Env   map[string]string
		Files map[string]string
	}
	if err := json.Unmarshal(recorded, &task); err != nil {
		return nil, err
	}
	r := &replay{argv: task.Argv, dir: filepath.Join(b.state, strings.TrimPrefix(task.Cwd, "/tmp")), files: task.Files}
	for name, text := range task.Files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(r.dir, name)), 0o755); err != nil {
			return nil, err
		}
		if err := r.write(name, []byte(text)); err != nil {
			return nil, err
		}
	}
	r.env = []string{"PATH=" + os.Getenv("PATH"), "OUTRIDER_STATE=" + b.state}
	for k, v := range task.Env {
		r.env = append(r.env, k+"="+v)
	}
	var err error
	r.silent, r.keep, err = os.Pipe()
	return r, err
}

func (r *replay) close() { _, _ = r.silent.Close(), r.keep.Close() }

// write puts a file into the task's folder.
func (r *replay) write(name string, text []byte) error {
	return os.WriteFile(filepath.Join(r.dir, name), text, 0o644)
}

// remove makes sure that a file is not in the task's folder.
func (r *replay) remove(name string) error {
	err := os.Remove(filepath.Join(r.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// next is an id for another attempt: tasks of equal ids would be counted as deliveries
// of one.
func (r *replay) next() string {
	r.tasks++
	return strconv.Itoa(r.tasks)
}

func (r *replay) command(argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = r.dir, slices.Clone(r.env), r.silent
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}
