package cli

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/hashicorp/go-hclog"
	"github.com/oklog/ulid/v2"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// runRequest is what the host's flags of `outrider run` ask for.
type runRequest struct {
	name   string
	args   []string
	params string
	sets   []string
	spec   run.Spec
	output string
	format string
	level  hclog.Level
	dryRun bool
	yes    bool
	skip   int
	engine engine.Engine
	orphan orphan
	setup  setup
	claiming
	// Of a rerun: the first run, its key, params and who gave them, and a checkpoint.
	rerunOf, key, givenBy string
	given, restore        json.RawMessage
	// templated: an engine's templates have made the given params.
	templated bool
	// judge, when set, has the last word on an outcome before it is recorded.
	judge func(run.Outcome) run.Outcome
}

func (a *app) run() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run a component",
		ArgsUsage: "COMPONENT [component flags]",
		Description: "The host's flags stand before the component's name, the component's behind it:\n\n" +
			"  outrider run --timeout 5m hello.greet --name you\n" +
			"  outrider run hello.greet --help\n" +
			"  echo '{\"name\": \"you\"}' | outrider run --params - hello.greet\n\n" +
			"Parameters come from, later ones winning: the schema's defaults, --params, --set, the\n" +
			"component's flags. stdout is one line, the outputs as JSON; all else goes to stderr.\n\n" +
			"Exit codes: 0 done; 1 failed, a retry may help; 2 usage or bad parameters; 3 failed for\n" +
			"good; 5 the plugin broke; 75 a claim was busy for too long; 124 timed out; 125 the host\n" +
			"failed; 128+n after signal n." + claimExamples,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "params", Usage: "read parameters from `FILE` (JSON or YAML; - is stdin)"},
			&cli.StringSliceFlag{Name: "set", Usage: "set one parameter, `PATH=VALUE`, e.g. --set a.b=1 (again for more)"},
			&cli.StringFlag{Name: "output", Usage: "write the outputs to `FILE` too, whole or not at all"},
			&cli.BoolFlag{Name: "dry-run", Usage: "show the resolved parameters and where each came from; run nothing", DisableDefaultText: true},
			&cli.IntFlag{Name: "skip-code", Usage: "exit with `N` when the component skips", DefaultText: "99 under Airflow, else 0"},
		}, componentFlags()...),
		OnUsageError: term.OnUsage,
		Action: func(c *cli.Context) error {
			r, err := parseRun(c, anyone())
			if err != nil {
				return err
			}
			if r.name == "" {
				return term.Usage("which component? see outrider components, and outrider run --help")
			}
			return a.doRun(c.Context, r, a.deliver)
		},
	}
}

// componentFlags are those of every command that runs a component.
func componentFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.DurationFlag{Name: "timeout", Usage: "end the run after `T`, retries included"},
		&cli.DurationFlag{Name: "idle-timeout", Usage: "end an attempt that sends no message for `T`"},
		&cli.IntFlag{Name: "retries", Usage: "make up to `N` more attempts when a retry may help"},
		&cli.StringFlag{Name: "backoff", Usage: "wait `FIRST..LONGEST` before retries, doubling", Value: "1s..5m"},
		&cli.StringFlag{Name: "log-format", Usage: "`text` or json; json ends with the outcome", Value: "text"},
		&cli.StringFlag{Name: "log-level", Usage: "`LEVEL` of what is shown: trace, debug, info, warn, error", Value: "info"},
		&cli.BoolFlag{Name: "yes", Usage: "run a destructive component without asking", DisableDefaultText: true},
	}, slices.Concat(claimFlags(), engineFlags(), setupFlags())...)
}

