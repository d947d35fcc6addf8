package config

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// file is outrider.yml as it is written. Its types refuse bad values while they
// are decoded, so that the error knows the line.
type file struct {
	PluginEnv    []envName            `json:"plugin_env"`
	StartTimeout timeout              `json:"start_timeout"`
	ExitCodes    map[ExitCode]Meaning `json:"exit_codes"`
	Ledger       ledgerURL            `json:"ledger"`
	Instance     instance             `json:"instance"`
	Artifacts    struct {
		Dir folder `json:"dir"`
	} `json:"artifacts"`
	Prune struct {
		After keepFor `json:"after"`
		Above size    `json:"above"`
	} `json:"prune"`
	Sources map[sourceName]Source `json:"sources"`
	checkers
}

// checkers are the keys of the checker, which reads the same file: here they hold
// anything, so that nothing of it is linked.
type checkers struct {
	Timezone  json.RawMessage `json:"timezone"`
	Interval  json.RawMessage `json:"interval"`
	Ping      json.RawMessage `json:"ping"`
	Rules     json.RawMessage `json:"rules"`
	Routes    json.RawMessage `json:"routes"`
	Storm     json.RawMessage `json:"storm"`
	Receivers json.RawMessage `json:"receivers"`
	Actions   json.RawMessage `json:"actions"`
	Silences  json.RawMessage `json:"silences"`
	Windows   json.RawMessage `json:"windows"`
}

func parse(data []byte) (Config, error) {
	var f file
	if err := manifest.DecodeYAML(data, &f); err != nil {
		return Config{}, err
	}
	cfg := Config{
		StartTimeout: time.Duration(f.StartTimeout), ExitCodes: f.ExitCodes,
		Ledger: string(f.Ledger), Instance: string(f.Instance), ArtifactsDir: string(f.Artifacts.Dir),
		PruneAfter: time.Duration(f.Prune.After), PruneAbove: int64(f.Prune.Above),
	}
	for _, name := range f.PluginEnv {
		cfg.PluginEnv = append(cfg.PluginEnv, string(name))
	}
	for name, source := range f.Sources {
		if cfg.Sources == nil {
			cfg.Sources = map[string]Source{}
		}
		cfg.Sources[string(name)] = source
	}
	return cfg, nil
}

// envName is the name of an environment variable.
type envName string

func (n *envName) UnmarshalText(text []byte) error {
	if len(text) == 0 || strings.ContainsAny(string(text), "=\x00 \t$*") {
		return errors.New("want the name of a variable, such as AWS_PROFILE")
	}
	*n = envName(text)
	return nil
}

// timeout is a duration above zero.
type timeout time.Duration

// UnmarshalJSON is what decodes YAML too; a bare number has no unit and is refused.
func (t *timeout) UnmarshalJSON(raw []byte) error {
	var text string
	_ = json.Unmarshal(raw, &text) // what is no text is no duration either
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("want a duration above zero, such as 10s")
	}
	*t = timeout(d)
	return nil
}
