// Command outrider-plugin-file waits for files and checks them: file.wait, and
// file.check.
//
// A component is wait.go and check.go: its parameters, its output, and the loop
// or the few steps that touch the disk. What it decides by stands beside it as
// pure functions: watch.go says which of the files seen are ready, report.go how
// that is told, wants.go what a file lacks. find.go is the only one that lists folders, measure.go the
// only one that reads a file. Nothing here writes to a disk, and nothing knows
// of remote stores: those are components of their own.
package main

import "github.com/outrider-run/outrider/sdk"

func main() { sdk.Serve(waitComponent(), checkComponent()) }
