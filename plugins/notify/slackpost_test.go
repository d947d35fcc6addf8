package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

func output(t *testing.T, o sdktest.Outcome) slackOutput {
	t.Helper()
	if o.Err() != nil {
		t.Fatalf("%v (%s)", o.Err(), o.Code)
	}
	var out slackOutput
	if err := o.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAMessageIsPostedThenRepliedToThenUpdated(t *testing.T) {
	s := newSlack(t, recorded(t, "posted"), recorded(t, "replied"), recorded(t, "updated"))
	first := output(t, post(t, slackJSON(s, `, "channel": "#alerts", "text": "orders are <late> & <!channel> :hourglass:",
		"metadata": {"event_type": "outrider_alert", "event_payload": {"incident": 7}}`)))
	if first.Channel != "C024BE91L" || first.TS != "1503435956.000247" || first.Thread != first.TS || len(first.Cut) != 0 {
		t.Fatalf("%+v", first)
	}
	reply := output(t, post(t, slackJSON(s, `, "channel": "`+first.Channel+`", "thread": "`+first.Thread+`", "text": "see <https://x.example|here>", "mrkdwn": true`)))
	if reply.Thread != first.TS || reply.TS == first.TS {
		t.Errorf("%+v", reply)
	}
	changed := output(t, post(t, slackJSON(s, `, "channel": "`+first.Channel+`", "update": "`+first.TS+`", "text": "there", "blocks": [{"type": "new_kind", "deep": {"a": 1}}]`)))
	if changed.TS != first.TS {
		t.Errorf("%+v", changed)
	}
	got := s.requests()
	for i, want := range []map[string]string{
		{
			"channel": "#alerts", "text": "orders are &lt;late&gt; &amp; &lt;!channel&gt; :hourglass:", "token": testToken, "mrkdwn": "false",
			"metadata": `{"event_type":"outrider_alert","event_payload":{"incident":7}}`, "thread_ts": "",
		},
		{"channel": "C024BE91L", "thread_ts": "1503435956.000247", "text": "see <https://x.example|here>", "mrkdwn": ""},
		{"channel": "C024BE91L", "ts": "1503435956.000247", "text": "there", "blocks": `[{"deep":{"a":1},"type":"new_kind"}]`, "attachments": "[]"},
	} {
		for field, value := range want {
			if got[i].form.Get(field) != value {
				t.Errorf("call %d: %s is %q, want %q", i, field, got[i].form.Get(field), value)
			}
		}
	}
	if got[0].path != "/api/chat.postMessage" || got[1].path != "/api/chat.postMessage" || got[2].path != "/api/chat.update" {
		t.Errorf("%s, %s, %s", got[0].path, got[1].path, got[2].path)
	}
}

func TestWhatIsTooLongIsCutAndTold(t *testing.T) {
	s := newSlack(t, recorded(t, "posted"))
	var blocks []string
	for range 60 {
		blocks = append(blocks, `{"type": "section", "text": {"type": "mrkdwn", "text": "`+strings.Repeat("é", 4000)+`"}}`)
	}
	o := post(t, slackJSON(s, `, "channel": "C1", "text": "`+strings.Repeat("<", 20_000)+`", "blocks": [`+strings.Join(blocks, ",")+`]`))
	out := output(t, o)
	form := s.requests()[0].form
	var sent []map[string]any
	if err := json.Unmarshal([]byte(form.Get("blocks")), &sent); err != nil {
		t.Fatal(err)
	}
	text := form.Get("text")
	if n := len([]rune(text)); n > 40_000 || n < 39_980 || !strings.HasSuffix(text, "&lt;… [cut]") {
		t.Errorf("the text is %d characters, …%s", n, text[len(text)-20:])
	}
	first := sent[0]["text"].(map[string]any)["text"].(string)
	if len(sent) != 50 || len([]rune(first)) != 3000 {
		t.Errorf("%d blocks, the first of %d", len(sent), len([]rune(first)))
	}
	if strings.Join(out.Cut[:3], " ") != "text blocks blocks.0.text.text" || len(o.Logs) == 0 || o.Logs[0].Level != "warn" {
		t.Errorf("told %v, %v", out.Cut, o.Logs)
	}
}

func TestSlacksRefusalsSayWhatToDo(t *testing.T) {
	refuse := func(code string) answer { return answer{status: 200, body: `{"ok":false,"error":"` + code + `"}`} }
	for _, c := range []struct {
		answer answer
		state  sdktest.State
		code   string
		says   string
	}{
		{recorded(t, "missing_scope"), sdktest.Permanent, "missing_scope", "needed: chat:write:bot; the token has: incoming-webhook,channels:read"},
		{recorded(t, "invalid_blocks"), sdktest.Permanent, "invalid_blocks", "/blocks/0/type"},
		{refuse("channel_not_found"), sdktest.Permanent, "channel_not_found", "was deleted"},
		{refuse("is_archived"), sdktest.Permanent, "is_archived", "unarchive it"},
		{refuse("invalid_auth"), sdktest.Permanent, "invalid_auth", "make a new one"},
		{refuse("fatal_error"), sdktest.Failed, "fatal_error", "try again"},
		{refuse("internal_error"), sdktest.Failed, "internal_error", "try again"},
		{answer{status: 502, body: "<html>bad gateway</html>"}, sdktest.Failed, "internal_error", "status 502"},
		{answer{status: 200, body: "<html>login</html>"}, sdktest.Failed, "bad_answer", "proxy"},
		{answer{status: 200, body: "{}"}, sdktest.Failed, "bad_answer", "neither ok"},
		{answer{status: 200, body: `{"ok":false,"error":"x_` + testToken + `"}`}, sdktest.Failed, "slack_error", "docs.slack.dev"},
		{answer{status: 307, header: http.Header{"Location": {"http://127.0.0.1:1/"}}}, sdktest.Permanent, "redirected", "a token is not sent there"},
	} {
		s := newSlack(t, c.answer)
		o := post(t, slackJSON(s, `, "channel": "C1", "text": "hi"`))
		if o.State != c.state || o.Code != c.code || !strings.Contains(o.Error, c.says) {
			t.Errorf("%s: %s, %s, %s", c.answer.body, o.State, o.Code, o.Error)
		}
		if strings.Contains(o.Error, testToken) || len(s.requests()) != 1 {
			t.Errorf("%s: %d requests, %s", c.answer.body, len(s.requests()), o.Error)
		}
	}
}

func TestARateLimitIsWaitedFor(t *testing.T) {
	limited := answer{status: 429, header: http.Header{"Retry-After": {"1"}}, body: `{"ok":false,"error":"ratelimited"}`}
	s := newSlack(t, limited, recorded(t, "posted"))
	began := time.Now()
	o := post(t, slackJSON(s, `, "channel": "C1", "text": "hi"`))
	if out := output(t, o); out.TS == "" || len(s.requests()) != 2 {
		t.Errorf("%+v after %d requests", out, len(s.requests()))
	}
	if time.Since(began) < time.Second {
		t.Error("it has not waited as long as Slack asked")
	}
	if got := s.requests(); got[0].form.Encode() != got[1].form.Encode() {
		t.Errorf("the second request differs: %v", got[1].form)
	}
	if len(o.Logs) != 1 || o.Logs[0].Fields["why"] != "ratelimited" || o.Logs[0].Fields["wait"] != "1s" {
		t.Errorf("%v", o.Logs)
	}
}

func TestALongRateLimitIsLeftToTheCaller(t *testing.T) {
	for name, params := range map[string]func(*fakeSlack) string{
		"token":   func(s *fakeSlack) string { return slackJSON(s, `, "channel": "C1", "text": "hi", "timeout": "5s"`) },
		"webhook": func(s *fakeSlack) string { return hookJSON(s, `, "text": "hi", "timeout": "5s"`) },
	} {
		s := newSlack(t, answer{status: 429, header: http.Header{"Retry-After": {"600"}}})
		o := post(t, params(s))
		if o.State != sdktest.Failed || o.Code != "ratelimited" || o.RetryAfter != 10*time.Minute || len(s.requests()) != 1 {
			t.Errorf("%s: %s, %s, %v, %d requests", name, o.State, o.Code, o.RetryAfter, len(s.requests()))
		}
	}
}

func TestAWebhookGetsTheMessage(t *testing.T) {
	s := newSlack(t, answer{status: 200, body: "ok"})
	out := output(t, post(t, hookJSON(s, `, "text": "a < b", "thread": "12.3", "blocks": [{"type": "divider"}]`)))
	var sent map[string]any
	if err := json.Unmarshal([]byte(s.requests()[0].body), &sent); err != nil {
		t.Fatal(err)
	}
	if want := "map[blocks:[map[type:divider]] mrkdwn:false text:a &lt; b thread_ts:12.3]"; fmt.Sprint(sent) != want || s.requests()[0].path != hookPath {
		t.Errorf("%v", sent)
	}
	if out.TS != "" || out.Channel != "" || out.Cut == nil {
		t.Errorf("%+v", out)
	}
}

func TestAWebhooksErrors(t *testing.T) {
	for _, c := range []struct {
		status     int
		body, code string
		state      sdktest.State
	}{
		{200, "no_text", "no_text", sdktest.Permanent},
		{200, "something went wrong at " + hookPath, "bad_answer", sdktest.Failed},
		{200, `{"ok":false,"error":"invalid_token"}`, "invalid_webhook", sdktest.Permanent},
		{404, "no_service", "invalid_webhook", sdktest.Permanent},
		{404, "no route " + hookPath, "bad_answer", sdktest.Permanent},
		{410, "channel_is_archived", "is_archived", sdktest.Permanent},
		{500, "rollup_error", "rollup_error", sdktest.Failed},
	} {
		s := newSlack(t, answer{status: c.status, body: c.body})
		o := post(t, hookJSON(s, `, "text": "hi"`))
		if o.State != c.state || o.Code != c.code || strings.Contains(o.Error, "q1w2e3r4") || strings.Contains(o.Error, "T00000001") {
			t.Errorf("%d %s: %s, %s, %s", c.status, c.body, o.State, o.Code, o.Error)
		}
	}
}

func TestATemplateIsPosted(t *testing.T) {
	s := newSlack(t, recorded(t, "posted"))
	params := `, "channel": "#alerts", "template": "testdata/templates/failed.yml", "values": {"workflow_name": "orders", "error.message": "<!here>", "session_date": "2026-03-01"}`
	output(t, post(t, slackJSON(s, params)))
	form := s.requests()[0].form
	if form.Get("username") != "Digdag" || form.Get("icon_emoji") != ":cry:" || !strings.Contains(form.Get("attachments"), `"value":"`+"`\\u0026lt;!here\\u0026gt;`") {
		t.Errorf("%v", form)
	}
	o := post(t, slackJSON(s, `, "channel": "C1", "template": "testdata/templates/failed.yml"`))
	if o.State != sdktest.Permanent || o.Code != "bad_template" || !strings.Contains(o.Error, "failed.yml: the template asks for ${error.message}, ${session_date}, ${workflow_name}") {
		t.Errorf("%s, %s, %s", o.State, o.Code, o.Error)
	}
	o = post(t, slackJSON(s, `, "channel": "C1", "template": "testdata/none.yml"`))
	if o.Code != "bad_template" || !strings.Contains(o.Error, "testdata/none.yml") {
		t.Errorf("%s, %s", o.Code, o.Error)
	}
}

// TestAnUpdateLeavesNothingOfTheMessageBefore: Slack keeps what an update does not name.
func TestAnUpdateLeavesNothingOfTheMessageBefore(t *testing.T) {
	s := newSlack(t, recorded(t, "updated"))
	output(t, post(t, slackJSON(s, `, "channel": "C1", "update": "1.2", "text": "a *b*"`)))
	output(t, post(t, slackJSON(s, `, "channel": "C1", "update": "1.2", "template": "testdata/templates/failed.yml", "values": {"workflow_name": "a", "error.message": "b", "session_date": "c"}`)))
	output(t, post(t, slackJSON(s, `, "channel": "C1", "text": "not an update"`)))
	got := s.requests()
	if form := got[0].form; form.Get("attachments") != "[]" || form.Get("blocks") != "[]" || form.Get("mrkdwn") != "false" {
		t.Errorf("text: %v", form)
	}
	if form := got[1].form; !strings.HasPrefix(form.Get("attachments"), "[{") || form.Get("blocks") != "[]" {
		t.Errorf("template: %v", form)
	}
	if form := got[2].form; form.Has("attachments") || form.Has("blocks") {
		t.Errorf("a new message: %v", form)
	}
}

// TestATemplatesLinkNamesMentionNobody unless mrkdwn says that they may.
func TestATemplatesLinkNamesMentionNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "linked.yml")
	if err := os.WriteFile(file, []byte("text: ${who}, look\nlink_names: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mrkdwn := range []bool{false, true} {
		more := fmt.Sprintf(`, "template": %q, "values": {"who": "@channel"}, "mrkdwn": %v`, file, mrkdwn)
		s := newSlack(t, recorded(t, "posted"))
		o := post(t, slackJSON(s, `, "channel": "C1"`+more))
		output(t, o)
		if form := s.requests()[0].form; form.Has("link_names") != mrkdwn || form.Has("mrkdwn") {
			t.Errorf("%v: %v", mrkdwn, form)
		}
		if told := len(o.Logs) == 1 && strings.Contains(o.Logs[0].Message, "link_names"); told == mrkdwn {
			t.Errorf("%v: %v", mrkdwn, o.Logs)
		}
		hook := newSlack(t, answer{status: 200, body: "ok"})
		output(t, post(t, hookJSON(hook, more)))
		if body := hook.requests()[0].body; strings.Contains(body, "link_names") != mrkdwn {
			t.Errorf("%v: %s", mrkdwn, body)
		}
	}
}

