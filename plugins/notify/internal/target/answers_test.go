package target

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// office is where addresses of webhook.office.com lead to in these tests.
var office atomic.Pointer[string]

func TestMain(m *testing.M) {
	// Before the guard, which stands there once and for all.
	transport := http.DefaultTransport.(*http.Transport)
	transport.DisableKeepAlives = true // each server is another, at one name
	transport.DialTLSContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, *office.Load())
	}
	os.Exit(m.Run())
}

func server(t *testing.T, h http.HandlerFunc) (address string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func deliver(t *testing.T, address string) error {
	t.Helper()
	to, err := Open(address)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Send(t.Context(), to, "", "hello", time.Minute)
	return err
}

const uuid = "01234567-0123-0123-0123-0123456789ab"

// TestTheServicesGetTheMessage by name, each as its service wants it, and that each is
// believed when it says that it has it.
func TestTheServicesGetTheMessage(t *testing.T) {
	for service, c := range map[string]struct {
		address string // %s is the server, where an address says which
		status  int
		answer  string
		path    string
		body    string // a part of it
	}{
		"teams":      {"teams://" + uuid + "@" + uuid + "/0123456789abcdef0123456789abcdef/" + uuid + "/V2abcdefgh?host=contoso.webhook.office.com", 200, "1", "/webhookb2/", `"sections":[{"text":"hello"}]`},
		"discord":    {"discord://t0k3nt0k3n@123456789012345678", 204, "", "/api/webhooks/123456789012345678/t0k3nt0k3n", `"content":"hello"`},
		"pagerduty":  {"pagerduty:///eb243592faa24ba2a5511afdf565c889", 202, `{"status":"success"}`, "/v2/enqueue", `"summary":"hello"`},
		"telegram":   {"telegram://1234567890:abcdefghijklmnopqrstuvwxyz_ABCDEFGH@telegram?chats=@alerts", 200, `{"ok":true,"result":{"message_id":1}}`, "/bot1234567890:abcdefghijklmnopqrstuvwxyz_ABCDEFGH/sendMessage", `"text": "hello"`},
		"mattermost": {"mattermost://%s/k3yk3yk3yk3y?disabletls=yes", 200, "ok", "/hooks/k3yk3yk3yk3y", `"text":"hello"`},
		"ntfy":       {"ntfy://%s/topic?scheme=http", 200, `{"id":"x"}`, "/topic", "hello"},
		"gotify":     {"gotify://%s/AbCdEfGhIjKlMnO?disabletls=yes", 200, `{"id":1}`, "/message", `"message": "hello"`},
	} {
		t.Run(service, func(t *testing.T) {
			got := make(chan string, 9)
			at := server(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got <- r.URL.Path + " " + string(body)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			})
			office.Store(&at)
			if err := deliver(t, strings.ReplaceAll(c.address, "%s", at)); err != nil {
				t.Error(err)
			}
			if len(got) != 1 {
				t.Fatalf("%d requests came", len(got))
			}
			if said := <-got; !strings.HasPrefix(said, c.path) || !strings.Contains(said, c.body) {
				t.Errorf("it got %s", said)
			}
		})
	}
}

// The text that Microsoft documents for its rate limit, behind a status of 200.
const throttled = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0,server=DB3PEPF00000001"

func TestAWebhookThatAnswers200WithAnErrorText(t *testing.T) {
	teams := "teams://" + uuid + "@" + uuid + "/0123456789abcdef0123456789abcdef/" + uuid + "/V2abcdefgh?host=contoso.webhook.office.com"
	for _, c := range []struct {
		name, address, answer, says string
	}{
		{"Teams", teams, "1", ""},
		{"Teams throttled", teams, throttled, "endpoint returned HTTP error 429"},
		{"Teams refuses", teams, "Bad payload received by generic incoming webhook.", "Bad payload"},
		{"a flow", "generic", throttled, "endpoint returned HTTP error 429"},
		{"a flow's JSON", "generic", `{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Could not execute workflow"}}`, "WorkflowTriggerIsNotEnabled"},
		{"ok is false", "generic", `{"ok":false,"description":"chat not found"}`, "chat not found"},
		{"success is false", "generic", `{"success": false}`, "success"},
		{"errcode", "generic", `{"errcode":310000,"errmsg":"sign not match"}`, "sign not match"},
		{"a text", "generic", "Error: no such hook", "no such hook"},
		{"ok", "generic", `{"ok":true,"errcode":0,"success":true,"error":null}`, ""},
		{"nothing", "generic", "", ""},
		{"a page", "generic", "<html>thanks</html>", ""},
		{"an echo", "generic", `{"message":"error: orders failed","status":"error"}`, ""},
		{"Mattermost", "mattermost", `{"error":"unknown hook"}`, "unknown hook"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.answer) })
			office.Store(&at)
			address := map[string]string{
				"generic": "generic://" + at + "/h?disabletls=yes", "mattermost": "mattermost://" + at + "/k3yk3yk3yk3y?disabletls=yes",
			}[c.address]
			if address == "" {
				address = c.address
			}
			err := deliver(t, address)
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if f, ok := err.(*Fault); !ok || f.Code != "refused" || f.Permanent || !strings.Contains(f.Text, c.says) || !strings.Contains(f.Text, "status 200") {
				t.Errorf("%#v", err)
			}
		})
	}
}

// A service may answer without end; shoutrrr would read for as long.
func TestAnAnswerIsReadNoFurtherThanItsLimit(t *testing.T) {
	for service, path := range map[string]string{
		"generic": "/hook?disabletls=yes", "ntfy": "/topic?scheme=http", "gotify": "/AbCdEfGhIjKlMnO?disabletls=yes",
	} {
		for _, status := range []int{200, 500} {
			var sent atomic.Int64
			done := make(chan struct{})
			at := server(t, func(w http.ResponseWriter, _ *http.Request) {
				defer close(done)
				w.WriteHeader(status)
				for block := []byte(strings.Repeat(" ", 64<<10)); sent.Load() < 256<<20; {
					n, err := w.Write(block)
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			})
			err := deliver(t, service+"://"+at+path)
			if f, ok := err.(*Fault); ok && f.Code == "timed_out" || (err == nil) != (service == "generic" && status == 200) {
				t.Errorf("%s, %d: %v", service, status, err)
			}
			<-done
			// Beyond the limit there is only what the kernel held on the way.
			if sent.Load() > 32<<20 {
				t.Errorf("%s, %d: the server could send %d bytes", service, status, sent.Load())
			}
		}
	}
}

// TestAPanicOfTheLibraryIsAFault: Zulip's service closes the body of an answer that it
// has not got.
func TestAPanicOfTheLibraryIsAFault(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	office.Store(&closed)
	err = deliver(t, "zulip://bot%40mail.example:k3yk3yk3yk3y@chat.mail.example/?stream=alerts")
	f, ok := err.(*Fault)
	if !ok || f.Code != "failed" || f.Permanent || !strings.Contains(f.Text, "the library shoutrrr failed: runtime error") {
		t.Errorf("%#v", err)
	}
}

func FuzzComplaint(f *testing.F) {
	for _, body := range []string{"1", throttled, `{"ok":false}`, `{"error":""}`, `{"errcode":"x"}`, "error", "\xff"} {
		f.Add("contoso.webhook.office.com", body)
	}
	f.Fuzz(func(t *testing.T, host, body string) {
		if said := complaint(host, []byte(body)); !strings.Contains(body, said) {
			t.Errorf("%q is not what %q says", said, body)
		}
	})
}
