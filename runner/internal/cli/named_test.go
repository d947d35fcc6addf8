package cli

import (
	"slices"
	"testing"

	"github.com/urfave/cli/v2"
)

// A flag that keeps its names is, to urfave, the flag that it was.
func TestNamedFlags(t *testing.T) {
	a := &app{}
	for _, of := range []func() *cli.Command{a.run, a.exec, a.sh, a.py, a.rb, a.interp} {
		plain, kept := of(), withNames(of())
		for i, f := range plain.Flags {
			if _, several := f.(cli.DocGenerationSliceFlag); several {
				continue
			}
			n, ok := kept.Flags[i].(*named)
			if !ok {
				t.Errorf("%s: --%s is a %T, and makes its names anew", plain.Name, f.Names()[0], kept.Flags[i])
				continue
			}
			switch {
			case !slices.Equal(n.Names(), f.Names()):
				t.Errorf("%s: names %q, want %q", plain.Name, n.Names(), f.Names())
			case n.String() != f.String():
				t.Errorf("%s: help %q, want %q", plain.Name, n.String(), f.String())
			}
		}
	}
}
