package deliver

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
)

var names = []string{
	"a\x1b[31mred", "<!channel> <@U1>", "{{.Secret}} ${x}", "a\nCRITICAL: forged", "```\nout of the code```", "````", "`x`", "*bold* _it_ ~no~", "\u202egpj", "&amp; &lt;",
	"|", "javascript://x.example/%0aforged", "<https://x.example|click>", strings.Repeat("&", 4000), strings.Repeat("```", 1200), strings.Repeat("long name ", 500), "\xff\xfe", "", " ",
}

// TestAnyNameIsDataToSlack: no name is a mention, a link, formatting or the end of a code
// block, and the shapes are always what Slack takes.
func TestAnyNameIsDataToSlack(t *testing.T) {
	s := slacktest.New(t, "#data")
	rapid.Check(t, func(t *rapid.T) {
		name := func(label string) string {
			return rapid.OneOf(rapid.SampledFrom(names), rapid.String()).Draw(t, label)
		}
		e := event(rapid.SampledFrom([]alert.EventKind{alert.New, alert.Recovered, alert.Update}).Draw(t, "kind"), "team", name("workflow"), 1)
		a := &e.Alerts[0]
		a.What, a.LogTail, a.Owner, a.Text, a.Runbook, a.Link = name("what"), name("log"), name("owner"), name("text"), name("runbook"), name("link")
		a.Holder.Name, a.Holder.Error, a.Key, a.Address, e.Note = name("task"), name("error"), name("key"), "prod:"+name("address"), name("note")
		for range rapid.IntRange(0, 6).Draw(t, "more") {
			e.Alerts, e.Total = append(e.Alerts, *a), e.Total+1
		}
		m := message.Of(e)
		blocks, err := json.Marshal(layout(m))
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"token": {slacktest.Token}, "channel": {"#data"}, "blocks": {string(blocks)}, "text": {"x"}}
		if code := s.Try("chat.postMessage", form); code != "" {
			t.Fatalf("%s: %s", code, blocks)
		}
		all := s.Messages()
		said := all[len(all)-1]
		if special := said.Special(); len(special) > 0 {
			t.Fatalf("Slack makes something of %q", special)
		}
		if strings.ContainsFunc(said.Seen(), func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) && r != '\u200b'
		}) {
			t.Fatalf("%q has what cannot be seen", said.Seen())
		}
		for _, b := range said.Blocks {
			text, ok := b["text"].(map[string]any)
			if !ok || text["type"] != "mrkdwn" {
				continue
			}
			// What is not ours stands in code alone.
			for i, part := range strings.Split(text["text"].(string), "```") {
				if i%2 == 0 && !ours(part) {
					t.Fatalf("%q stands outside of code in %q", part, text["text"])
				}
			}
			if strings.Count(text["text"].(string), "```")%2 != 0 {
				t.Fatalf("a code block has no end: %q", text["text"])
			}
		}
	})
}

// ours reports whether text is made of our words and of links.
func ours(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "", strings.HasPrefix(line, "<http"):
		case strings.HasPrefix(line, "due at "), strings.HasPrefix(line, "see "), strings.HasPrefix(line, "kill it"):
		case line == "acknowledge it", line == "silence it for two hours":
		default:
			return false
		}
	}
	return true
}

func TestCommandsAreExact(t *testing.T) {
	shown := fmt.Sprint(commands([]message.Command{{Do: "a", Line: "x <y> `z`"}, {Do: "b", Line: "has ``` in it"}, {Do: "c", Line: strings.Repeat("x", 5000)}, {Do: "d", Line: "last"}}))
	for _, want := range []string{
		"a\n```\nx &lt;y&gt; `z`\n```", "map[emoji:false text:b: has ``` in it type:plain_text]", "c: the command is too long to be shown here", "d\n```\nlast\n```",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in %s", want, shown)
		}
	}
}

func TestAMessageHasAnEnd(t *testing.T) {
	a := alarm("daily")
	for i := range 300 {
		a.Holders = append(a.Holders, fmt.Sprint(i, strings.Repeat("x", 1400)))
	}
	long := layout(message.Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{a}, Total: 1}))
	text := 0
	for _, b := range long {
		text += units(b.(map[string]any)["text"].(map[string]any)["text"].(string))
	}
	if last := fmt.Sprint(long[len(long)-1]); text < 9000 || text > mostText+100 || !strings.Contains(last, "there is more, which is too long") {
		t.Errorf("%d characters, then %s", text, last)
	}
	var many []any
	for range 51 {
		many = append(many, section("x"))
	}
	if n, m := len(within(many)), len(within(many[:50])); n != 50 || m != 50 {
		t.Errorf("%d and %d blocks", n, m)
	}
}

func TestALogsEndIsKept(t *testing.T) {
	log := strings.Repeat("early\n", 2000) + "the last word\n"
	got := tail(log, mostSection)
	if !strings.HasSuffix(got, "\nthe last word") || !strings.HasPrefix(got, "…\nearly") || units(got) > mostSection+2 {
		t.Errorf("%d: %.40s … %s", units(got), got, got[len(got)-20:])
	}
	if got := tail(strings.Repeat("<", 5000), mostSection); units(got) > mostSection || strings.TrimRight(got, "…") != strings.Repeat("&lt;", strings.Count(got, "&lt;")) {
		t.Errorf("an escape is cut through: %s", got[len(got)-20:])
	}
}
