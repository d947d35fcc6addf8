package cli

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// verb is a word of the host for what an engine runs. The engine's plugin does it: its
// component of that name takes the address, and the flags behind it.
type verb struct {
	name, usage, examples string
	// flags are the host's own besides those that every verb has.
	flags []cli.Flag
	// given are parameters of the component that the host needs for what it prints.
	given map[string]json.RawMessage
	// formats of what is printed, the first by default, and who prints it.
	formats []string
	print   func(a *app, format string, outputs json.RawMessage) error
	// hear takes the component's log lines instead of stderr, for which it is asked to
	// stream; may be nil.
	hear func(a *app) func(*taskv1.LogLine)
	// plan gets what the component is about to do, as its dry run tells, where the flag
	// before is given; both may be empty.
	before string
	plan   func(ctx context.Context, a *app, s target, c *cli.Context, outputs json.RawMessage) error
	// after is what a success leads to; may be nil.
	after func(a *app, outputs json.RawMessage) error
}

func (a *app) verbs() []*cli.Command {
	data := []string{"text", "json"}
	return []*cli.Command{
		a.verb(verb{
			name: "status", usage: "show how a workflow of an engine stands, task by task",
			examples: "  outrider status digdag:etl/daily\n" +
				"  outrider status --format timeline digdag:etl/daily@2026-01-02\n" +
				"  outrider status airflow:daily@latest",
			formats: []string{"text", "json", "timeline"}, print: (*app).printStatus,
		}),
		a.verb(verb{
			name: "start", usage: "start a workflow of an engine",
			examples: "  outrider start digdag:etl/daily\n" +
				"  outrider start digdag:etl/daily@2026-01-02 --wait",
			formats: data, print: (*app).printOutputs,
		}),
		a.verb(verb{
			name: "wait", usage: "wait for a run or a task of an engine, and fail when it failed",
			examples: "  outrider wait digdag:etl/daily@today+load\n" +
				"  outrider wait digdag:etl/daily --since 03:00 --grace 30m",
			formats: data, print: (*app).printOutputs,
		}),
		a.verb(verb{
			name: "retry", usage: "retry what failed in an engine",
			examples: "  outrider retry digdag:etl/daily\n" +
				"  outrider retry 'digdag:etl_*' --state failed --since 02:00 --at-most 4 --dry-run\n" +
				"  outrider retry --forget digdag:etl/daily",
			flags:   []cli.Flag{&cli.BoolFlag{Name: "forget", Usage: "forget the once-keys of the tasks that run again", DisableDefaultText: true}},
			formats: data, print: (*app).printOutputs, before: "forget", plan: forgetPlanned, after: failedRetries,
			// A failure would have no outputs, and nobody would learn what was retried.
			given: map[string]json.RawMessage{"partial": json.RawMessage("true")},
		}),
		a.verb(verb{
			name: "kill", usage: "kill a run of an engine",
			examples: "  outrider kill digdag:etl/daily\n" +
				"  outrider kill --yes airflow:daily@manual__2026-01-02",
			flags: []cli.Flag{yesFlag()}, formats: data, print: (*app).printOutputs,
		}),
		a.verb(verb{
			name: "logs", usage: "print what a task of an engine said",
			examples: "  outrider logs digdag:etl/daily+load\n" +
				"  outrider logs digdag:etl/daily --follow",
			formats: data, print: (*app).printUnlessHeard, hear: (*app).printLines,
		}),
	}
}

func (a *app) verb(v verb) *cli.Command {
	flags := append(v.flags, term.FormatFlag(v.formats...))
	flags = append(flags, setupFlags()...)
	return &cli.Command{
		Name: v.name, Usage: v.usage, ArgsUsage: "ADDRESS [flags of the component]",
		Description: v.examples + "\n\n" +
			"An address is SOURCE:PROJECT/WORKFLOW[@SESSION][+TASK] of a Digdag, SOURCE:DAG[@RUN][/TASK]\n" +
			"of an Airflow. SOURCE is a name under sources: in outrider.yml, or digdag or airflow with\n" +
			"OUTRIDER_DIGDAG_ENDPOINT or OUTRIDER_AIRFLOW_ENDPOINT set. More flags, and what they mean:\n" +
			"outrider " + v.name + " ADDRESS --help. Nothing of it is recorded.",
		Flags: flags, OnUsageError: term.OnUsage,
		Action: func(c *cli.Context) error { return a.doVerb(c, v) },
	}
}

