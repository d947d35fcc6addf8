// Package double puts the pieces of the double together to one program: the
// command line of a Digdag server, its settings, the listener and the signals.
package double

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/api"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// exitOnTerm is what a JVM exits with on SIGTERM.
const exitOnTerm = 143

// Main runs the double as `digdag-double server -o DIR -n PORT -b HOST -c FILE
// -O DIR` and gives its exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	code, err := run(args, stdin, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "digdag-double:", err)
		return max(code, 1)
	}
	return code
}

// options are those of `digdag server` that tests need.
type options struct {
	database, host, config, logs string
	port                         int
	lifeline                     bool
}

func parse(args []string) (options, error) {
	var o options
	if len(args) == 0 || args[0] != "server" {
		return o, errors.New("usage: digdag-double server -o DIR [-n PORT] [-b HOST] [-c FILE] [-O DIR]")
	}
	f := flag.NewFlagSet("digdag-double server", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.database, "o", "", "keep the state here")
	f.IntVar(&o.port, "n", 65432, "port, 0 for any")
	f.StringVar(&o.host, "b", "127.0.0.1", "address")
	f.StringVar(&o.config, "c", "", "settings, as key=value lines")
	f.StringVar(&o.logs, "O", "", "keep task logs here")
	f.BoolVar(&o.lifeline, "lifeline", false, "die with everything when stdin ends")
	if err := f.Parse(args[1:]); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.database == "" {
		return o, fmt.Errorf("-o DIR is needed, and nothing beside options: %q", f.Args())
	}
	return o, nil
}

func run(args []string, stdin io.Reader, stdout io.Writer) (int, error) {
	o, err := parse(args)
	if err != nil {
		return 2, err
	}
	text := []byte(nil)
	if o.config != "" {
		if text, err = os.ReadFile(o.config); err != nil {
			return 1, err
		}
	}
	set, err := readSettings(text)
	if err != nil {
		return 1, err
	}
	if set.engine.TempDir == "" {
		if set.engine.TempDir, err = os.MkdirTemp("", "digdag-tempdir"); err != nil {
			return 1, err
		}
	}
	set.engine.LogDir, set.engine.Output = o.logs, stdout
	if err := os.MkdirAll(o.database, 0o700); err != nil {
		return 1, err
	}
	store, err := state.Open(o.database)
	if err != nil {
		return 1, err
	}
	defer store.Close()
	if o.lifeline {
		go dieWith(stdin)
	}
	return serve(o, set, store)
}

// dieWith ends this process and its whole group once stdin does: whoever
// started us is gone. Only for a process that leads its group.
func dieWith(stdin io.Reader) {
	_, _ = io.Copy(io.Discard, stdin)
	_ = syscall.Kill(0, syscall.SIGKILL)
}

func serve(o options, set settings, store *state.Store) (int, error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	listener, err := net.Listen("tcp", net.JoinHostPort(o.host, strconv.Itoa(o.port)))
	if err != nil {
		return 1, err
	}
	e, err := engine.New(store, set.engine)
	if err != nil {
		return 1, err
	}
	server := &http.Server{Handler: api.Handler(store, e, set.api), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if err := writeRuntimeInfo(set.runtimeInfo, listener.Addr()); err != nil {
		return 1, err
	}
	select {
	case err := <-served:
		return 1, err
	case <-signals:
		// The API answers on until the last task is through.
		e.Drain(context.Background())
		return exitOnTerm, server.Close()
	}
}

// writeRuntimeInfo tells where we listen, as a whole or not at all.
func writeRuntimeInfo(path string, addr net.Addr) error {
	if path == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{
		"local_addresses": []any{map[string]any{"host": host, "port": n}}, "local_admin_addresses": []any{},
	})
	if err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(path), ".runtime-info")
	if err := os.WriteFile(temp, info, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
