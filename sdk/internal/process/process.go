// Package process is what a plugin does to its own process, from before main
// on: descriptor 1 is kept free for the handshake, the end of the host is
// watched, signals are left to the host. It knows no component and, so that its
// init runs early, imports little. In a process that no host started it does
// nothing.
package process

import (
	"os"
)

// The names are those of package protocol, which is too heavy to import here; a
// test holds them together.
const (
	cookieKey   = "OUTRIDER_PLUGIN"
	cookieValue = "b0d6f0a1-outrider-task"
	lifelineEnv = "OUTRIDER_LIFELINE_FD"
	runDirEnv   = "OUTRIDER_RUN_DIR"
)

// A process has one descriptor 1 and one host; both are set here, before main,
// and not changed again.
var (
	stdout   *guard
	lifeline *Lifeline
)

func init() {
	if !Started() {
		return
	}
	stdout = guardStdout()
	lifeline = watchHost()
}

// Started reports whether a host started this process as a plugin.
func Started() bool { return os.Getenv(cookieKey) == cookieValue }

// Stdout is the descriptor 1 that the process was started with.
func Stdout() *os.File {
	if stdout == nil {
		return os.Stdout
	}
	return stdout.real
}

// Host is the lifeline of the host that started this process, nil without one.
func Host() *Lifeline { return lifeline }

// Disown takes the variables of the handshake out of the environment, so that
// no program that the component starts takes itself for a plugin of this host.
func Disown() {
	for _, name := range []string{
		cookieKey, lifelineEnv, runDirEnv, "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_MIN_PORT", "PLUGIN_MAX_PORT",
		"PLUGIN_UNIX_SOCKET_DIR", "PLUGIN_UNIX_SOCKET_GROUP", "PLUGIN_MULTIPLEX_GRPC", "PLUGIN_CLIENT_CERT",
	} {
		os.Unsetenv(name)
	}
}
