package deliver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// slackBench delivers by the real slack.post to a Slack with the channel #data.
func slackBench(t *testing.T) (*bench, *slacktest.Server) {
	t.Helper()
	s := slacktest.New(t, "#data")
	params := fmt.Sprintf(`{"token": %q, "channel": "#data", "api_url": %q, "timeout": "5s"}`, slacktest.Token, s.URL)
	b := newBench(t, realPlugins(t), Receiver{Name: "team", Component: "slack.post", Params: json.RawMessage(params), Recovered: true})
	s.Clock(func() time.Time { return t0 })
	return b, s
}

// titles are the first lines of all messages, by thread.
func titles(s *slacktest.Server) string {
	var threads []string
	for _, thread := range s.Threads() {
		var all []string
		for _, m := range thread {
			title, _, _ := strings.Cut(m.Seen(), "\n")
			all = append(all, title)
		}
		threads = append(threads, strings.Join(all, "\n  "))
	}
	return strings.Join(threads, "\n")
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, want)
	}
}

func TestAnIncidentIsOneThread(t *testing.T) {
	b, s := slackBench(t)
	b.put(event(alert.New, "team", "daily", 1))
	b.deliver()
	b.now = b.now.Add(time.Minute)
	b.put(event(alert.Acknowledged, "team", "daily", 2))
	b.deliver()
	expect(t, "Slack", titles(s), "🔴 CRITICAL: prod:etl/daily@7: running for 47m, usually 30m\n  👀 acknowledged: prod:etl/daily@7: running for 47m, usually 30m")

	over := event(alert.Recovered, "team", "daily", 3)
	over.Missed = []finding.Missed{{Address: "prod:etl/daily", At: t0}}
	b.put(over, event(alert.New, "team", "other", 1))
	if told := b.deliver(); told.Sent != 2 || len(told.Failed) != 0 {
		t.Errorf("%+v", told)
	}
	const resolved = "🟢 resolved after 48m: prod:etl/daily@7: running for 47m, usually 30m"
	expect(t, "Slack", titles(s), resolved+"\n  👀 acknowledged: prod:etl/daily@7: running for 47m, usually 30m\n  "+resolved+
		"\n🔴 CRITICAL: prod:etl/other@7: running for 47m, usually 30m")
	first := s.Messages()[0]
	if first.Edits != 1 || !strings.Contains(first.Seen(), "resolved: it ended") || !strings.Contains(first.Seen(), "```\noutrider start prod:etl/daily@2026-03-02T03:00:00Z\n```") {
		t.Errorf("%d edits: %s", first.Edits, first.Seen())
	}
	if !strings.Contains(string(first.Metadata), `"seq":1`) {
		t.Errorf("an edit took the first message's metadata: %s", first.Metadata)
	}
	expect(t, "what waits", b.waits(), "")
}

// TestAMessageThatSlackHasTakenIsNotPostedTwice: the connection is cut before its answer.
func TestAMessageThatSlackHasTakenIsNotPostedTwice(t *testing.T) {
	b, s := slackBench(t)
	s.Order(slacktest.Fault{Drop: true, Take: true})
	b.put(event(alert.New, "team", "daily", 1))
	if told := b.deliver(); told.Sent != 0 || len(told.Failed) != 1 || !strings.Contains(told.Failed[0].Why, "may stand there") {
		t.Fatalf("%+v", told)
	}
	b.now = b.now.Add(10 * time.Second)
	if told := b.deliver(); told.Sent != 1 || told.Adopted != 1 {
		t.Errorf("%+v", told)
	}
	// The thread goes on, and a reply is adopted too.
	s.Order(slacktest.Fault{Status: 500, Take: true})
	b.put(event(alert.Repeat, "team", "daily", 2))
	b.deliver()
	b.now = b.now.Add(time.Minute)
	if told := b.deliver(); told.Adopted != 1 {
		t.Errorf("%+v", told)
	}
	expect(t, "Slack", titles(s), "🔴 CRITICAL: prod:etl/daily@7: running for 47m, usually 30m\n  🔴 still CRITICAL: prod:etl/daily@7: running for 47m, usually 30m")
}

