package launch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-run/outrider/sdk/protocol"
)

// allowed are the variables of the host that every plugin gets.
func allowed(name string) bool {
	switch name {
	case "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR",
		// Where an engine is, and what ties Outrider's own children together.
		"OUTRIDER_DIGDAG_ENDPOINT", "OUTRIDER_AIRFLOW_ENDPOINT",
		"OUTRIDER_CONFIG", "OUTRIDER_STATE", "OUTRIDER_LEDGER", "OUTRIDER_INSTANCE",
		"OUTRIDER_PLUGIN_PATH", "OUTRIDER_RUN":
		return true
	}
	return strings.HasPrefix(name, "LC_") || strings.HasPrefix(name, "SSL_CERT_") ||
		strings.HasSuffix(name, "_PROXY") || strings.HasSuffix(name, "_proxy")
}

// Environ picks from the host's environment what a plugin may see: a fixed list
// and extraNames.
func Environ(host, extraNames []string) []string {
	var env []string
	for _, kv := range host {
		name, _, ok := strings.Cut(kv, "=")
		if ok && name != "" && (allowed(name) || slices.Contains(extraNames, name)) {
			env = append(env, kv)
		}
	}
	return env
}

// lifelineFD is where a child finds its lifeline, the first descriptor behind
// stderr.
const lifelineFD = 3

// environ is the plugin's whole environment. own, the variables of the
// handshake, and the host's replace any of the same name.
func (o Options) environ(own []string) []string {
	own = append(own,
		protocol.LifelineEnv+"="+strconv.Itoa(lifelineFD),
		protocol.RunDirEnv+"="+o.Dir,
	)
	env := slices.Clone(own)
	for _, kv := range o.Env {
		name, _, _ := strings.Cut(kv, "=")
		taken := slices.ContainsFunc(own, func(s string) bool { return strings.HasPrefix(s, name+"=") })
		if !taken {
			env = append(env, kv)
		}
	}
	return env
}
