// The digdag-which program prints on which Digdag the tests here run: a real
// server or the double. `make test` ends with its line.
package main

import (
	"fmt"
	"os"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

func main() {
	kind, err := digdagtest.Find()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(kind)
}