func TestParametersThatContradictAreRefused(t *testing.T) {
	s := newSlack(t, recorded(t, "posted"))
	for params, want := range map[string]string{
		`{"text": "hi"}`: "give either token or webhook",
		slackJSON(s, `, "webhook": "https://x.example/abc", "text": "hi"`):                                            "give either token or webhook",
		slackJSON(s, `, "text": "hi"`):                                                                                "channel: is required",
		slackJSON(s, `, "channel": "C1"`):                                                                             "either text or blocks, or a template",
		slackJSON(s, `, "channel": "C1", "text": "a", "template": "b"`):                                               "either text or blocks, or a template",
		slackJSON(s, `, "channel": "C1", "text": "a", "values": {"a": "b"}`):                                          "values: they are for a template",
		slackJSON(s, `, "channel": "C1", "text": "a", "update": "1", "thread": "2"`):                                  "thread: a message that is updated",
		slackJSON(s, `, "channel": "C1", "text": "a", "adopt": true`):                                                 "adopt: it looks for the metadata",
		slackJSON(s, `, "channel": "C1", "text": "a", "adopt": true, "metadata": {"event_type": "x"}, "update": "1"`): "adopt: it looks for the metadata",
		slackJSON(s, `, "channel": "C1", "text": "a", "adopt_since": "2026-01-01T00:00:00Z"`):                         "adopt_since: is for adopt",
		hookJSON(s, `, "text": "a", "update": "1"`):                                                                   "webhook: it can neither",
		hookJSON(s, `, "text": "a", "metadata": {"event_type": "x"}`):                                                 "webhook: it can neither",
	} {
		if o := post(t, params); o.Code != "bad_params" || !strings.Contains(o.Error, want) {
			t.Errorf("%s: %s, %s", params, o.Code, o.Error)
		}
	}
	if len(s.requests()) != 0 {
		t.Error("something was posted")
	}
}

