package deliver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
)

// limited is a Slack that takes one message a second, as the real one does in a channel.
type limited struct {
	*slacktest.Server
	mu      sync.Mutex
	last    time.Time
	refused int
}

func (l *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/chat.postMessage") {
		l.mu.Lock()
		now := time.Now()
		early := now.Sub(l.last) < time.Second
		if early {
			l.refused++
		} else {
			l.last = now
		}
		l.mu.Unlock()
		if early {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
	}
	l.Server.ServeHTTP(w, r)
}

// limitsBench delivers by the real slack.post, with a timeout of its own, to a Slack.
func limitsBench(t *testing.T, url, timeout string) *bench {
	t.Helper()
	params := fmt.Sprintf(`{"token": %q, "channel": "#data", "api_url": %q, "timeout": %q}`, slacktest.Token, url, timeout)
	return newBench(t, realPlugins(t), Receiver{Name: "team", Component: "slack.post", Params: json.RawMessage(params), Recovered: true})
}

// inTurn puts an alert of each workflow into the outbox, and returns their titles.
func (b *bench) inTurn(workflows ...string) (want string) {
	var all []string
	for _, name := range workflows {
		b.put(event(alert.New, "team", name, 1))
		all = append(all, "🔴 CRITICAL: prod:etl/"+name+"@7: running for 47m, usually 30m")
	}
	return strings.Join(all, "\n")
}

// TestOneMessageASecond is what Slack takes: what is more is told in its turn, and no
// message is tried before Slack wants it.
func TestOneMessageASecond(t *testing.T) {
	s := &limited{Server: slacktest.New(t, "#data")}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	b := limitsBench(t, server.URL+"/api/", "30s")
	want := b.inTurn("c", "a", "d", "b")
	if told := b.deliver(); told.Sent != 4 || len(told.Failed) != 0 {
		t.Errorf("%+v", told)
	}
	expect(t, "Slack", titles(s.Server), want)
	if s.refused > 3 {
		t.Errorf("of 4 messages %d tries came too early", s.refused)
	}
	expect(t, "what waits", b.waits(), "")
}

// TestASlowSlackIsToldOnce: it takes a message after the time that one may take.
func TestASlowSlackIsToldOnce(t *testing.T) {
	s := slacktest.New(t, "#data")
	b := limitsBench(t, s.URL, "1s")
	s.Order(slacktest.Fault{Hold: make(chan struct{}), Take: true}) // until nobody listens
	want := b.inTurn("a")
	if told := b.deliver(); told.Sent != 0 || len(told.Failed) != 1 || told.Failed[0].Permanent {
		t.Fatalf("%+v", told)
	}
	if _, err := s.Wait(t.Context(), func(slacktest.Message) bool { return true }); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(10 * time.Second)
	if told := b.deliver(); told.Sent != 1 || told.Adopted != 1 {
		t.Errorf("%+v", told)
	}
	expect(t, "Slack", titles(s), want)
	expect(t, "what waits", b.waits(), "")
}
