package command

import (
	"maps"
	"slices"
	"strings"
)

// own are the variables between host and plugin that are none of a program's
// business: with them it could take itself for a plugin of this host, or name
// folders that are not its own.
var own = []string{
	"OUTRIDER_PLUGIN", "OUTRIDER_LIFELINE_FD", "OUTRIDER_RUN_DIR",
	"PLUGIN_CLIENT_CERT", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_MULTIPLEX_GRPC",
	"PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR", "PLUGIN_UNIX_SOCKET_GROUP",
}

// Environ returns base without what is Outrider's own and with set in it, each
// name once.
func Environ(base []string, set map[string]string) []string {
	env := make([]string, 0, len(base)+len(set))
	for _, kv := range base {
		name, _, _ := strings.Cut(kv, "=")
		if _, replaced := set[name]; !replaced && !slices.Contains(own, name) {
			env = append(env, kv)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		env = append(env, name+"="+set[name])
	}
	return env
}
