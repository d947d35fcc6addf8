package checkercli

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestEveryCommandHasAnExample(t *testing.T) {
	var look func(above string, all []*cli.Command)
	n := 0
	look = func(above string, all []*cli.Command) {
		for _, c := range all {
			n++
			if name := above + " " + c.Name; !strings.Contains(c.Description, name) && c.Name != "check" || c.Usage == "" {
				t.Errorf("%s: no example in\n%s", name, c.Description)
			}
			look(above+" "+c.Name, c.Subcommands)
		}
	}
	look(program, (&app{}).root().Commands)
	if n < 20 {
		t.Errorf("%d commands", n)
	}
}
