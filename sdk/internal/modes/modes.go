// Package modes decides what a plugin binary does: serve a host, or, started by
// hand, describe itself, run a component without a host, or tell its version.
// The way a component runs is the engine's; parameters are checked there too.
package modes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/internal/process"
	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/protocol"
)

// Exit codes, as `outrider run` has them.
const (
	exitOK        = 0
	exitFailed    = 1
	exitUsage     = 2
	exitPermanent = 3
	exitBroken    = 5
	exitCancelled = 143
)

// Streams are the standard streams of the process.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the mode that args, with the program's name first, ask for, and
// returns the exit code. stamp is what the linker knows of the binary.
func Main(args []string, std Streams, stamp manifest.Manifest, components []*engine.Component) int {
	program, mode := filepath.Base(args[0]), ""
	if len(args) > 1 {
		mode = args[1]
	}
	server := engine.NewServer(stamp, components)
	byHand := mode == "describe" || mode == "run" || mode == "version"
	underHost := !byHand && process.Started()
	check := server.Check
	if underHost {
		check = server.CheckNames
	}
	if err := check(); err != nil {
		fmt.Fprintf(std.Err, "%s cannot serve:\n%v\n", program, err)
		return exitBroken
	}
	switch {
	case underHost:
		if err := server.Serve(); err != nil {
			fmt.Fprintf(std.Err, "%s: %v\n", program, err)
			return exitBroken
		}
		return exitOK
	case mode == "describe":
		return describe(engine.NewServer(stamps(stamp), components), std, program)
	case mode == "run":
		return run(server, args[2:], std, program, components)
	case mode == "version":
		fmt.Fprintln(std.Out, version(program, stamps(stamp)))
		return exitOK
	}
	fmt.Fprint(std.Err, help(program, components))
	return exitUsage
}

func describe(server *engine.Server, std Streams, program string) int {
	m, err := server.Manifest()
	if err == nil {
		err = json.NewEncoder(std.Out).Encode(m)
	}
	if err != nil {
		fmt.Fprintf(std.Err, "%s: %v\n", program, err)
		return exitBroken
	}
	return exitOK
}

func help(program string, components []*engine.Component) string {
	names := make([]string, len(components))
	for i, c := range components {
		names[i] = c.Name
	}
	return fmt.Sprintf(`%[1]s is an Outrider plugin: outrider run COMPONENT starts it.
It serves: %[2]s

By hand:
  %[1]s describe                               what it serves, as JSON
  %[1]s run COMPONENT [--params FILE|-] [--yes]  run without a host
  %[1]s version
`, program, strings.Join(names, ", "))
}

// stamps adds to m what the Go toolchain knows of this binary.
func stamps(m manifest.Manifest) manifest.Manifest {
	const module = "github.com/outrider-run/outrider"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	m.Version = cmp.Or(m.Version, info.Main.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			m.Revision = cmp.Or(m.Revision, s.Value)
		case "vcs.time":
			m.Built = cmp.Or(m.Built, s.Value)
		}
	}
	if info.Main.Path == module {
		m.SDK = info.Main.Version
	}
	for _, d := range info.Deps {
		if d.Path == module {
			m.SDK = d.Version
		}
	}
	return m
}

func version(program string, m manifest.Manifest) string {
	out := program + " " + cmp.Or(m.Version, "(unknown version)")
	if m.Revision != "" {
		out += " " + m.Revision
	}
	if m.Built != "" {
		out += " " + m.Built
	}
	return fmt.Sprintf("%s sdk %s protocol %d", out, cmp.Or(m.SDK, "(unknown)"), protocol.Version)
}
