// Package term is how our programs talk on a command line: what a mistake of the
// caller's looks like, flags and arguments, tables, JSON, times and lines that no
// terminal obeys. What a command does is not known here, nor which exit code a mistake
// has: each program says.
package term

import (
	"errors"
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/urfave/cli/v2"
)

// Misused is the code of a mistake of the caller's, who has to change something first.
// Each program has an exit code of its own for it.
const Misused = -1

// Exit carries an exit code; Err is nil when everything was said already.
type Exit struct {
	Code int
	Err  error
}

func (e *Exit) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Exit) Unwrap() error { return e.Err }

// Usage is a mistake of the caller's.
func Usage(format string, args ...any) error { return &Exit{Misused, fmt.Errorf(format, args...)} }

// OnUsage answers a bad flag without urfave's page of help.
func OnUsage(c *cli.Context, err error, _ bool) error {
	var e *Exit
	if errors.As(err, &e) {
		return err
	}
	text := strings.TrimPrefix(err.Error(), "flag provided but not defined: ")
	if text != err.Error() {
		return Usage("there is no flag %s; see %s --help", strings.Replace(text, "-", "--", 1), HelpName(c))
	}
	return Usage("%s; see %s --help", text, HelpName(c))
}

// HelpName is what to put before --help.
func HelpName(c *cli.Context) string {
	if c.Command != nil && c.Command.HelpName != "" {
		return c.Command.HelpName
	}
	return c.App.Name
}

// Args takes between low and high arguments; a flag behind one is told apart, since
// urfave hands it over as an argument without a word.
func Args(c *cli.Context, low, high int, want string) ([]string, error) {
	got := c.Args().Slice()
	for _, a := range got {
		if len(a) > 1 && a[0] == '-' {
			return nil, Usage("put the flag %s before %s: %s %s …", a, want, HelpName(c), a)
		}
	}
	switch {
	case len(got) < low:
		return nil, Usage("%s is missing; see %s --help", want, HelpName(c))
	case len(got) > high:
		return nil, Usage("unexpected argument %q after %s", got[high], want)
	}
	return got, nil
}

// Near returns the one of names that s was probably meant to be, or "".
func Near(s string, names []string) string {
	best, at := "", 1+len(s)/3
	for _, n := range names {
		if d := levenshtein.ComputeDistance(s, n); d <= at {
			best, at = n, d-1
		}
	}
	return best
}
