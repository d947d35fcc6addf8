package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/hashicorp/go-hclog"
	"github.com/mattn/go-isatty"
	"github.com/oklog/ulid/v2"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/redact"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
)

// execRequest is what the flags of `outrider exec` and `sh` ask for.
type execRequest struct {
	argv     []string
	spec     run.Spec
	engine   engine.Engine
	orphan   orphan
	outcomes map[int]run.Outcome
	skip     int
	verbose  bool
	name     string
	config   config.Config
	claiming
	rerunOf, key string // of a rerun
}

func (a *app) exec() *cli.Command {
	return &cli.Command{
		Name:      "exec",
		Usage:     "run any command under a timeout, with all it started ended with it",
		ArgsUsage: "-- CMD [ARGS]",
		Description: "  outrider exec --timeout 1h -- ./load.sh --day today\n" +
			"  outrider exec --exit-codes 3=permanent,99=skip -- ./load.sh\n\n" +
			"stdin, stdout and stderr pass through. The exit code is the command's own, but 124 for a\n" +
			"timeout, 125 when the host failed, 126 and 127 when the command could not be run, and never\n" +
			"0 after a signal; --exit-codes, or exit_codes: {3: permanent} in outrider.yml, change what a\n" +
			"code stands for (permanent is 3). OUTRIDER_TMPDIR is a folder that is removed at the end." + claimExamples,
		Flags:        execFlags(),
		OnUsageError: term.OnUsage,
		Action: func(c *cli.Context) error {
			r, err := parseExec(c, anyone())
			if err != nil {
				return err
			}
			if r.argv = c.Args().Slice(); len(r.argv) == 0 {
				return term.Usage("which command? outrider exec [flags] -- CMD [ARGS]")
			}
			return a.doExec(c.Context, r)
		},
	}
}

func execFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.DurationFlag{Name: "timeout", Usage: "end the command after `T`"},
		&cli.DurationFlag{Name: "idle-timeout", Usage: "end the command when it prints nothing for `T`"},
		&cli.StringFlag{Name: "exit-codes", Usage: "`CODE=MEANING,…`; MEANING is success, skip, fail, retry or permanent"},
		configFlag(),
		&cli.BoolFlag{Name: "v", Usage: "say how it ended", DisableDefaultText: true},
		&cli.StringFlag{Name: "name", Usage: "record the command as `NAME`", DefaultText: "exec or sh"},
	}, slices.Concat(claimFlags(), engineFlags())...)
}

func parseExec(c *cli.Context, from caller) (execRequest, error) {
	r := execRequest{verbose: c.Bool("v"), name: cmp.Or(c.String("name"), c.Command.Name)}
	r.spec = run.Spec{Timeout: c.Duration("timeout"), IdleTimeout: c.Duration("idle-timeout")}
	if r.spec.Timeout < 0 || r.spec.IdleTimeout < 0 {
		return r, term.Usage("--timeout and --idle-timeout cannot be negative")
	}
	var err error
	if r.engine, r.orphan, err = parseEngine(c, from); err != nil {
		return r, err
	}
	r.skip = r.engine.SkipCode()
	if r.claiming, err = parseClaims(c, r.engine); err != nil {
		return r, err
	}
	if r.config, err = config.Load(c.String("config"), os.Getenv); err != nil {
		return r, &term.Exit{Code: term.Misused, Err: err}
	}
	r.outcomes, err = exitCodes(c.String("exit-codes"), r.config)
	return r, err
}

// exitCodes are the meanings of exit codes: those of the config, over which a
// flag such as 3=permanent,99=skip wins code by code.
func exitCodes(flag string, cfg config.Config) (map[int]run.Outcome, error) {
	outcomes := map[int]run.Outcome{}
	for code, m := range cfg.ExitCodes {
		outcomes[int(code)] = outcome(m)
	}
	if flag == "" {
		return outcomes, nil
	}
	for pair := range strings.SplitSeq(flag, ",") {
		left, right, _ := strings.Cut(pair, "=")
		var code config.ExitCode
		var m config.Meaning
		if err := cmp.Or(code.UnmarshalText([]byte(strings.TrimSpace(left))), m.UnmarshalText([]byte(strings.TrimSpace(right)))); err != nil {
			return nil, term.Usage("--exit-codes %q: %w", pair, err)
		}
		outcomes[int(code)] = outcome(m)
	}
	return outcomes, nil
}

func outcome(m config.Meaning) run.Outcome {
	switch m {
	case config.Success:
		return run.Outcome{State: run.Success}
	case config.Skip:
		return run.Outcome{State: run.Skipped}
	}
	return run.Outcome{State: run.Failed, Permanent: m == config.Permanent}
}

