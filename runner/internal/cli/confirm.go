package cli

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/mattn/go-isatty"
	"github.com/urfave/cli/v2"
)

func yesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Usage: "do it without asking", DisableDefaultText: true}
}

// sure asks on a terminal before something is done that cannot be taken back;
// elsewhere --yes must have said so.
func (a *app) sure(c *cli.Context, what string) error {
	if c.Bool("yes") {
		return nil
	}
	if !isatty.IsTerminal(a.In.Fd()) {
		return term.Usage("%s; say --yes to do it", what)
	}
	if a.agreed(what + ".\nGo on?") {
		return nil
	}
	return term.Usage("nothing was done")
}

// agreed asks on the terminal; what is no yes is a no.
func (a *app) agreed(question string) bool {
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(a.In).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}

// me names who runs this, for the record.
func (b *book) me() string {
	if u := b.User(); u != "" {
		return u + " on " + b.Host()
	}
	return "somebody on " + b.Host()
}
