// Command bench measures what Outrider promises of its speed and size, the
// promised side and what it is compared with in one run, prints target beside
// measured, and exits 1 on a miss.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// figure is one measured promise.
type figure struct {
	what   string
	target float64
	unit   string
	atMost bool
	got    float64
	note   string
}

func (f figure) ok() bool {
	if f.atMost {
		return f.got <= f.target
	}
	return f.got >= f.target
}

// bench is where everything that is measured stands.
type bench struct {
	bin   string // outrider's own binaries
	built string // the benchmark's helper programs
	state string
	pairs int
}

func main() {
	bin := flag.String("bin", "bin", "folder with the built binaries")
	pairs := flag.Int("pairs", 40, "how often each side of a comparison runs")
	only := flag.String("only", "", "measure this group alone, such as checker or digdag")
	flag.Parse()
	missed, err := measure(*bin, *pairs, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if missed > 0 {
		fmt.Fprintf(os.Stderr, "bench: %d missed\n", missed)
		os.Exit(1)
	}
}

func measure(bin string, pairs int, only string) (missed int, err error) {
	b, cleanup, err := prepare(bin, pairs)
	if err != nil {
		return 0, err
	}
	defer cleanup()
	for _, g := range b.groups() {
		if only != "" && only != g.name {
			continue
		}
		figures, err := g.measure()
		if err != nil {
			return missed, err
		}
		for _, f := range figures {
			word, sign := "ok  ", "≥"
			if f.atMost {
				sign = "≤"
			}
			if !f.ok() {
				word = "MISS"
				missed++
			}
			fmt.Printf("%s  %-58s %s %6.4g %-5s measured %7.4g  %s\n", word, f.what, sign, f.target, f.unit, f.got, f.note)
		}
	}
	return missed, nil
}

// group is what is measured in one go.
type group struct {
	name    string
	measure func() ([]figure, error)
}

func (b *bench) groups() []group {
	return []group{
		{"startup", b.startup},
		{"memory", b.memory},
		{"logs", b.logs},
		{"catalogue", b.catalogue},
		{"plugins", b.plugins},
		{"thresholds", b.thresholds},
		{"checker", b.checkers},
		{"commands", b.commands},
		{"shell", b.shell},
		{"bridge", b.bridge},
		{"passage", b.passage},
		{"ledgers", b.ledgers},
		{"digdag", b.digdag},
		{"kills", b.kills},
		{"demo", b.demo},
		{"airflow", b.airflow},
	}
}

func prepare(bin string, pairs int) (*bench, func(), error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, nil, err
	}
	tmp, err := os.MkdirTemp("", "orb")
	if err != nil {
		return nil, nil, err
	}
	cleanup := func() { _ = os.RemoveAll(tmp) }
	b := &bench{bin: filepath.Join(tmp, "bin"), built: filepath.Join(tmp, "helpers"), state: filepath.Join(tmp, "s"), pairs: pairs}
	linked := filepath.Join(tmp, "linked")
	for name, pkg := range map[string]string{
		"bare-host": "bare/host", "bare-plugin": "bare/plugin", "outrider-plugin-noisy": "noisy", "outrider-plugin-stand": "stand",
	} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "urfave_cli_no_docs,grpcnotrace",
			"-o", filepath.Join(linked, name), "./runner/e2e/bench/"+pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			cleanup()
			return nil, nil, fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	if err := errors.Join(install(bin, b.bin), install(linked, b.built)); err != nil {
		cleanup()
		return nil, nil, err
	}
	return b, cleanup, nil
}

// copyProgram holds little of it in memory, of which a child's peak is at least its
// parent's.
func copyProgram(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 1<<20))
	return errors.Join(err, w.Close())
}

// install copies programs, as whoever installs them does. What the linker has just
// written stands in the page cache in small pieces, and starts an eighth slower
// than it will ever after.
func install(from, to string) error {
	programs, err := filepath.Glob(filepath.Join(from, "*"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, path := range programs {
		if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
			continue
		}
		if err := copyProgram(path, filepath.Join(to, filepath.Base(path))); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) outrider(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(b.bin, "outrider"), args...)
	cmd.Env = append(os.Environ(), "OUTRIDER_STATE="+b.state, "OUTRIDER_PLUGIN_PATH="+b.built,
		"XDG_CACHE_HOME="+b.state+"/cache", "XDG_CONFIG_HOME="+b.state+"/config")
	return cmd
}
