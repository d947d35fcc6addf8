// The digdag-double program: a stand-in for a Digdag server in tests, where no
// real one is to be had. See package digdagtest.
package main

import (
	"os"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/double"
)

func main() {
	os.Exit(double.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
