package cli

import "github.com/urfave/cli/v2"

// named is a flag that keeps its names. urfave's make theirs with a regular
// expression at every call, and it asks each flag for them once for every flag of
// the command: a third of a millisecond of a run's start.
type named struct {
	whole
	names []string
}

// whole is what urfave may ask of a flag.
type whole interface {
	cli.DocGenerationFlag
	cli.CategorizableFlag
	cli.RequiredFlag
	cli.ActionableFlag
}

func (f *named) Names() []string { return f.names }

// withNames makes the command's flags keep their names, but for those that take
// several values: urfave sets their separator by a method whose type is its own.
func withNames(c *cli.Command) *cli.Command {
	for i, f := range c.Flags {
		if _, several := f.(cli.DocGenerationSliceFlag); several {
			continue
		}
		if w, ok := f.(whole); ok {
			c.Flags[i] = &named{w, f.Names()}
		}
	}
	return c
}