// TestAMessageThatWasNotTakenIsPosted though its row was in doubt.
func TestAMessageThatWasNotTakenIsPosted(t *testing.T) {
	b, s := slackBench(t)
	s.Order(slacktest.Fault{Drop: true})
	b.put(event(alert.New, "team", "daily", 1))
	b.deliver()
	b.now = b.now.Add(10 * time.Second)
	if told := b.deliver(); told.Sent != 1 || told.Adopted != 0 || len(s.Messages()) != 1 {
		t.Errorf("%+v, %s", told, titles(s))
	}
	// Nor is it kept back where the token may not look.
	s.Forbid("channels:history")
	s.Order(slacktest.Fault{Drop: true})
	b.put(event(alert.Repeat, "team", "daily", 2))
	b.deliver()
	b.now = b.now.Add(time.Minute)
	if told := b.deliver(); told.Sent != 1 || len(s.Messages()) != 2 {
		t.Errorf("%+v, %s", told, titles(s))
	}
}

// TestAKilledSenderLeavesADoubt, and the next life asks Slack.
func TestAKilledSenderLeavesADoubt(t *testing.T) {
	b, s := slackBench(t)
	b.put(event(alert.New, "team", "daily", 1))
	rows, err := b.store.Due(t.Context(), "team", b.now, 1)
	if err != nil || len(rows) != 1 || b.store.Sending(t.Context(), rows[0].ID) != nil {
		t.Fatal(rows, err)
	}
	g := b.give(t.Context(), b.Receivers["team"], rows[0], nil) // and dies before it can note that
	if g.failure != nil {
		t.Fatal(g.failure)
	}
	if told := b.deliver(); told.Adopted != 1 || len(s.Messages()) != 1 {
		t.Errorf("%+v, %s", told, titles(s))
	}
}

// TestAThousandAlertsAreOneMessage, of a storm, and one more when it is over.
func TestAThousandAlertsAreOneMessage(t *testing.T) {
	b, s := slackBench(t)
	policy := alert.Policy{Routes: []alert.Route{{Receiver: "team"}}}
	var found []finding.Finding
	over := map[string]string{}
	for i := range 1000 {
		f := alarm(fmt.Sprintf("w%03d<!channel>", i)).Finding
		f.For = 1
		found, over[f.Key] = append(found, f), "it ended"
	}
	book, events := alert.Step(alert.Book{}, alert.Checked{Findings: found}, policy, b.now)
	b.put(events...)
	b.deliver()
	b.now = b.now.Add(20 * time.Minute)
	_, events = alert.Step(book, alert.Checked{Over: over}, policy, b.now)
	b.put(events...)
	b.deliver()
	threads := s.Threads()
	if len(threads) != 1 || len(threads[0]) != 2 || threads[0][0].Edits != 1 {
		t.Fatalf("%d threads: %s", len(threads), titles(s))
	}
	reply := threads[0][1]
	if !strings.HasPrefix(reply.Seen(), "🟢 resolved: 1000 alerts at once, such as prod:etl/w000<!channel>@7: ") || !strings.Contains(reply.Seen(), "and 980 more") || len(reply.Special()) != 0 {
		t.Errorf("%q\n%s", reply.Special(), reply.Seen())
	}
}

// TestAThreadThatWasDeletedBeginsAnew, and goes on there.
func TestAThreadThatWasDeletedBeginsAnew(t *testing.T) {
	b, s := slackBench(t)
	b.put(event(alert.New, "team", "daily", 1))
	b.deliver()
	s.Delete(s.Messages()[0].TS)
	b.put(event(alert.Repeat, "team", "daily", 2))
	if told := b.deliver(); told.Sent != 1 {
		t.Errorf("%+v", told)
	}
	b.put(event(alert.Recovered, "team", "daily", 3))
	if told := b.deliver(); told.Sent != 1 {
		t.Errorf("%+v", told)
	}
	expect(t, "Slack", titles(s), "🟢 resolved after 48m: prod:etl/daily@7: running for 47m, usually 30m\n  🟢 resolved after 48m: prod:etl/daily@7: running for 47m, usually 30m")
}