func (a *app) doVerb(c *cli.Context, v verb) error {
	front, behind, err := ownFlags(c.Command.Flags, c.Args().Tail())
	if err != nil {
		return err
	}
	for name, value := range front {
		if err := c.Set(name, value); err != nil {
			return term.Usage("--%s %q: %w", name, value, err)
		}
	}
	format, err := term.Format(c, v.formats...)
	if err != nil {
		return err
	}
	heard := v.hear != nil && format == v.formats[0]
	given := maps.Clone(v.given)
	if heard {
		given = map[string]json.RawMessage{"stream": json.RawMessage("true")}
	}
	s, err := a.target(c, v.name, given)
	if err != nil {
		return err
	}
	e := detect(anyone())
	ctx, kill, end, err := begin(c.Context, e, orphan{policy: orphanStop, joins: new(atomic.Bool)})
	if err != nil {
		return err
	}
	defer end()
	do := func(more ...string) (o run.Outcome, done bool, err error) {
		p, err := a.prepare(ctx, runRequest{
			name: s.component, args: append(slices.Clone(behind), more...), given: s.params, givenBy: s.by, yes: c.Bool("yes"), engine: e, setup: parseSetup(c),
		})
		if err != nil || p == nil {
			return o, false, stopped(ctx, err)
		}
		t := newTalk(a.Err, v.name, "text", hclog.Info)
		t.redact = p.redact
		l := &unrecorded{talk: t}
		if heard {
			l.hear = v.hear(a)
		}
		if o, err = a.call(ctx, kill, e, p, l); err != nil {
			return o, false, err
		}
		return a.judged(v, s, o, t)
	}
	if v.before != "" && c.Bool(v.before) && !slices.Contains(behind, dryRun) {
		o, done, err := do(dryRun)
		if err != nil || !done {
			return err
		}
		if err := v.plan(ctx, a, s, c, o.Output); err != nil {
			return err
		}
	}
	o, done, err := do()
	if err != nil || !done {
		return err
	}
	if err := v.print(a, format, o.Output); err != nil || v.after == nil {
		return err
	}
	return v.after(a, o.Output)
}

// dryRun is the flag of a component that changes something.
const dryRun = "--dry-run"

// judged is an outcome without secrets; its failure is told.
func (a *app) judged(v verb, s target, o run.Outcome, t *talk) (_ run.Outcome, done bool, err error) {
	if o.State == run.Success {
		o.Output = t.redact.JSON(o.Output)
		return o, true, nil
	}
	if o.Stack != "" {
		a.say("%s", strings.TrimRight(t.redact.String(o.Stack), "\n"))
	}
	o.Message = t.redact.String(o.Message)
	a.say("%s %s: %s", v.name, s.address, o.Line())
	return o, false, &term.Exit{Code: o.Exit(0)}
}

// ownFlags takes the host's flags out of what stands behind the address, where people
// put them too; the rest is the component's. --help is the component's as well.
func ownFlags(flags []cli.Flag, args []string) (own map[string]string, rest []string, err error) {
	own = map[string]string{}
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		f := flagNamed(flags, name)
		if !strings.HasPrefix(args[i], "-") || f == nil || name == "help" || name == "h" {
			rest = append(rest, args[i])
			continue
		}
		if _, isBool := f.(*cli.BoolFlag); isBool && !given {
			value, given = "true", true
		}
		if !given {
			if i++; i == len(args) {
				return nil, nil, term.Usage("--%s: its value is missing", name)
			}
			value = args[i]
		}
		own[name] = value
	}
	return own, rest, nil
}

func flagNamed(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				return f
			}
		}
	}
	return nil
}

// unrecorded hears a component that is called without a record.
type unrecorded struct {
	talk     *talk
	hear     func(*taskv1.LogLine) // may be nil
	progress progress
}

func (l *unrecorded) Log(line *taskv1.LogLine) {
	if l.hear != nil && line.GetSource() != "host" {
		l.hear(line)
		return
	}
	l.talk.line(line)
}

func (l *unrecorded) Progress(done, total float64, note string) {
	if text := l.progress.line(time.Now(), done, total, note); text != "" {
		l.talk.say(hclog.Info, "%s", text)
	}
}

func (l *unrecorded) Alive() {}

func (l *unrecorded) Checkpoint(context.Context, []byte) error { return nil }

func (l *unrecorded) Artifact(context.Context, *taskv1.Artifact) error { return nil }

func (l *unrecorded) Open(context.Context, string, string) (string, error) {
	return "", term.Usage("a call that is not recorded has no artifacts of others")
}