func (a *app) doExec(ctx context.Context, r execRequest) error {
	began := time.Now()
	ctx, kill, end, err := begin(ctx, r.engine, r.orphan)
	if err != nil {
		return err
	}
	defer end()
	ctx, unfollow := follow(ctx, r.engine, r.config.Sources, a.say)
	defer unfollow()
	id := ulid.Make().String()
	at, err := newPlace(ctx, id, a.warn)
	if err != nil {
		return err
	}
	rec := a.commandRecorder(id, r, at.State)
	x, err := a.command(r, id, at.RunDir, kill)
	if err != nil {
		at.Leave()
		return host(err)
	}
	if err := rec.record(ctx, r.engine, at.Live); err != nil {
		at.Leave()
		return err
	}
	x.Log, x.Started, x.Gate = rec.log, rec.start, rec.granted
	if r.engine.OwnsOutput() {
		x.Outlives = func() bool { return r.orphan.finishes(r.engine) }
	}
	o, err := rec.through(ctx, func(ctx context.Context) run.Outcome {
		return run.Do(ctx, r.spec, x, silent{}, func(run.Outcome, time.Duration) {})
	}, redact.New(nil))
	at.Leave()
	defer rec.close(ctx)
	if err != nil {
		return err
	}
	a.sayEnd(r, o, time.Since(began))
	if code := o.CommandExit(r.skip); code != 0 {
		return &term.Exit{Code: code}
	}
	return nil
}

func (a *app) commandRecorder(id string, r execRequest, d state.Dir) *recorder {
	rec := &recorder{
		ask: r.claiming, config: r.config, dir: d, budget: r.engine.StopBudget(), skip: r.skip, joins: r.orphan.joins, say: a.say,
	}
	rec.req.Run = ledger.Run{ID: id, RerunOf: r.rerunOf, Key: r.key, Component: r.name, Command: true, Params: argvParams(r.argv, r.engine.Identity.Delivery)}
	return rec
}

// argvParams is a command as the ledger compares it. The random part of Digdag's
// runner script is another in each delivery of the same task.
func argvParams(argv []string, delivery string) json.RawMessage {
	same := slices.Clone(argv)
	if delivery != "" {
		for i := range same {
			same[i] = strings.ReplaceAll(same[i], "-"+delivery+"/", "/")
		}
	}
	text, err := json.Marshal(map[string]any{"argv": same})
	if err != nil { // strings always can
		return json.RawMessage("{}")
	}
	return text
}

// sayEnd is silent about what the command itself decided: under `sh` not a byte
// may differ from the shell alone. It does not wait long for a reader that hangs:
// a run that was stopped has to end.
func (a *app) sayEnd(r execRequest, o run.Outcome, took time.Duration) {
	hosts := o.State == run.TimedOut || o.State == run.Cancelled || o.Code == "host" || o.Code == run.CodeBusy || o.Code == run.CodeLeaseLost
	if !r.verbose && !hosts {
		return
	}
	said := make(chan struct{})
	go func() {
		a.say("%s: %s after %s", filepath.Base(r.argv[0]), o.Line(), took.Round(time.Millisecond))
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(sayTime):
	}
}

const sayTime = 300 * time.Millisecond

func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.Err, "outrider: "+format+"\n", args...)
}

// warn says what is of the host's own, from a warning on: a command's stderr is its
// own.
func (a *app) warn(level hclog.Level, format string, args ...any) {
	if level >= hclog.Warn {
		a.say(format, args...)
	}
}

func (a *app) command(r execRequest, id string, dir *state.RunDir, kill <-chan struct{}) (*run.Command, error) {
	guard, err := guardPath()
	if err != nil {
		return nil, err
	}
	terminal := isatty.IsTerminal(a.In.Fd())
	return &run.Command{
		Guard: guard,
		Argv:  r.argv,
		Env:   append(childEnviron(), "OUTRIDER_TMPDIR="+dir.Path, "OUTRIDER_RUN="+ancestors(id)),
		Dir:   dir.Path, Live: dir.Live,
		Stdin: a.In, Stdout: a.Out, Stderr: a.Err,
		Inherit:    isatty.IsTerminal(a.Out.Fd()) && r.spec.IdleTimeout == 0,
		Foreground: terminal,
		Stop:       r.engine.StopBudget() - time.Second,
		Kill:       kill,
		Say:        a.say,
		Outcomes:   r.outcomes,
	}, nil
}

// childEnviron is the host's own, but for what was meant for this run alone.
func childEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "OUTRIDER_FORCE=") })
}

// guardPath finds outrider-guard beside this program, else on PATH.
func guardPath() (string, error) {
	const name = "outrider-guard"
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(exe), name)
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	return "", fmt.Errorf("there is no %s and none on PATH; it belongs beside outrider", beside)
}

// ancestors are the ids of the runs above this one, and its own.
func ancestors(id string) string {
	if above := os.Getenv("OUTRIDER_RUN"); above != "" {
		return above + "," + id
	}
	return id
}

// silent is the listener of a command, which sends no messages.
type silent struct{ run.Listener }

func (silent) Alive() {}
