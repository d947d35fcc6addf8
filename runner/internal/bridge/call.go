// Package bridge is the contract between Digdag's py> and rb> and the program that
// it starts for them: what stands in its arguments, in its input file, and what has
// to stand in its output file. Source: PyOperatorFactory, RbOperatorFactory and
// their runners in 0.10.5.1. It reads and writes those files, and starts nothing.
package bridge

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Language is an operator: py or rb.
type Language string

// The operators.
const (
	Python Language = "py"
	Ruby   Language = "rb"
)

// Setting is the key in a .dig file that names the program to start.
func (l Language) Setting() string {
	if l == Ruby {
		return "ruby"
	}
	return "python"
}

// Call is what Digdag asks for.
type Call struct {
	Language Language
	// Command is the text behind py> or rb>.
	Command string
	// Input and Output are the paths of the two files, relative to the current folder.
	Input, Output string
	// Require is what rb> is to load first, from require:; "" for nothing.
	Require string
}

// Parse reads the arguments with which Digdag starts an interpreter, its own flags
// left out: RUNNER [COMMAND] INPUT OUTPUT, for rb> behind -I FOLDER [-r REQUIRE] --.
// Without a COMMAND the runner is the task's own script:, and the Call has none.
func Parse(l Language, args []string) (Call, error) {
	c := Call{Language: l}
	for l == Ruby && len(args) > 1 && (args[0] == "-I" || args[0] == "-r") {
		if args[0] == "-r" {
			c.Require = args[1]
		}
		args = args[2:]
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	n := len(args)
	if n != 3 && n != 4 || !strings.HasPrefix(filepath.Base(args[0]), "runner.") {
		return Call{}, fmt.Errorf("these are not the arguments that Digdag gives for %s>: %q", l, args)
	}
	c.Input, c.Output = args[n-2], args[n-1]
	if n == 4 {
		c.Command = args[1]
	}
	return c, nil
}

// Component is the name of the component that is called.
func (c Call) Component() (string, error) {
	switch {
	case c.Command == "":
		return "", fmt.Errorf("the task names no component: want %s>: COMPONENT", c.Language)
	case strings.ContainsAny(c.Command, " \t\n"):
		return "", errors.New("want the name of a component alone behind " + string(c.Language) + ">, its parameters go under with:")
	}
	return c.Command, nil
}
