package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// file is outrider.yml as the checker reads it. Its types refuse bad values while they
// are decoded, so that the error knows the line. The tags jsonschema are for editors.
type file struct {
	hosts
	Timezone  rule.Zone                 `json:"timezone,omitempty" jsonschema:"time zone of deadlines and windows that name none, such as Asia/Tokyo; default: this machine's"`
	Interval  threshold.Duration        `json:"interval,omitzero" jsonschema:"how often a pass is made; default 60s"`
	Ping      pingURL                   `json:"ping,omitempty" jsonschema:"URL that is called after each complete pass, and with /fail when a critical alert cannot be told; or a reference to it, such as env:HEALTHCHECK_URL"`
	Sources   map[string]source         `json:"sources,omitempty" jsonschema:"the engines that verbs act on and the checker watches, by name"`
	Rules     []rule.Rule               `json:"rules,omitempty" jsonschema:"what to look for, before the built-in rules; the first that matches decides"`
	Routes    []alert.Route             `json:"routes,omitempty" jsonschema:"who is told; the first that matches, and what no route matches goes to the last one's receiver"`
	Storm     int                       `json:"storm,omitempty" jsonschema:"from how many new alerts at once on a receiver gets one digest; default 10"`
	Receivers map[receiverName]receiver `json:"receivers,omitempty" jsonschema:"who can be told, by name; console is always there"`
	Actions   []act                     `json:"actions,omitempty" jsonschema:"what is done because of alerts"`
	Silences  []silence                 `json:"silences,omitempty" jsonschema:"what nobody is told of for a time"`
	Windows   []alert.Window            `json:"windows,omitempty" jsonschema:"when maintenance is done again and again, and nobody is told"`
}

// hosts are the keys of the host, which package config reads.
type hosts struct {
	PluginEnv    any `json:"plugin_env,omitempty"`
	StartTimeout any `json:"start_timeout,omitempty"`
	ExitCodes    any `json:"exit_codes,omitempty"`
	Ledger       any `json:"ledger,omitempty"`
	Instance     any `json:"instance,omitempty"`
	Artifacts    any `json:"artifacts,omitempty"`
	Prune        any `json:"prune,omitempty"`
}

// source is a source of the file, without its component's params, which config has.
type source struct {
	Engine string `json:"engine" jsonschema:"digdag or airflow, or the first word of another plugin's components"`
	Watch  watch  `json:"watch,omitzero" jsonschema:"how the checker watches it"`
}

// UnmarshalJSONFrom decodes what is watched as strictly as all, and passes over the rest.
func (s *source) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return d.SkipValue() // config has refused it
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		key, err := d.ReadToken()
		if err != nil {
			return err
		}
		switch key.String() {
		case "engine":
			err = jsonv2.UnmarshalDecode(d, &s.Engine)
		case "watch":
			err = jsonv2.UnmarshalDecode(d, &s.Watch)
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

type watch struct {
	Off      bool               `json:"off,omitempty" jsonschema:"leave it alone"`
	Timeout  threshold.Duration `json:"timeout,omitzero" jsonschema:"how long one look may take; default 1m, and 10m for the first"`
	History  threshold.Duration `json:"history,omitzero" jsonschema:"how far back the first look reads; default 30d"`
	Params   object             `json:"params,omitempty" jsonschema:"parameters of ENGINE.observe beside those of the source"`
	Limit    int                `json:"limit,omitempty" jsonschema:"most runs of one look; the component's own limit by default"`
	Requests int                `json:"requests,omitempty" jsonschema:"most requests of one look, where the component takes a parameter of that name; of any it is seen afterwards, and above it (default 1000) no tasks and logs of runs are asked for"`
}

type receiver struct {
	Component string       `json:"component,omitempty" jsonschema:"the component that tells, such as slack.post, notify.send or http.request"`
	Params    object       `json:"params,omitempty" jsonschema:"its parameters; texts with {{ }} are Go templates over the message"`
	Template  templateName `json:"template,omitempty" jsonschema:"what it is given; webhook is the body of Alertmanager's webhooks, which its receivers take and its own API does not; bare adds nothing to the params; default: what fits the component"`
	Console   bool         `json:"console,omitempty" jsonschema:"print on the checker's terminal"`
	File      path         `json:"file,omitempty" jsonschema:"append messages as JSON lines to this file, an absolute path"`
	Fallback  string       `json:"fallback,omitempty" jsonschema:"the receiver that is told while this one is down"`
	Recovered *bool        `json:"recovered,omitempty" jsonschema:"tell of recoveries too; default true"`
}

type act struct {
	Name     string              `json:"name" jsonschema:"a short name"`
	Match    alert.Matchers      `json:"match" jsonschema:"the alerts that it is done for, such as rule=stale,part=scheduler"`
	Do       steps               `json:"do" jsonschema:"the component to run, or several in order"`
	Cooldown *threshold.Duration `json:"cooldown,omitempty" jsonschema:"time from one beginning to the next for the same alert; default 15m"`
	AtMost   int                 `json:"at_most,omitempty" jsonschema:"how often it begins within the window, whatever the alert; no bound by default"`
	Window   threshold.Duration  `json:"window,omitzero" jsonschema:"window of at_most; default 24h"`
	DryRun   bool                `json:"dry_run,omitempty" jsonschema:"tell what would be done"`
	NeedsAck bool                `json:"needs_ack,omitempty" jsonschema:"begin when somebody has acknowledged the alert"`
	Verify   threshold.Duration  `json:"verify,omitzero" jsonschema:"the alert has to be over within this time, else it is escalated"`
	Escalate string              `json:"escalate,omitempty" jsonschema:"receiver that is told besides when it fails or does not help"`
}

// steps are one or several.
type steps []step

type step struct {
	Component string `json:"component" jsonschema:"the component to run"`
	Params    object `json:"params,omitempty" jsonschema:"its parameters; texts with {{ }} are Go templates over .Alert, .Event and .Outputs of the steps before"`
}

// UnmarshalJSONFrom takes a mapping or a list of them.
func (s *steps) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '[' {
		return jsonv2.UnmarshalDecode(d, (*[]step)(s))
	}
	var one step
	if err := jsonv2.UnmarshalDecode(d, &one); err != nil {
		return err
	}
	*s = steps{one}
	return nil
}

