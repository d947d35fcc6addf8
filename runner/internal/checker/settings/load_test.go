package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/config"
)

// load reads a config as the checker does, both of its parts.
func load(t *testing.T, text string) (Settings, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "outrider.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, func(string) string { return "" })
	if err != nil {
		t.Fatalf("the host refuses it: %v", err)
	}
	return Load(cfg)
}

// Every error names file, line, column, field and value.
func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"zone", "timezone: Tokyo\n", `FILE:1:11: timezone: "Tokyo": want a time zone such as Asia/Tokyo or UTC`},
		{"interval without a unit", "interval: 60\n", `FILE:1:11: interval: expected a string, got 60`},
		{"interval of nothing", "interval: 0s\n", `FILE:1:11: interval: "0s": want a duration above zero, such as 60s`},
		{"ping", "ping: example.com\n", `FILE:1:7: ping: "example.com": want http://…, https://…, env:NAME or file:PATH`},
		{"storm of none", "storm: 0\n", `FILE:1:8: storm: 0: want a number of alerts above zero`},
		{"negative storm", "storm: -1\n", `FILE:1:8: storm: -1: want a number of alerts above zero`},
		{"storm as text", "storm: many\n", `FILE:1:8: storm: expected a whole number, got "many"`},
		{"off", "sources:\n  prod: {engine: digdag, watch: {off: 1}}\n", `FILE:2:39: sources.prod.watch.off: expected true or false, got 1`},
		{"timeout without a unit", "sources:\n  prod:\n    engine: digdag\n    watch:\n      timeout: 5\n", `FILE:5:16: sources.prod.watch.timeout: expected a string, got 5`},
		{"unknown key of watch", "sources:\n  prod: {engine: digdag, watch: {of: true}}\n", `FILE:2:34: sources.prod.watch.of: unknown key; known here: off, timeout, history, params, limit, requests`},
		{"limit", "sources:\n  prod: {engine: digdag, watch: {limit: -5}}\n", `FILE:2:41: sources.prod.watch.limit: -5: want a number of runs above zero`},
		{"requests", "sources:\n  prod: {engine: digdag, watch: {requests: 0}}\n", `FILE:2:44: sources.prod.watch.requests: 0: want a number of requests above zero`},
		{"params of watch", "sources:\n  prod: {engine: digdag, watch: {params: 5}}\n", `FILE:2:42: sources.prod.watch.params: 5: want a mapping of the component's parameters`},
		{"kind", "rules:\n  - {name: a, kind: slow}\n", `FILE:2:21: rules[0].kind: "slow": want one of running, task, queued, cancelling, lost, failed, late, missing, deadline, fresh, fast, overlap, disabled, broken, unreachable, unhealthy, stale, stalled, saturated, signal`},
		{"unknown key of a rule", "rules:\n  - {name: a, kind: running, treshold: 2h}\n", `FILE:2:30: rules[0].treshold: unknown key; known here: name, kind, source, project, workflow, task, labels, threshold, floor, cap, for, severity, owner, runbook, text, off, continue, failures, of, by, days, zone, part, signal, above, below, absent, changed, when`},
		{"threshold", "rules:\n  - {name: a, kind: running, threshold: soon}\n", `FILE:2:41: rules[0].threshold: "soon": want a time such as 2h, or usual, or usual*1.5`},
		{"a field that the kind has not", "rules:\n  - {name: a, kind: late, floor: 5m}\n", `FILE:2:34: rules[0].floor: "5m": it bounds what is usual, which a rule of kind late does not know`},
		{"a field that the kind needs", "rules:\n  - {name: a, kind: deadline}\n", `FILE:2:5: rules[0].by: missing: a rule of kind deadline needs it`},
		{"rule without a name", "rules:\n  - {kind: running}\n", `FILE:2:5: rules[0].name: missing: want a short name without blanks and |, such as etl-long`},
		{"rule's name twice", "rules:\n  - {name: a, kind: running}\n  - {name: a, kind: late}\n", `FILE:3:12: rules[1].name: "a": another rule has it`},
		{"condition", "rules:\n  - {name: a, kind: signal, signal: x, when: 'value +'}\n", `FILE:2:46: rules[0].when: "value +": want a condition over value, previous, name, source, labels and signals: unexpected token EOF (1:7)`},
		{"signal without a condition", "rules:\n  - {name: a, kind: signal, signal: x}\n", `FILE:2:37: rules[0].signal: "x": want one of above, below, absent, changed and when (above and below may stand together)`},
		{"unknown receiver", "routes:\n  - {receiver: team}\n", `FILE:2:16: routes[0].receiver: "team": want one of the receivers`},
		{"matchers", "routes:\n  - {match: 'a b', receiver: console}\n", `FILE:2:13: routes[0].match: "a b": want matchers such as project=etl,rule=~late|missing`},
		{"unknown second receiver", "routes:\n  - {receiver: console, second: boss, after: 5m}\n", `FILE:2:33: routes[0].second: "boss": want one of the receivers`},
		{"after without a second", "routes:\n  - {receiver: console, after: 5m}\n", `FILE:2:5: routes[0].second: missing: second and after belong together`},
		{"route without a receiver", "routes:\n  - {match: rule=a}\n", `FILE:2:5: routes[0].receiver: missing: want one of the receivers`},
		{"receiver's name", "receivers:\n  a b: {console: true}\n", `FILE:2:3: receivers["a b"]: key a b: want a short name of letters, digits, _, - and dots, such as team`},
		{"console", "receivers:\n  console: {component: slack.post}\n", `FILE:2:12: receivers.console: a mapping: console is always there; give it another name`},
		{"receiver that is nothing", "receivers:\n  a: {}\n", `FILE:2:6: receivers.a: a mapping: want one of component, console and file`},
		{"receiver that is two things", "receivers:\n  a: {component: slack.post, console: true}\n", `FILE:2:6: receivers.a: a mapping: want one of component, console and file`},
		{"component", "receivers:\n  a: {component: slack}\n", `FILE:2:18: receivers.a.component: "slack": want the name of a component, such as slack.post`},
		{"template's name", "receivers:\n  a: {component: slack.post, template: html}\n", `FILE:2:40: receivers.a.template: "html": want slack, text, webhook, json or bare`},
		{"template of the console", "receivers:\n  a: {console: true, template: json}\n", `FILE:2:32: receivers.a.template: "json": it is for a component`},
		{"file", "receivers:\n  a: {file: log}\n", `FILE:2:13: receivers.a.file: "log": want an absolute path`},
		{"params of a file", "receivers:\n  a: {file: /log, params: {a: 1}}\n", `FILE:2:27: receivers.a.params: a mapping: they are a component's`},
		{"unknown fallback", "receivers:\n  a: {component: slack.post, fallback: b}\n", `FILE:2:40: receivers.a.fallback: "b": want one of the receivers: a, console`},
		{"circle of fallbacks", "receivers:\n  a: {component: slack.post, fallback: b}\n  b: {component: slack.post, fallback: a}\n", `FILE:1:1: routes: missing: there are several receivers: say who is told, such as routes: [{receiver: team}]
FILE:2:40: receivers.a.fallback: "b": it leads back to itself: a → b → a
FILE:3:40: receivers.b.fallback: "a": it leads back to itself: b → a → b`},
		{"way into a circle", "routes: [{receiver: c}]\nreceivers:\n  a: {component: a.b, fallback: a}\n  c: {component: a.b, fallback: a}\n", `FILE:3:33: receivers.a.fallback: "a": it leads back to itself: a → a`},
		{"syntax of a template", "receivers:\n  a: {component: slack.post, params: {x: {y: ['{{.Title']}}}\n", `FILE:2:47: receivers.a.params.x.y[0]: "{{.Title": want a template: 1: unclosed action`},
		{"template of another component", "receivers:\n  a: {component: slack.post, template: webhook}\n", `FILE:2:40: receivers.a.template: "webhook": none for slack.post: want one of slack, bare`},
		{"field that no message has", "receivers:\n  a: {component: slack.post, params: {text: '{{.Nope}}'}}\n", `FILE:2:45: receivers.a.params.text: "{{.Nope}}": want a template: 1:2: executing "template" at <.Nope>: can't evaluate field Nope in type message.Message`},
		{"function that there is not", "receivers:\n  a: {component: slack.post, params: {text: '{{nix}}'}}\n", `FILE:2:45: receivers.a.params.text: "{{nix}}": want a template: 1: function "nix" not defined`},
		{"several receivers without a route", "receivers:\n  a: {console: true}\n  b: {console: true}\n", `FILE:1:1: routes: missing: there are several receivers: say who is told, such as routes: [{receiver: team}]`},
		{"unknown receiver of an action", "actions:\n  - {name: a, match: rule=a, do: {component: a.b}, escalate: boss}\n", `FILE:2:62: actions[0].escalate: "boss": want one of the receivers: console`},
		{"action without a name", "actions:\n  - {match: rule=a, do: {component: a.b}}\n", `FILE:2:5: actions[0].name: missing: want a short name of letters, digits, _, - and dots, such as restart-scheduler`},
		{"action without matchers", "actions:\n  - {name: a, do: {component: a.b}}\n", `FILE:2:5: actions[0].match: missing: want the alerts that it is done for, such as rule=stale,part=scheduler; source=~.* are all`},
		{"action that does nothing", "actions:\n  - {name: a, match: rule=a}\n", `FILE:2:5: actions[0].do: missing: want the component to run, such as {component: digdag.retry, params: {…}}, or several`},
		{"component of an action", "actions:\n  - {name: a, match: rule=a, do: {component: ab}}\n", `FILE:2:46: actions[0].do.component: "ab": want the name of a component, such as slack.post`},
		{"second step without a component", "actions:\n  - {name: a, match: rule=a, do: [{component: a.b}, {params: {}}]}\n", `FILE:2:53: actions[0].do[1].component: missing: want the name of a component, such as slack.post`},
		{"field that no alert has", "actions:\n  - {name: a, match: rule=a, do: {component: a.b, params: {x: '{{.Alert.Prat}}'}}}\n", `FILE:2:63: actions[0].do.params.x: "{{.Alert.Prat}}": 1:8: executing "template" at <.Alert.Prat>: can't evaluate field Prat in type alert.Alert`},
		{"unknown function", "actions:\n  - {name: a, match: rule=a, do: [{component: a.b, params: {x: '{{nix}}'}}]}\n", `FILE:2:64: actions[0].do[0].params.x: "{{nix}}": 1: function "nix" not defined`},
		{"unknown key of a step", "actions:\n  - {name: a, match: rule=a, do: {component: a.b, parms: {}}}\n", `FILE:2:51: actions[0].do.parms: unknown key; known here: component, params`},
		{"cooldown without a unit", "actions:\n  - {name: a, match: rule=a, do: {component: a.b}, cooldown: 5}\n", `FILE:2:62: actions[0].cooldown: expected a string, got 5`},
		{"at most none", "actions:\n  - {name: a, match: rule=a, do: {component: a.b}, at_most: 0}\n", `FILE:2:61: actions[0].at_most: 0: want a number above zero`},
		{"window without at_most", "actions:\n  - {name: a, match: rule=a, do: {component: a.b}, window: 1h}\n", `FILE:2:60: actions[0].window: "1h": it is that of at_most, which is missing`},
		{"action's name twice", "actions:\n  - {name: a, match: rule=a, do: {component: a.b}}\n  - {name: a, match: rule=a, do: {component: a.b}}\n", `FILE:3:12: actions[1].name: "a": another action has it`},
		{"silence of all", "silences:\n  - {match: '', until: 2026-11-23T00:00:00Z}\n", `FILE:2:13: silences[0].match: "": a silence needs matchers, such as project=etl; source=~.* silences all`},
		{"day as time", "silences:\n  - {match: rule=a, until: 2026-11-23}\n", `FILE:2:28: silences[0].until: "2026-11-23": want a time such as 2026-11-22T09:00:00+09:00`},
		{"silence without an end", "silences:\n  - {match: rule=a}\n", `FILE:2:5: silences[0].until: missing: a silence has to end after it begins`},
		{"silence that ends first", "silences:\n  - {match: rule=a, from: 2026-11-23T00:00:00Z, until: 2026-11-22T00:00:00Z}\n", `FILE:2:56: silences[0].until: "2026-11-22T00:00:00Z": a silence has to end after it begins`},
		{"crontab", "windows:\n  - {name: w, cron: '0 25 * * *', for: 1h}\n", `FILE:2:21: windows[0].cron: "0 25 * * *": want a crontab's five fields, such as 0 2 * * sun`},
		{"window without a length", "windows:\n  - {name: w, cron: '0 2 * * *'}\n", `FILE:2:5: windows[0].for: missing: want a duration above zero and up to 31d`},
		{"zone of a window", "windows:\n  - {name: w, cron: '0 2 * * *', for: 1h, zone: Nix}\n", `FILE:2:49: windows[0].zone: "Nix": want a time zone such as Asia/Tokyo or UTC`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.text)
			if got := shown(err); got != c.want {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
		})
	}
}

func shown(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	for line := range strings.SplitSeq(text, "\n") {
		if i := strings.Index(line, "outrider.yml:"); i >= 0 {
			text = strings.ReplaceAll(text, line[:i]+"outrider.yml:", "FILE:")
		}
	}
	return text
}
