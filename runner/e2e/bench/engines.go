package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// commands compares `outrider exec -- true` with true.
func (b *bench) commands() ([]figure, error) {
	return b.over("outrider exec -- true, over true",
		func() *exec.Cmd { return b.outrider("exec", "--", "true") },
		func() *exec.Cmd { return exec.Command("true") })
}

func (b *bench) over(what string, ours, theirs func() *exec.Cmd) ([]figure, error) {
	a, c, err := pairs(b.pairs, ours, theirs)
	if err != nil {
		return nil, err
	}
	return []figure{{
		what: what, target: 18, unit: "ms", atMost: true,
		got: median(a) - median(c), note: fmt.Sprintf("%.1f ms against %.1f ms", median(a), median(c)),
	}}, nil
}

// digdagTask is what a real Digdag 0.10.5.1 started for a sh> task.
//
//go:embed digdag-task.json
var digdagTask []byte

// shell compares `outrider sh` with /bin/sh on what Digdag starts: its arguments,
// its folder, its environment, an open silent stdin and one pipe for the outputs.
func (b *bench) shell() ([]figure, error) {
	var task struct {
		Argv  []string
		Cwd   string
		Env   map[string]string
		Files map[string]string
	}
	if err := json.Unmarshal(digdagTask, &task); err != nil {
		return nil, err
	}
	// Only the folder above differs.
	dir := filepath.Join(b.state, strings.TrimPrefix(task.Cwd, "/tmp"))
	for name, text := range task.Files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	silent, keep, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = silent.Close(), keep.Close() }()
	env := []string{"PATH=" + os.Getenv("PATH"), "OUTRIDER_STATE=" + b.state}
	for k, v := range task.Env {
		env = append(env, k+"="+v)
	}
	script := task.Argv[len(task.Argv)-1]
	tasks := 0
	digdag := func(argv ...string) *exec.Cmd {
		cmd := exec.Command(argv[0], argv[1:]...)
		tasks++ // each is another: equal ones would be counted as calls of one task
		of := strconv.Itoa(tasks)
		cmd.Dir, cmd.Env, cmd.Stdin = dir, append(slices.Clip(env), "attempt_id="+of, "session_id="+of, "session_uuid="+of), silent
		out := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		return cmd
	}
	return b.over("outrider sh on what Digdag starts, over /bin/sh",
		func() *exec.Cmd { return digdag(filepath.Join(b.bin, "outrider"), "sh", script) },
		func() *exec.Cmd { return digdag("/bin/sh", script) })
}

// passage sends 200 MB through `outrider exec`.
func (b *bench) passage() ([]figure, error) {
	const size = 200_000_000
	var all []float64
	for range 5 {
		cmd := b.outrider("exec", "--", "head", "-c", fmt.Sprint(size), "/dev/zero")
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, out, make([]byte, 256<<10))
		if err != nil {
			return nil, err
		}
		if err := cmd.Wait(); err != nil || n != size {
			return nil, fmt.Errorf("%d of %d bytes came through: %w", n, size, err)
		}
		all = append(all, size/mega/time.Since(began).Seconds())
	}
	return []figure{{what: "200 MB through outrider exec", target: 200, unit: "MB/s", got: median(all), note: "median of 5"}}, nil
}