type silence struct {
	Match  alert.Matchers `json:"match" jsonschema:"the alerts, such as project=etl,rule=late"`
	From   moment         `json:"from,omitzero" jsonschema:"from when on, such as 2026-11-22T09:00:00+09:00; default: since ever"`
	Until  moment         `json:"until" jsonschema:"until when"`
	Reason string         `json:"reason,omitempty" jsonschema:"why, for people"`
}

// moment is a time with its zone's offset.
type moment time.Time

func (m *moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return errors.New("want a time such as 2026-11-22T09:00:00+09:00")
	}
	*m = moment(t)
	return nil
}

// pingURL is a URL or a reference to one.
type pingURL string

func (p *pingURL) UnmarshalText(text []byte) error {
	for _, prefix := range []string{"http://", "https://", "env:", "file:"} {
		if rest, ok := strings.CutPrefix(string(text), prefix); ok && rest != "" {
			*p = pingURL(text)
			return nil
		}
	}
	return errors.New("want http://…, https://…, env:NAME or file:PATH")
}

// receiverName is part of incidents' names.
type receiverName string

func (n *receiverName) UnmarshalText(text []byte) error {
	if !isName(string(text)) {
		return errors.New(wantName)
	}
	*n = receiverName(text)
	return nil
}

const wantName = "want a short name of letters, digits, _, - and dots, such as team"

const namePattern = `^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`

func isName(s string) bool {
	ok, err := regexp.MatchString(namePattern, s)
	return ok && err == nil
}

// templateName is what a component is given.
type templateName string

// The templates; package deliver knows what each adds to the params.
const (
	slack     templateName = "slack"
	plainText templateName = "text"
	webhook   templateName = "webhook"
	plainJSON templateName = "json"
	bare      templateName = "bare"
)

func (n *templateName) UnmarshalText(raw []byte) error {
	switch t := templateName(raw); t {
	case slack, plainText, webhook, plainJSON, bare:
		*n = t
		return nil
	}
	return errors.New("want slack, text, webhook, json or bare")
}

// path is an absolute one.
type path string

func (p *path) UnmarshalText(text []byte) error {
	if !filepath.IsAbs(string(text)) {
		return errors.New("want an absolute path")
	}
	*p = path(filepath.Clean(string(text)))
	return nil
}

// object is a JSON object.
type object json.RawMessage

func (o *object) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '{' {
		return errors.New("want a mapping of the component's parameters")
	}
	*o = bytes.Clone(raw)
	return nil
}

// decode decodes a file.
func decode(data []byte) (f file, err error) {
	err = manifest.DecodeYAML(data, &f)
	return f, err
}
