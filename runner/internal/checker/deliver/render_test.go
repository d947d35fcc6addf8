package deliver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
)

func render(t *testing.T, r Receiver, m message.Message, thread string) (params map[string]any, problem string) {
	t.Helper()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	raw, problem, err := Render(r, m, json.RawMessage(thread))
	if err != nil || json.Unmarshal(raw, &params) != nil {
		t.Fatalf("%s, %v", raw, err)
	}
	return params, problem
}

func firing() message.Message { return message.Of(event(alert.New, "team", "daily", 1)) }

func TestSlacksMessageIsReadOnAPhone(t *testing.T) {
	params, problem := render(t, Receiver{Name: "team", Component: "slack.post", Params: json.RawMessage(`{"token": "env:T", "channel": "#data"}`)}, firing(), "")
	var shown []string
	for _, b := range params["blocks"].([]any) {
		b := b.(map[string]any)
		text := b["text"].(map[string]any)
		if text["type"] == "mrkdwn" && text["verbatim"] != true {
			t.Errorf("names in %v may mention", b)
		}
		shown = append(shown, fmt.Sprintf("[%s %s] %s", b["type"], text["type"], text["text"]))
	}
	expect(t, "the message", strings.Join(shown, "\n"), "[header plain_text] 🔴 CRITICAL: prod:etl/daily@7: running for 47m, usually 30m\n"+
		"[section plain_text] since: 2026-03-02 02:13 UTC\nusual: 30m, mostly 29m to 31m, in 5 successes\nthreshold: 45m (usual, which is 1.5 times the median; timed from its creation)\n"+
		"[section plain_text] task: +daily+load (sh&gt;, running) for 40m\n"+
		"[section mrkdwn] ```\nwaiting for lock\nstill waiting\n```\n"+
		"[section plain_text] changed: revision r2, which was r1 in the last success\nowner: data\n"+
		"[section mrkdwn] <https://wiki.example/long|runbook>   <http://d.example/attempts/7?a=1&amp;b=2|link>\n"+
		"[section mrkdwn] see its log\n```\noutrider logs prod:etl/daily@7\n```\nkill it\n```\noutrider kill --yes prod:etl/daily@7\n```\n"+
		"acknowledge it\n```\noutrider-checker alerts ack 'prod|running|daily'\n```\n"+
		"silence it for two hours\n```\noutrider-checker alerts silence --match 'source=prod,project=etl,workflow=daily,rule=running' --for 2h --reason '…'\n```")
	if problem != "" || params["text"] != "🔴 CRITICAL: prod:etl/daily@7: running for 47m, usually 30m" || params["channel"] != "#data" || params["timeout"] != "30s" {
		t.Errorf("%q, %v", problem, params)
	}
	if got := fmt.Sprint(params["metadata"]); got != "map[event_payload:map[incident:team|daily seq:1] event_type:outrider_alert]" {
		t.Error(got)
	}
}

func TestAMailHasATitleAndAText(t *testing.T) {
	m := firing()
	m.Items[0].What, m.Title = "running: @here <!channel>", "CRITICAL: \n@everyone"
	params, _ := render(t, Receiver{Name: "mail", Component: "notify.send", Params: json.RawMessage(`{"targets": {"a": "env:MAIL"}}`)}, m, "")
	if params["title"] != "CRITICAL:  ⏎ @\u200beveryone" {
		t.Errorf("%q", params["title"])
	}
	text := params["message"].(string)
	if !strings.HasPrefix(text, "  since: 2026-03-02 02:13 UTC\n") || !strings.Contains(text, "    | still waiting\n") || strings.Contains(text, "CRITICAL") {
		t.Error(text)
	}
	short, _ := render(t, Receiver{Name: "mail", Component: "notify.send", Params: json.RawMessage(`{"targets": {}, "title": "mine"}`)}, message.Message{Title: "test"}, "")
	if short["title"] != "mine" || short["message"] != "test" {
		t.Error(short)
	}
}