func parseRun(c *cli.Context, from caller) (runRequest, error) {
	r := runRequest{
		name: c.Args().First(), args: c.Args().Tail(),
		params: c.String("params"), sets: c.StringSlice("set"), output: c.String("output"),
		dryRun: c.Bool("dry-run"), yes: c.Bool("yes"), skip: c.Int("skip-code"),
		setup: parseSetup(c),
	}
	r.spec = run.Spec{Timeout: c.Duration("timeout"), IdleTimeout: c.Duration("idle-timeout"), Retries: c.Int("retries")}
	if r.spec.Timeout < 0 || r.spec.IdleTimeout < 0 || r.spec.Retries < 0 {
		return r, term.Usage("--timeout, --idle-timeout and --retries cannot be negative")
	}
	var err error
	if r.engine, r.orphan, err = parseEngine(c, from); err != nil {
		return r, err
	}
	if r.claiming, err = parseClaims(c, r.engine); err != nil {
		return r, err
	}
	if !c.IsSet("skip-code") {
		r.skip = r.engine.SkipCode()
	}
	if r.skip < 0 || r.skip > 255 {
		return r, term.Usage("--skip-code %d: want 0 to 255", r.skip)
	}
	if r.spec.Backoff, err = run.ParseBackoff(c.String("backoff")); err != nil {
		return r, term.Usage("--%w", err)
	}
	if r.format = c.String("log-format"); r.format != "text" && r.format != "json" {
		return r, term.Usage("--log-format %q: want text or json", r.format)
	}
	if r.level = hclog.LevelFromString(c.String("log-level")); r.level == hclog.NoLevel {
		return r, term.Usage("--log-level %q: want trace, debug, info, warn or error", c.String("log-level"))
	}
	return r, nil
}

// doRun runs, and then has the outcome delivered.
func (a *app) doRun(ctx context.Context, r runRequest, deliver func(string, runRequest, run.Outcome, *talk, time.Duration) error) error {
	began := time.Now()
	ctx, kill, end, err := begin(ctx, r.engine, r.orphan)
	if err != nil {
		return err
	}
	defer end()
	id := ulid.Make().String()
	t := newTalk(a.Err, r.name, r.format, r.level)
	take := placeSoon(ctx, id)
	p, err := a.prepare(ctx, r)
	if err != nil || p == nil {
		if at, err := take(func(hclog.Level, string, ...any) {}); err == nil {
			at.Leave()
		}
		return stopped(ctx, err)
	}
	t.redact = p.redact
	at, err := take(t.say)
	if err != nil {
		return err
	}
	ctx, unfollow := follow(ctx, r.engine, p.opened.config.Sources, func(format string, args ...any) { t.say(hclog.Warn, format, args...) })
	defer unfollow()
	o, tidy, err := a.execute(ctx, kill, id, r, p, at, t)
	defer tidy()
	if err != nil {
		return err
	}
	return deliver(id, r, o, t, time.Since(began))
}

// deliver writes the outcome, then the outputs: stdout's one line is the last
// thing that a run writes.
func (a *app) deliver(id string, r runRequest, o run.Outcome, t *talk, took time.Duration) error {
	written := false
	if o.State == run.Success && r.output != "" {
		if err := writeWhole(r.output, append(o.Output, '\n')); err != nil {
			o = undelivered(o, "write --output: "+err.Error())
		}
		written = o.State == run.Success
	}
	t.outcome(id, o, took)
	line := o.Output
	if o.State == run.Skipped {
		line = json.RawMessage("{}")
	}
	if line == nil {
		return &term.Exit{Code: o.Exit(r.skip)}
	}
	if _, err := a.Out.Write(append(line, '\n')); err != nil && !written {
		o = undelivered(o, "write the outputs to stdout: "+err.Error())
		t.outcome(id, o, took)
	}
	if code := o.Exit(r.skip); code != 0 {
		return &term.Exit{Code: code}
	}
	return nil
}

// undelivered is the outcome of a run whose work is done and whose outputs did
// not reach the caller.
func undelivered(o run.Outcome, why string) run.Outcome {
	o.State, o.Code = run.Failed, run.CodeUndelivered
	o.Message = "the task succeeded, but its outputs were not delivered: " + why
	return o
}
