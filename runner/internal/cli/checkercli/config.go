package checkercli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver"
	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/invoke"
	"github.com/outrider-run/outrider/runner/internal/params"
)

func (a *app) config() *cli.Command {
	return term.Group(program, "config", "look at outrider.yml: check, schema",
		"  outrider-checker config check\n  outrider-checker config schema > outrider.schema.json",
		a.configCheck(), a.configSchema())
}

func (a *app) configCheck() *cli.Command {
	return command(cli.Command{
		Name: "check", Usage: "read the config as a pass does, and say what is wrong", ArgsUsage: "[FILE]",
		Description: "  outrider-checker config check\n  outrider-checker config check outrider.yml\n\n" +
			"Components are looked up, each receiver's parameters are made for a sample message, and references to\n" +
			"secrets are followed. Nobody is asked or told. Exit codes: 0 it is right, 3 it is not.",
		Flags: []cli.Flag{pluginDirFlag(), configFlag()},
		Action: func(c *cli.Context) error {
			got, err := term.Args(c, 0, 1, "the file")
			if err != nil {
				return err
			}
			file := text(c, "config")
			if len(got) > 0 {
				file = got[0]
			}
			cfg, err := config.Load(file, os.Getenv)
			if err != nil {
				return term.Usage("%w", err)
			}
			s, err := settings.Load(cfg)
			if err != nil {
				return term.Usage("%w", err)
			}
			if err := checkParts(c.Context, cfg, s, texts(c, "plugin-dir")); err != nil {
				return term.Usage("%w", err)
			}
			if cfg.File == "" {
				a.say("there is no config: the built-in rules hold")
				return nil
			}
			_, err = fmt.Fprintf(a.Out, "%s: ok: %d sources, %d rules of its own, %d receivers, %d actions\n", cfg.File, len(s.Sources), len(s.Own), len(s.Receivers), len(s.Actions))
			return term.Undeliverable(err)
		},
	})
}

// finder looks components up; *catalog.Catalog is one.
type finder interface {
	Find(ctx context.Context, name string) (catalog.Entry, error)
}

// checkParts holds settings against what there is on this machine: components, what they
// take, and what references lead to. The error tells all that is wrong.
func checkParts(ctx context.Context, cfg config.Config, s settings.Settings, pluginDirs []string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	setup := invoke.NewSetup(cfg, pluginDirs, "", exe, os.Getenv)
	if setup.Options.Lock, err = invoke.ReadLock(setup.LockPath); err != nil {
		return err
	}
	components := catalog.Open(setup.Options)
	var wrong []error
	note := func(at string, err error) {
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %s: %w", cfg.File, at, err))
		}
	}
	_, err = secret(s.Ping)
	note("ping", err)
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		if one := s.Sources[name]; !one.Off && one.Engine != source.Engine {
			note("sources."+name, checkCall(ctx, components, one.Engine+".observe", one.Params))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Receivers)) {
		if r := s.Receivers[name]; r.Component != "" {
			note("receivers."+name, checkReceiver(ctx, components, deliver.Receiver(r)))
		}
	}
	for _, one := range s.Actions {
		for _, step := range one.Do { // its parameters are known with the alert alone
			_, err := components.Find(ctx, step.Component)
			note("actions."+one.Name, err)
		}
	}
	return errors.Join(wrong...)
}

// checkReceiver makes the parameters of a receiver for a sample message.
func checkReceiver(ctx context.Context, components finder, r deliver.Receiver) error {
	raw, problem, err := deliver.Render(r, deliver.Sample(), nil)
	if err != nil {
		return err
	}
	if problem != "" { // by what the sample lacks; what no message has is refused with the settings
		_, err = components.Find(ctx, r.Component)
		return err
	}
	return checkCall(ctx, components, r.Component, raw)
}

// checkCall says why a component could not be called with parameters.
func checkCall(ctx context.Context, components finder, name string, raw json.RawMessage) error {
	e, err := components.Find(ctx, name)
	if err != nil {
		return err
	}
	resolved, err := params.Merge(e.Component.Params, params.Sources{File: raw, FileName: name + ".json"})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, _, err := resolved.WithSecrets(ctx, params.Lookup{Env: os.LookupEnv}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (a *app) configSchema() *cli.Command {
	return command(cli.Command{
		Name: "schema", Usage: "print the JSON Schema of outrider.yml, for editors",
		Description: "  outrider-checker config schema > outrider.schema.json\n\n" +
			"Then in outrider.yml: # yaml-language-server: $schema=outrider.schema.json",
		Action: func(c *cli.Context) error {
			if _, err := term.Args(c, 0, 0, "schema"); err != nil {
				return err
			}
			schema, err := settings.Schema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.Out, "%s\n", schema)
			return term.Undeliverable(err)
		},
	})
}
