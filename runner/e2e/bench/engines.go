package main

import (
	_ "embed"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
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

// shell compares `outrider sh` with /bin/sh on what Digdag starts.
func (b *bench) shell() ([]figure, error) {
	r, err := b.replay(digdagTask)
	if err != nil {
		return nil, err
	}
	defer r.close()
	script := r.argv[len(r.argv)-1]
	digdag := func(argv ...string) *exec.Cmd {
		cmd := r.command(argv...)
		of := r.next()
		cmd.Env = append(cmd.Env, "attempt_id="+of, "session_id="+of, "session_uuid="+of)
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
