package modes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/mattn/go-isatty"

	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// run is `PLUGIN run NAME`: one component, no host, no ledger.
func run(server *engine.Server, args []string, std Streams, program string, components []*engine.Component) int {
	code, err := runLocal(server, args, std, components)
	if err != nil {
		fmt.Fprintf(std.Err, "%s: %v\n", program, err)
	}
	return code
}

type request struct {
	component *engine.Component
	params    []byte
	level     string
}

func runLocal(server *engine.Server, args []string, std Streams, components []*engine.Component) (int, error) {
	req, err := parse(args, std, components)
	if err != nil {
		return exitUsage, err
	}
	about, err := req.component.Describe()
	if err != nil {
		return exitBroken, err
	}
	params, secrets, err := resolve(about.Params, req.params)
	if err != nil {
		return exitUsage, err
	}
	dir, err := os.MkdirTemp("", "outrider-run-")
	if err != nil {
		return exitFailed, fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.Remove(dir) // stays while it holds artifacts
	defer os.RemoveAll(filepath.Join(dir, "tmp"))

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := onSignal(cancel)
	defer stop()

	hide := redactor(secrets)
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: std.Err, TimeFormat: "15:04:05.000", TimeFn: time.Now})
	id := time.Now().UTC().Format("local-20060102T150405.000000")
	result, err := client.Local(ctx, func(s client.Server) error { return server.Local(s) }, &taskv1.Start{
		RunId: id, Component: req.component.Name, Params: params, Attempt: 1, Key: id,
		Caller: &taskv1.Caller{Engine: "none"}, TempDir: filepath.Join(dir, "tmp"),
		ArtifactDir: filepath.Join(dir, "artifacts"), LogLevel: req.level,
	}, client.Events{
		Log: func(l *taskv1.LogLine) { logLine(log, l, hide) },
		Progress: func(p *taskv1.Progress) {
			log.Info("progress", "done", p.GetDone(), "total", p.GetTotal(), "note", hide(p.GetNote()))
		},
		Artifact: func(a *taskv1.Artifact) error {
			log.Info("artifact", "path", filepath.Join(dir, "artifacts", a.GetName()), "bytes", a.GetSize())
			return nil
		},
	})
	if err != nil {
		return exitBroken, err
	}
	return finish(result, std, hide, context.Cause(ctx))
}

func parse(args []string, std Streams, components []*engine.Component) (request, error) {
	var req request
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("params", "", "")
	yes := flags.Bool("yes", false, "")
	flags.StringVar(&req.level, "log-level", "info", "")
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return req, errors.New("run needs the name of a component first")
	}
	for _, c := range components {
		if c.Name == args[0] {
			req.component = c
		}
	}
	if req.component == nil {
		return req, fmt.Errorf("this plugin serves no component %q", args[0])
	}
	if err := flags.Parse(args[1:]); err != nil {
		return req, err
	}
	if flags.NArg() > 0 {
		return req, fmt.Errorf("unexpected argument %q: parameters are given as a JSON file with --params", flags.Arg(0))
	}
	if req.component.Destructive && !*yes {
		if err := confirm(std, req.component.Name, *file == "-"); err != nil {
			return req, err
		}
	}
	var err error
	req.params, err = readParams(*file, std.In)
	return req, err
}

// confirm asks on a terminal whose input is still free; elsewhere the answer is
// no.
func confirm(std Streams, name string, inputTaken bool) error {
	in, ok := std.In.(*os.File)
	if inputTaken || !ok || !isatty.IsTerminal(in.Fd()) {
		return fmt.Errorf("%s cannot be undone: --yes is needed", name)
	}
	fmt.Fprintf(std.Err, "%s cannot be undone. Run it? [y/N] ", name)
	var answer string
	fmt.Fscanln(in, &answer)
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		return errors.New("not run")
	}
	return nil
}

func readParams(file string, in io.Reader) ([]byte, error) {
	switch file {
	case "":
		return []byte("{}"), nil
	case "-":
		raw, err := io.ReadAll(io.LimitReader(in, protocol.MaxParams+1))
		if err != nil {
			return nil, fmt.Errorf("reading the parameters: %w", err)
		}
		return checkSize(raw)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the parameters: %w", err)
	}
	return checkSize(raw)
}

func checkSize(raw []byte) ([]byte, error) {
	if len(raw) > protocol.MaxParams {
		return nil, fmt.Errorf("the parameters are more than %d bytes", protocol.MaxParams)
	}
	return bytes.TrimSpace(raw), nil
}

// onSignal cancels at the first signal and ends the process at the second.
func onSignal(cancel context.CancelCauseFunc) (stop func()) {
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s, ok := <-ch
		if !ok {
			return
		}
		cancel(signalled{s.(syscall.Signal)})
		signal.Stop(ch) // the next one kills
	}()
	return func() {
		signal.Stop(ch)
	}
}

type signalled struct{ syscall.Signal }

func (s signalled) Error() string { return "got signal " + s.Signal.String() }

func logLine(log hclog.Logger, l *taskv1.LogLine, hide func(string) string) {
	var fields map[string]any
	args := []any{}
	if json.Unmarshal(l.GetFields(), &fields) == nil {
		for k, v := range fields {
			if s, ok := v.(string); ok {
				v = hide(s)
			}
			args = append(args, k, v)
		}
	}
	log.Log(hclog.LevelFromString(l.GetLevel()), hide(l.GetMessage()), args...)
}

func finish(r *taskv1.Result, std Streams, hide func(string) string, cause error) (int, error) {
	switch r.GetKind() {
	case taskv1.Result_SUCCESS:
		if _, err := fmt.Fprintf(std.Out, "%s\n", r.GetOutput()); err != nil {
			return exitFailed, fmt.Errorf("writing the output: %w", err)
		}
		return exitOK, nil
	case taskv1.Result_SKIPPED:
		_, err := fmt.Fprintln(std.Out, "{}")
		return exitOK, errors.Join(errors.New("skipped: "+hide(r.GetError())), err)
	case taskv1.Result_CANCELLED:
		var s signalled
		if errors.As(cause, &s) {
			return 128 + int(s.Signal), errors.New(hide(r.GetError()))
		}
		return exitCancelled, errors.New(hide(r.GetError()))
	}
	text := hide(r.GetError())
	if r.GetCode() != "" {
		text = r.GetCode() + ": " + text
	}
	if r.GetStack() != "" {
		text += "\n" + hide(r.GetStack())
	}
	switch {
	case r.GetCode() == engine.CodeBadParams:
		return exitUsage, errors.New(text)
	case r.GetKind() == taskv1.Result_PERMANENT:
		return exitPermanent, errors.New(text)
	}
	return exitFailed, errors.New(text)
}
