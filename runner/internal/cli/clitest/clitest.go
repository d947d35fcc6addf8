// Package clitest builds programs for the tests of command lines and hands them to their
// scripts. What a script does with them lives with the command line; only tests may import
// this.
package clitest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Main runs the tests, or one of the commands where this binary was started as such. Before
// the tests it builds programs, packages of this module by the name of the program, into a
// folder that the variable env names.
func Main(m *testing.M, env string, programs map[string]string, commands map[string]func()) {
	testscript.Main(built{m, env, programs}, commands)
}

// built runs the tests with the programs; testscript runs it only where this binary is not
// a command itself.
type built struct {
	m        *testing.M
	env      string
	programs map[string]string
}

func (b built) Run() int {
	dir, err := os.MkdirTemp("", "built")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = b.build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return b.m.Run()
}

func (b built) build(dir string) error {
	for name, pkg := range b.programs {
		cmd := exec.Command("go", "build", "-tags", "urfave_cli_no_docs,grpcnotrace",
			"-o", filepath.Join(dir, name), "github.com/outrider-run/outrider/"+pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return os.Setenv(b.env, dir)
}
