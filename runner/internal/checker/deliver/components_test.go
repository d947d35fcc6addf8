package deliver

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
)

// receiving is a server that keeps what it is sent.
type receiving struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	status int
}

func newReceiving(t *testing.T) *receiving {
	t.Helper()
	r := &receiving{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		raw, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies = append(r.bodies, string(raw))
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(r.Close)
	return r
}

// TestTheRealComponentsTakeWhatIsRendered.
func TestTheRealComponentsTakeWhatIsRendered(t *testing.T) {
	web, mail := newReceiving(t), newReceiving(t)
	address := "generic://" + strings.TrimPrefix(mail.URL, "http://") + "/?disabletls=yes&template=json"
	b := newBench(t, realPlugins(t),
		Receiver{Name: "hook", Component: "http.request", Params: json.RawMessage(`{"url": "` + web.URL + `"}`)},
		Receiver{Name: "mail", Component: "notify.send", Params: json.RawMessage(`{"targets": {"team": "` + address + `"}}`)})
	b.put(event(alert.New, "hook", "daily", 1), event(alert.New, "mail", "daily", 1))
	if told := b.deliver(); told.Sent != 2 || len(told.Failed) != 0 {
		t.Fatalf("%+v", told)
	}
	var hook webhook
	if err := json.Unmarshal([]byte(web.bodies[0]), &hook); err != nil || hook.Version != "4" || hook.Alerts[0].Labels["workflow"] != "daily" {
		t.Errorf("%s, %v", web.bodies[0], err)
	}
	var sent struct{ Title, Message string }
	if err := json.Unmarshal([]byte(mail.bodies[0]), &sent); err != nil || !strings.HasPrefix(sent.Title, "CRITICAL: prod:etl/daily@7") || !strings.Contains(sent.Message, "kill it: outrider kill") {
		t.Errorf("%s, %v", mail.bodies[0], err)
	}
	// One that is not there has surely got nothing, so that what follows is merged.
	web.Close()
	b.put(event(alert.New, "hook", "other", 1))
	if told := b.deliver(); len(told.Failed) != 1 || told.Failed[0].Permanent {
		t.Errorf("%+v", told)
	}
	b.put(event(alert.Recovered, "hook", "other", 2))
	expect(t, "what waits", b.waits(), "hook 1")
}
