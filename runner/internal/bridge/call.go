// Package bridge is the contract between Digdag's py> and rb> and the program that
// it starts for them: what stands in its arguments, in its input file, and what has
// to stand in its output file. Source: PyOperatorFactory, RbOperatorFactory and
// their runners in 0.10.5.1. It reads and writes those files, and starts nothing.
package bridge

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
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

// Parse finds in args, those of a whole process, what Digdag adds to them:
// RUNNER [COMMAND] INPUT OUTPUT, for rb> behind -I FOLDER [-r REQUIRE] --. Without a
// COMMAND the runner is the task's own script:, and the Call has none.
func Parse(l Language, args []string) (Call, error) {
	at := slices.IndexFunc(args, func(arg string) bool { return filepath.Base(arg) == "runner."+string(l) })
	if n := len(args) - at; at < 0 || n != 3 && n != 4 {
		return Call{}, fmt.Errorf("these are not the arguments that Digdag gives for %s>: %q; see outrider %s --help", l, args, l)
	}
	c := Call{Language: l, Input: args[len(args)-2], Output: args[len(args)-1]}
	if len(args)-at == 4 {
		c.Command = args[at+1]
	}
	if r := slices.Index(args[:at], "-r"); r >= 0 {
		c.Require = args[r+1]
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
