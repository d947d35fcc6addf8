package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/urfave/cli/v2"
)

// Exit codes of the host's own (design, section 6); those of a run's outcome
// stand in run.Outcome.Exit.
const (
	exitUsage  = 2
	exitPlugin = 5
	exitHost   = 125
)

// exit carries an exit code; err is nil when everything was said already.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exit{exitUsage, fmt.Errorf(format, args...)}
}

func broken(err error) error { return &exit{exitPlugin, err} }

func host(err error) error { return &exit{exitHost, err} }

// onUsage answers a bad flag without urfave's page of help.
func onUsage(c *cli.Context, err error, _ bool) error {
	var e *exit
	if errors.As(err, &e) {
		return err
	}
	text := strings.TrimPrefix(err.Error(), "flag provided but not defined: ")
	if text != err.Error() {
		return usage("there is no flag %s; see %s --help", strings.Replace(text, "-", "--", 1), helpName(c))
	}
	return usage("%s; see %s --help", text, helpName(c))
}

func helpName(c *cli.Context) string {
	if c.Command != nil && c.Command.HelpName != "" {
		return c.Command.HelpName
	}
	return "outrider"
}

// args takes between low and high arguments; a flag behind one is told apart,
// since urfave hands it over as an argument without a word.
func args(c *cli.Context, low, high int, want string) ([]string, error) {
	got := c.Args().Slice()
	for _, a := range got {
		if len(a) > 1 && a[0] == '-' {
			return nil, usage("put the flag %s before %s: %s %s …", a, want, helpName(c), a)
		}
	}
	switch {
	case len(got) < low:
		return nil, usage("%s is missing; see %s --help", want, helpName(c))
	case len(got) > high:
		return nil, usage("unexpected argument %q after %s", got[high], want)
	}
	return got, nil
}

// near returns the one of names that s was probably meant to be, or "".
func near(s string, names []string) string {
	best, at := "", 1+len(s)/3
	for _, n := range names {
		if d := levenshtein.ComputeDistance(s, n); d <= at {
			best, at = n, d-1
		}
	}
	return best
}
