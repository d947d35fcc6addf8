package main

import (
	"fmt"
	"os/exec"
)

// demo times the demo as somebody sees it who runs it again.
func (b *bench) demo() ([]figure, error) {
	var took float64
	for range 2 { // the first one builds
		var out []byte
		var err error
		took, err = clocked(func() (err error) {
			out, err = exec.Command("make", "--silent", "demo").CombinedOutput()
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("make demo: %w\n%s", err, out)
		}
	}
	return []figure{{what: "make demo, the second time", target: 30, unit: "s", atMost: true, got: took / 1e3}}, nil
}
