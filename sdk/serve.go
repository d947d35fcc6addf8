package sdk

import (
	"os"

	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/internal/modes"
	"github.com/outrider-run/outrider/sdk/internal/process"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// The linker may set these, as in
// -ldflags '-X github.com/outrider-run/outrider/sdk.version=v1.2.3'; without
// that a plugin tells what the Go toolchain put into the binary.
var version, revision, built string

// Serve is the main function of a plugin; it does not return. What the binary
// does depends on how it is started:
//
//	describe                        print the manifest as JSON
//	run NAME [--params FILE|-]      run a component without a host
//	version                         print the version
//
// A host that starts it speaks the plugin protocol. Anything else prints a
// short help and exits with status 2. Definitions that cannot work are refused
// before any of that, with status 5; a host, which asks for the manifest before
// it runs anything, sees that too.
func Serve(components ...Component) {
	list := make([]*engine.Component, len(components))
	for i, c := range components {
		list[i] = c.engine
	}
	stamp := manifest.Manifest{Version: version, Revision: revision, Built: built}
	os.Exit(modes.Main(os.Args, modes.Streams{In: os.Stdin, Out: process.Stdout(), Err: os.Stderr}, stamp, list))
}