func TestAlertmanagersBody(t *testing.T) {
	e := event(alert.New, "hook", "daily", 1)
	e.Alerts = append(e.Alerts, alarm("other"))
	e.Alerts[1].State, e.Alerts[1].Since, e.Alerts[1].Labels = alert.Resolved, time.Time{}, map[string]string{"team": "x"}
	e.Total = 5
	params, _ := render(t, Receiver{Name: "hook", Component: "http.request", Params: json.RawMessage(`{"url": "http://am.example/"}`)}, message.Of(e), "")
	body := params["json"].(map[string]any)
	alerts := body["alerts"].([]any)
	first, second := alerts[0].(map[string]any), alerts[1].(map[string]any)
	labels := first["labels"].(map[string]any)
	for _, c := range []struct{ got, want any }{
		{params["method"], "POST"},
		{body["version"], "4"},
		{body["status"], "firing"},
		{body["receiver"], "hook"},
		{body["groupKey"], "hook|daily"},
		{body["truncatedAlerts"], 3.0},
		{first["status"], "firing"},
		{first["startsAt"], "2026-03-02T02:13:00Z"},
		{first["endsAt"], "0001-01-01T00:00:00Z"},
		{first["generatorURL"], "http://d.example/attempts/7?a=1&b=2"},
		{labels["alertname"], "running"},
		{labels["severity"], "critical"},
		{labels["workflow"], "daily"},
		{labels["project"], "etl"},
		{second["status"], "resolved"},
		{second["endsAt"], "2026-03-02T03:00:00Z"},
		{second["startsAt"], "2026-03-02T03:00:00Z"},
		{second["labels"].(map[string]any)["team"], "x"},
		{first["annotations"].(map[string]any)["summary"], "prod:etl/daily@7: running for 47m, usually 30m"},
		{first["annotations"].(map[string]any)["runbook_url"], "https://wiki.example/long"},
		{fmt.Sprint(body["commonLabels"]), "map[alertname:running kind:running owner:data project:etl rule:running run:7 severity:critical source:prod]"},
	} {
		if c.got != c.want {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	if first["fingerprint"] == second["fingerprint"] {
		t.Error("two alerts have one fingerprint")
	}
	over, _ := render(t, Receiver{Name: "hook", Component: "http.request", Params: json.RawMessage(`{"url": "http://am.example/"}`)}, message.Of(event(alert.Recovered, "hook", "daily", 2)), "")
	if over["json"].(map[string]any)["status"] != "resolved" {
		t.Error(over)
	}
}

func TestOtherComponentsGetTheMessage(t *testing.T) {
	own, _ := render(t, Receiver{Component: "ops.page", Params: json.RawMessage(`{"n": 12345678901234567890}`)}, firing(), "")
	if own["message"].(map[string]any)["title"] != firing().Title {
		t.Error(own)
	}
	hook, _ := render(t, Receiver{Component: "http.request", Template: JSON, Params: json.RawMessage(`{"method": "PUT"}`)}, firing(), "")
	if hook["json"].(map[string]any)["incident"] != "team|daily" || hook["method"] != "PUT" {
		t.Error(hook)
	}
	bare, _ := render(t, Receiver{Component: "ops.page", Params: json.RawMessage(`{"deep": [{"say": "{{.Severity}} {{(index .Items 0).Labels.workflow}}"}], "plain": "a {b}"}`)}, firing(), "")
	if fmt.Sprint(bare) != "map[deep:[map[say:critical daily]] plain:a {b}]" {
		t.Error(bare)
	}
	whole, _ := render(t, Receiver{Component: "ops.page", Params: json.RawMessage(`{"say": "{{text .}}"}`)}, firing(), "")
	if whole["say"] != message.Text(firing(), message.Plain) {
		t.Error(whole)
	}
}

// TestATemplateThatFailsGivesPlainText, and the message says so.
func TestATemplateThatFailsGivesPlainText(t *testing.T) {
	for params, where := range map[string]string{
		`{"token": "env:T", "channel": "#data", "text": "{{(index .Items 7).What}}"}`:          "params.text",
		`{"token": "env:T", "channel": "#data", "text": "{{(index .Items 0).Labels.nobody}}"}`: "params.text",
	} {
		got, problem := render(t, Receiver{Name: "team", Component: "slack.post", Params: json.RawMessage(params)}, firing(), "")
		text := got["text"].(string)
		if !strings.HasPrefix(text, "CRITICAL: prod:etl/daily@7: running for 47m, usually 30m\nnote: this is plain text, since a template of receiver team failed: template: "+where) ||
			!strings.Contains(text, "kill it: outrider kill") || !strings.Contains(problem, where) || got["blocks"] != nil {
			t.Errorf("%s: %s\n%s", params, problem, text)
		}
	}
}

// TestATemplateOfSlacksMarkupMentionsNobody, whatever things are called.
func TestATemplateOfSlacksMarkupMentionsNobody(t *testing.T) {
	m := firing()
	m.Title = "<!channel>\x07"
	for params, want := range map[string]string{
		`{"token": "env:T", "mrkdwn": true, "text": "{{.Title}}"}`:                                              "&lt;!channel&gt;&lt;U+0007&gt;",
		`{"token": "env:T", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "{{.Title}}"}}]}`: "&lt;!channel&gt;&lt;U+0007&gt;",
		`{"token": "env:T", "text": "{{.Title}}"}`:                                                              "<!channel>\x07", // slack.post escapes it
	} {
		got, _ := render(t, Receiver{Name: "team", Component: "slack.post", Params: json.RawMessage(params)}, m, "")
		raw, err := json.Marshal([]any{got["text"], got["blocks"]})
		wanted, err2 := json.Marshal(want)
		if err != nil || err2 != nil || !strings.Contains(string(raw), string(wanted)) {
			t.Errorf("%s: %s, want %s", params, raw, wanted)
		}
	}
}

// TestWhatIsReferencedStaysAReference: no secret is read here.
func TestWhatIsReferencedStaysAReference(t *testing.T) {
	t.Setenv("T", "xoxb-hidden")
	got, _ := render(t, Receiver{Name: "team", Component: "slack.post", Params: json.RawMessage(`{"token": "env:T", "channel": "#data"}`)}, firing(), "")
	if got["token"] != "env:T" {
		t.Error(got["token"])
	}
}

func TestParamsThatAreNone(t *testing.T) {
	for _, params := range []string{`[]`, `null`, `{`, `"x"`} {
		r := Receiver{Name: "team", Component: "ops.page", Params: json.RawMessage(params)}
		if _, _, err := Render(r, firing(), nil); err == nil || !strings.Contains(err.Error(), "params: want an object") {
			t.Errorf("%s: %v", params, err)
		}
	}
}

func TestManyMissedRunsAreCut(t *testing.T) {
	m := message.Of(event(alert.Recovered, "team", "daily", 2))
	for i := range 100 {
		m.Missed = append(m.Missed, message.Missed{Missed: finding.Missed{At: t0}, Start: fmt.Sprintf("outrider start %d", i)})
	}
	raw, err := json.Marshal(layout(m))
	if err != nil || !strings.Contains(string(raw), "outrider start 14\\n") || strings.Contains(string(raw), "outrider start 15\\n") || !strings.Contains(string(raw), "and 85 more") {
		t.Errorf("%s, %v", raw, err)
	}
}