func TestSlackThatIsNotThere(t *testing.T) {
	s := newSlack(t, recorded(t, "posted"))
	params := slackJSON(s, `, "channel": "C1", "text": "hi", "timeout": "1s"`)
	hook := hookJSON(s, `, "text": "hi", "timeout": "1s"`)
	s.Close()
	for _, params := range []string{params, hook} {
		o := post(t, params)
		if o.State != sdktest.Failed || o.Code != "unreachable" || !strings.HasPrefix(o.Error, "Slack cannot be reached: dial tcp 127.0.0.1:") {
			t.Errorf("%s, %s, %s", o.State, o.Code, o.Error)
		}
	}
}

func TestASlackThatHangs(t *testing.T) {
	came := make(chan struct{}, 2)
	over := make(chan struct{})
	s := newSlack(t, recorded(t, "posted"))
	s.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	defer close(over)
	o := post(t, slackJSON(s, `, "channel": "C1", "text": "hi", "timeout": "1s"`))
	if o.State != sdktest.Failed || o.Code != "timed_out" || !strings.Contains(o.Error, "within 1s") {
		t.Errorf("%s, %s, %s", o.State, o.Code, o.Error)
	}
	<-came
	if o := post(t, slackJSON(s, `, "channel": "C1", "text": "hi"`), sdktest.Context(cancelledBy(t, came))); o.State != sdktest.Cancelled {
		t.Errorf("%s, %s", o.State, o.Error)
	}
}

func TestSlackPostConforms(t *testing.T) {
	waiting := newSlack(t, answer{status: 429, header: http.Header{"Retry-After": {"1"}}}, recorded(t, "posted"))
	hook := newSlack(t, answer{status: 404, body: "nothing at " + hookPath})
	sdktest.Conform(t, slackPost(),
		sdktest.Case{Params: slackJSON(waiting, `, "channel": "C1", "text": "hi"`)},
		sdktest.Case{Params: hookJSON(hook, `, "text": "hi"`)})
}
