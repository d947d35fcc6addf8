package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/outrider-run/outrider/plugins/script/internal/interp"
)

// printInterpreter prints the path of an interpreter that meets want, looked for from
// the current folder on, and returns the exit code: 2 for what is no requirement, 1
// when none fits, which the error says in one line.
func printInterpreter(want string, out, errs io.Writer) int {
	r, err := interp.Parse(want)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	found, err := interp.Finder{Dir: dir, Env: os.Environ()}.Find(context.Background(), r)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	if _, err := fmt.Fprintln(out, found.Path); err != nil {
		return 1
	}
	return 0
}
