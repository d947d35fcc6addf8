package slacktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// ask calls a method over HTTP.
func ask(t *testing.T, s *Server, method string, form url.Values) (status int, header http.Header, said map[string]any) {
	t.Helper()
	resp, err := http.PostForm(s.URL+method, form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, resp.Header, said
}

func form(pairs ...string) url.Values {
	f := url.Values{"token": {Token}}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

func TestAThreadIsPostedEditedAndFound(t *testing.T) {
	s := New(t, "#data")
	_, _, first := ask(t, s, "chat.postMessage", form("channel", "#data", "text", "one", "metadata", `{"event_type":"x","event_payload":{"n":1}}`))
	channel, ts := first["channel"].(string), first["ts"].(string)
	_, _, reply := ask(t, s, "chat.postMessage", form("channel", channel, "thread_ts", ts, "text", "two"))
	if first["ok"] != true || reply["ok"] != true || reply["message"].(map[string]any)["thread_ts"] != ts {
		t.Fatal(first, reply)
	}
	if _, _, said := ask(t, s, "chat.update", form("channel", channel, "ts", ts, "text", "changed", "blocks", "[]")); said["ok"] != true {
		t.Fatal(said)
	}
	threads := s.Threads()
	if len(threads) != 1 || len(threads[0]) != 2 || threads[0][0].Text != "changed" || threads[0][0].Edits != 1 || threads[0][1].Thread != ts {
		t.Fatalf("%+v", threads)
	}
	_, _, history := ask(t, s, "conversations.history", form("channel", channel, "limit", "10", "include_all_metadata", "1"))
	_, _, replies := ask(t, s, "conversations.replies", form("channel", channel, "ts", ts, "limit", "10"))
	_, _, list := ask(t, s, "conversations.list", form())
	if got := fmt.Sprint(history["messages"]); !strings.Contains(got, "event_type:x") || !strings.Contains(got, "thread_ts:"+ts) || strings.Contains(got, "two") {
		t.Error(got)
	}
	if got := fmt.Sprint(replies["messages"]); !strings.Contains(got, "two") || !strings.Contains(got, "changed") || strings.Contains(got, "event_type") {
		t.Error(got)
	}
	if got := fmt.Sprint(list["channels"]); got != "[map[id:"+channel+" is_channel:true name:data]]" {
		t.Error(got)
	}
}

func TestHistoryComesInPages(t *testing.T) {
	s := New(t, "#data")
	at := time.Unix(1000, 0)
	s.Clock(func() time.Time { at = at.Add(time.Second); return at })
	for i := range 5 {
		s.Try("chat.postMessage", form("channel", "data", "text", fmt.Sprint("m", i)))
	}
	var got []string
	cursor := ""
	for {
		_, _, page := ask(t, s, "conversations.history", form("channel", s.Channel("data"), "limit", "2", "cursor", cursor, "oldest", "1002"))
		for _, m := range page["messages"].([]any) {
			got = append(got, m.(map[string]any)["text"].(string))
		}
		if cursor = page["response_metadata"].(map[string]any)["next_cursor"].(string); cursor == "" {
			break
		}
	}
	if strings.Join(got, " ") != "m4 m3 m2 m1" {
		t.Error(got)
	}
}

func TestWhatSlackRefuses(t *testing.T) {
	s := New(t, "#data")
	section := func(text, more string) string {
		return `[{"type": "section", "text": {"type": "mrkdwn", "text": "` + text + `"` + more + `}}]`
	}
	for _, c := range []struct{ method, want, key, value string }{
		{"chat.postMessage", "invalid_auth", "token", "xoxb-other"},
		{"chat.postMessage", "channel_not_found", "channel", "#gone"},
		{"chat.postMessage", "thread_not_found", "thread_ts", "1.2"},
		{"chat.postMessage", "no_text", "text", ""},
		{"chat.postMessage", "msg_too_long", "text", strings.Repeat("x", 40_001)},
		{"chat.postMessage", "invalid_metadata_format", "metadata", `{"event_type": ""}`},
		{"chat.postMessage", "invalid_blocks_format", "blocks", `{`},
		{"chat.postMessage", "invalid_blocks", "blocks", section(strings.Repeat("x", 3001), "")},
		{"chat.postMessage", "invalid_blocks", "blocks", section("", "")},
		{"chat.postMessage", "invalid_blocks", "blocks", section("x", `, "emoji": true`)},
		{"chat.postMessage", "invalid_blocks", "blocks", `[{"type": "sectio"}]`},
		{"chat.postMessage", "invalid_blocks", "blocks", `[{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]`},
		{"chat.postMessage", "invalid_blocks", "blocks", `[{"type": "context", "elements": []}]`},
		{"chat.postMessage", "invalid_blocks", "blocks", "[" + strings.TrimSuffix(strings.Repeat(`{"type": "divider"},`, 51), ",") + "]"},
		{"chat.update", "message_not_found", "ts", "1.2"},
		{"conversations.history", "channel_not_found", "channel", "#data"},
		{"conversations.replies", "thread_not_found", "ts", "1.2"},
		{"conversations.history", "invalid_limit", "limit", "1000"},
		{"files.upload", "unknown_method", "x", "y"},
	} {
		f := form("channel", s.Channel("data"), "text", "x", "limit", "10")
		f.Set(c.key, c.value)
		if _, _, said := ask(t, s, c.method, f); said["ok"] != false || said["error"] != c.want {
			t.Errorf("%s %s=%.60s: %v, want %s", c.method, c.key, c.value, said, c.want)
		}
	}
	if len(s.Messages()) != 0 {
		t.Error("something stands there")
	}
}

func TestFaultsAreInOrder(t *testing.T) {
	s := New(t, "#data")
	f := form("channel", "#data", "text", "x")
	s.Limit(1, 7*time.Second)
	s.Order(Fault{Code: "is_archived"}, Fault{Status: 502, Take: true}, Fault{Drop: true}, Fault{})
	if status, header, _ := ask(t, s, "chat.postMessage", f); status != 429 || header.Get("Retry-After") != "7" {
		t.Error(status, header)
	}
	if _, _, said := ask(t, s, "chat.postMessage", f); said["error"] != "is_archived" {
		t.Error(said)
	}
	if status, _, _ := ask(t, s, "chat.postMessage", f); status != 502 || len(s.Messages()) != 1 {
		t.Error(status, s.Messages())
	}
	if _, err := http.PostForm(s.URL+"chat.postMessage", f); err == nil || len(s.Messages()) != 1 {
		t.Error(err, s.Messages())
	}
	if _, _, said := ask(t, s, "chat.postMessage", f); said["ok"] != true || len(s.Messages()) != 2 {
		t.Error(said)
	}
	s.Always(&Fault{Code: "fatal_error"})
	if _, _, said := ask(t, s, "chat.postMessage", f); said["error"] != "fatal_error" {
		t.Error(said)
	}
	s.Always(nil)
	held := make(chan struct{})
	s.Order(Fault{Hold: held})
	ctx, cancel := context.WithCancelCause(t.Context())
	came := make(chan error)
	go func() {
		_, err := s.Wait(ctx, func(m Message) bool { return m.Text == "held" })
		came <- err
	}()
	close(held)
	f.Set("text", "held")
	ask(t, s, "chat.postMessage", f)
	if err := <-came; err != nil {
		t.Error(err)
	}
	cancel(errors.New("enough"))
	if _, err := s.Wait(ctx, func(Message) bool { return false }); err == nil || !strings.HasSuffix(err.Error(), "enough") {
		t.Error(err)
	}
}

func TestMentionsAreSeen(t *testing.T) {
	m := Message{Text: "a <!channel> b &lt;c&gt;", Blocks: []map[string]any{{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": "<https://x.example/?a=1&amp;b|go> <@U1> <"}}}}
	if got := fmt.Sprint(m.Special()); got != "[<!channel> <@U1> <]" {
		t.Error(got)
	}
	if got := m.Seen(); got != "<https://x.example/?a=1&b|go> <@U1> <" {
		t.Error(got)
	}
}