// TestAChannelOfTheOwner is used, and one that does not exist keeps nothing from being told.
func TestAChannelOfTheOwner(t *testing.T) {
	b, s := slackBench(t)
	own := s.Channel("#owner")
	e := event(alert.New, "team", "daily", 1)
	e.Channel = "#owner"
	gone := event(alert.New, "team", "other", 1)
	gone.Channel = "#gone"
	b.put(e, gone)
	if told := b.deliver(); told.Sent != 2 || len(told.Failed) != 0 {
		t.Fatalf("%+v", told)
	}
	all := s.Messages()
	if all[0].Channel != own || all[1].Channel != s.Channel("#data") || !strings.Contains(all[1].Seen(), "it was to be told in #gone, which its owner has named") {
		t.Errorf("%+v", all)
	}
	// The thread stays where it is.
	b.put(event(alert.Repeat, "team", "other", 2))
	b.deliver()
	if last := s.Messages()[2]; last.Thread != all[1].TS {
		t.Errorf("%+v", last)
	}
}

// TestARefusedEditStopsNoRecovery, and one that fails for now is made up for.
func TestARefusedEditStopsNoRecovery(t *testing.T) {
	b, s := slackBench(t)
	b.put(event(alert.New, "team", "a", 1), event(alert.New, "team", "b", 1))
	b.deliver()
	s.Order(slacktest.Fault{Code: "cant_update_message"}, slacktest.Fault{}, slacktest.Fault{Status: 502})
	b.put(event(alert.Recovered, "team", "a", 2), event(alert.Recovered, "team", "b", 2))
	if told := b.deliver(); told.Sent != 1 || len(told.Failed) != 1 {
		t.Errorf("%+v", told)
	}
	b.now = b.now.Add(10 * time.Minute)
	b.deliver()
	expect(t, "Slack", titles(s), strings.Join([]string{
		"🔴 CRITICAL: prod:etl/a@7: running for 47m, usually 30m", "  🟢 resolved after 48m: prod:etl/a@7: running for 47m, usually 30m",
		"🟢 resolved after 48m: prod:etl/b@7: running for 47m, usually 30m", "  🟢 resolved after 48m: prod:etl/b@7: running for 47m, usually 30m",
	}, "\n"))
}

// TestAWebhookHasNeitherThreadNorMetadata.
func TestAWebhookHasNeitherThreadNorMetadata(t *testing.T) {
	f := &fake{answer: success}
	b := newBench(t, f, Receiver{Name: "team", Component: "slack.post", Params: json.RawMessage(`{"webhook": "env:HOOK"}`), Recovered: true})
	b.put(event(alert.New, "team", "daily", 1))
	b.deliver()
	b.put(event(alert.Recovered, "team", "daily", 2))
	b.deliver()
	calls := f.all()
	if len(calls) != 2 {
		t.Fatalf("%d calls", len(calls))
	}
	for _, c := range calls {
		for _, key := range []string{"metadata", "thread", "update", "channel", "adopt"} {
			if _, ok := c.params[key]; ok {
				t.Errorf("%s is given: %v", key, c.params)
			}
		}
	}
}

func TestSeveritiesHaveTheirIcon(t *testing.T) {
	b, s := slackBench(t)
	for i, severity := range []rule.Severity{rule.Info, rule.Warning, rule.Critical} {
		e := event(alert.New, "team", fmt.Sprint(i), 1)
		e.Alerts[0].Severity = severity
		b.put(e)
	}
	b.put(event(alert.Escalated, "team", "3", 1))
	b.deliver()
	var icons []string
	for _, m := range s.Messages() {
		icon, _, _ := strings.Cut(m.Text, " ")
		icons = append(icons, icon)
	}
	expect(t, "the icons", strings.Join(icons, " "), "🔵 🟠 🔴 🚨")
}
