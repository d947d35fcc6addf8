// Command demo runs the example job, examples/etl, on an engine: it starts one,
// hands it the job, follows it to its end, shows what it did and stops the engine
// again. `make demo` and `make demo-airflow` build what it needs and call it:
//
//	go run ./runner/e2e/demo digdag|airflow
//
// Here lives the demo alone, one file an engine. Engines are started by the
// packages that tests use.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// patience turns a hang into a failure. The first Airflow has to be installed in
// it.
const patience = 15 * time.Minute

func main() {
	bin := flag.String("bin", "bin", "folder with the built binaries; the job's files go into demo/ENGINE there")
	month := flag.String("month", "2026-03", "which month of orders to load")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := run(ctx, os.Stdout, *bin, *month, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, bin, month string, args []string) (err error) {
	if len(args) != 1 || args[0] != "digdag" && args[0] != "airflow" {
		return fmt.Errorf("which engine, digdag or airflow? Not %q", args)
	}
	d, err := prepare(out, bin, month, args[0])
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(d.temp); err == nil {
			err = removeErr
		}
	}()
	var e engine = &digdag{demo: d}
	if args[0] == "airflow" {
		e = &airflow{demo: d}
	}
	return d.show(ctx, e)
}

// demo is what both engines need.
type demo struct {
	out     io.Writer
	bin     string // the built binaries
	project string // the job
	month   string
	results string // what is left for a look: the job's files, the tasks' logs
	temp    string // all else; removed in the end
}

func prepare(out io.Writer, bin, month, engine string) (demo, error) {
	d := demo{out: out, project: filepath.Join("examples", "etl"), month: month}
	var err error
	if d.bin, err = filepath.Abs(bin); err != nil {
		return d, err
	}
	for _, needed := range []string{filepath.Join(d.project, "etl.dig"), filepath.Join(d.bin, "outrider"), filepath.Join(d.bin, "outrider-checker"), filepath.Join(d.bin, "outrider-plugin-etl"), filepath.Join(d.bin, "outrider-plugin-script")} {
		if _, err := os.Stat(needed); err != nil {
			return d, fmt.Errorf("%w: run `make build`, and this in the repository's folder", err)
		}
	}
	d.results = filepath.Join(d.bin, "demo", engine)
	if err := os.RemoveAll(d.results); err != nil {
		return d, err
	}
	if err := os.MkdirAll(d.logs(), 0o755); err != nil {
		return d, err
	}
	// Sockets stand below it, and longer paths leave them no room.
	d.temp, err = os.MkdirTemp("", "od")
	return d, err
}

// short is path as a user in this folder would write it.
func short(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

func (d demo) logs() string { return filepath.Join(d.results, "logs") }

func (d demo) params() map[string]any { return map[string]any{"month": d.month, "work": d.results} }

func (d demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// env is the engine's environment: ours, with the built binaries first on PATH and
// a state folder of the demo's own.
func (d demo) env() []string {
	return append(os.Environ(), "PATH="+d.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "OUTRIDER_STATE="+filepath.Join(d.temp, "s"))
}
