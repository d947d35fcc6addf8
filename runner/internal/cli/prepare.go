package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/mattn/go-isatty"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/params"
	"github.com/outrider-run/outrider/runner/internal/redact"
	"github.com/outrider-run/outrider/sdk/protocol"
)

// prepared is a run whose every input is found and checked.
type prepared struct {
	entry  catalog.Entry
	opened *opened
	// params are for the plugin's eyes: secrets are replaced by their values.
	params json.RawMessage
	// recorded are for the ledger's: secrets are references.
	recorded json.RawMessage
	redact   *redact.Redactor
}

// find looks a component up; the error of a miss names what is near.
func (o *opened) find(ctx context.Context, name string) (catalog.Entry, error) {
	e, err := o.catalog.Find(ctx, name)
	var miss *catalog.NotFound
	var locked *catalog.Difference
	switch {
	case errors.As(err, &locked):
		return e, o.differs(err)
	case errors.As(err, &miss):
		for _, p := range miss.Problems {
			if errors.As(p.Err, &locked) {
				return e, o.differs(err)
			}
		}
		return e, term.Usage("%w", err)
	case err != nil:
		return e, broken(err)
	}
	return e, nil
}

// prepare checks everything that can be checked before a plugin starts. It
// returns nil without an error when there is nothing to run.
func (a *app) prepare(ctx context.Context, r runRequest) (*prepared, error) {
	o, err := a.open(r.setup)
	if err != nil {
		return nil, err
	}
	e, err := o.find(ctx, r.name)
	if err != nil {
		return nil, err
	}
	schema := e.Component.Params
	flags, help, err := params.ParseArgs(schema, r.args)
	if help {
		return nil, a.componentHelp(e)
	}
	if err != nil {
		return nil, badParams(err, r.name)
	}
	file, err := a.readParams(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.given != nil {
		file, r.params = r.given, r.givenBy
	}
	resolved, err := params.Merge(schema, params.Sources{File: file, FileName: r.params, Templated: r.templated, Sets: r.sets, Flags: flags})
	if err != nil {
		return nil, badParams(err, r.name)
	}
	if err := o.refused(e); err != nil {
		return nil, err
	}
	if r.dryRun {
		return nil, a.dryRun(r.name, resolved)
	}
	if err := a.confirm(e, r.yes); err != nil {
		return nil, err
	}
	p := &prepared{entry: e, opened: o, recorded: resolved.Redacted()}
	values, secrets, err := resolved.WithSecrets(ctx, params.Lookup{Env: os.LookupEnv})
	if err != nil {
		return nil, badParams(err, r.name)
	}
	p.params, p.redact = values, redact.New(secrets)
	return p, nil
}

// badParams gives a caller's mistake exit 2 and a schema's mistake exit 5.
func badParams(err error, name string) error {
	var p *params.Problems
	if errors.As(err, &p) {
		return term.Usage("%s: %w\nsee outrider run %s --help", name, err, name)
	}
	return broken(fmt.Errorf("%s: the component's parameter schema is no good: %w", name, err))
}

// stdinPatience is how long --params - waits under an engine, whose stdin is often
// a pipe that never ends.
const stdinPatience = 10 * time.Second

// readParams reads the file of --params; nil without one.
func (a *app) readParams(ctx context.Context, r runRequest) ([]byte, error) {
	file := r.params
	if file == "" {
		return nil, nil
	}
	if file == "-" && r.engine.Name != engine.None {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, stdinPatience,
			fmt.Errorf("stdin did not end within %s; under %s give a file or use --set", stdinPatience, r.engine.Name))
		defer cancel()
	}
	in := a.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, term.Usage("--params: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := params.ReadAll(ctx, in, protocol.MaxParams)
	if err != nil {
		return nil, term.Usage("--params %s: %w", file, err)
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}

// dryRun prints the parameters, which --params takes again, and where each value
// came from.
func (a *app) dryRun(name string, r params.Resolved) error {
	for _, o := range r.Origins() {
		fmt.Fprintf(a.Err, "%s = %s (from %s)\n", o.Path, o.Value, o.From)
	}
	fmt.Fprintf(a.Err, "outrider: %s was not run (--dry-run)\n", name)
	_, err := fmt.Fprintf(a.Out, "%s\n", r.Redacted())
	return term.Undeliverable(err)
}

// confirm asks before a destructive component runs.
func (a *app) confirm(e catalog.Entry, yes bool) error {
	if !e.Component.Destructive || yes {
		return nil
	}
	if !isatty.IsTerminal(a.In.Fd()) {
		return term.Usage("%s is destructive: say --yes before its name to run it", e.Component.Name)
	}
	if a.agreed(e.Component.Name + " is destructive: " + firstLine(e.Component.Doc) + "\nRun it?") {
		return nil
	}
	return term.Usage("%s was not run", e.Component.Name)
}

// componentHelp is `outrider run COMPONENT --help`.
func (a *app) componentHelp(e catalog.Entry) error {
	name := e.Component.Name
	fmt.Fprintf(a.Out, "%s: %s\n\nUsage: outrider run [host flags] %s [component flags]\n\n", name, strings.TrimSpace(e.Component.Doc), name)
	specs, err := params.FlagsOf(e.Component.Params)
	if err != nil {
		return broken(err)
	}
	rows := make([][]string, len(specs))
	for i, s := range specs {
		def := s.Default
		if s.Required {
			def = "(required)"
		}
		rows[i] = []string{"--" + s.Flag, s.Type, def, what(s)}
	}
	if len(rows) > 0 {
		if err := term.Table(a.Out, []string{"FLAG", "TYPE", "DEFAULT", "WHAT IT IS"}, rows); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(a.Out, "\nThe host's flags: outrider run --help. More on the component: outrider describe %s\n", name)
	return term.Undeliverable(err)
}
