package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// checker is outrider-checker with a state folder and a config of its own.
type checker struct {
	*bench
	dir string
}

// newChecker writes the config into a new folder.
func (b *bench) newChecker(name, config string) (checker, error) {
	c := checker{b, filepath.Join(b.state, name)}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return c, err
	}
	return c, os.WriteFile(c.config(), []byte(config), 0o600)
}

func (c checker) config() string { return filepath.Join(c.dir, "outrider.yml") }

func (c checker) command(args ...string) *exec.Cmd {
	cmd := c.outrider(args...)
	cmd.Path = filepath.Join(c.bin, "outrider-checker")
	cmd.Env = append(cmd.Env, "OUTRIDER_STATE="+c.dir, "OUTRIDER_CONFIG="+c.config())
	return cmd
}

// passed is what a pass says of itself.
type passed struct {
	Sources []struct {
		Name, Failure             string
		Workflows, Open, Requests int
	}
	Alerts []struct{ Rule, Where string }
	Notes  []string
}

// of is what a pass says of one source.
func (p passed) of(name string) (workflows, open, requests int, err error) {
	for _, s := range p.Sources {
		if s.Name == name && s.Failure == "" {
			return s.Workflows, s.Open, s.Requests, nil
		}
	}
	return 0, 0, 0, fmt.Errorf("the pass does not tell of %s: %+v", name, p)
}

// pass makes one with these flags.
func (c checker) pass(flags ...string) (p passed, of *os.ProcessState, err error) {
	cmd := c.command(append([]string{"check", "--exit-zero", "--format", "json"}, flags...)...)
	out, err := cmd.Output()
	if err != nil {
		return p, nil, fmt.Errorf("%v: %w\n%s", cmd.Args, said(err), out)
	}
	return p, cmd.ProcessState, json.Unmarshal(bytes.TrimSpace(out), &p)
}
