package main

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// webServer keeps what is posted to it and answers with a status.
type webServer struct {
	*httptest.Server
	mu  sync.Mutex
	got []string
}

func newWebServer(t *testing.T, status int, body string) *webServer {
	t.Helper()
	w := &webServer{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.got = append(w.got, r.Header.Get("Title")+"|"+string(raw))
		w.mu.Unlock()
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *webServer) posts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.got
}

// ntfy is a target whose password and topic are secrets.
func (w *webServer) ntfy() string {
	return "ntfy://outrider:hunter2hunter2@" + w.Listener.Addr().String() + "/secretTopic77?scheme=http"
}

func (w *webServer) generic() string {
	return "generic://" + w.Listener.Addr().String() + "/hooks/k3yk3yk3y?disabletls=yes"
}

func notifyJSON(t *testing.T, targets map[string]string, more string) string {
	t.Helper()
	raw, err := json.Marshal(targets)
	if err != nil {
		t.Fatal(err)
	}
	return `{"targets": ` + string(raw) + `, "message": "The session has not ended."` + more + `}`
}

func sendTo(t *testing.T, targets map[string]string, more string, options ...sdktest.Option) sdktest.Outcome {
	t.Helper()
	return sdktest.RunJSON(t, notifySend(), notifyJSON(t, targets, more), options...)
}

// closedAddr is one where nobody listens.
func closedAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestEachTargetGetsTheMessage(t *testing.T) {
	smtp := newMailServer(t)
	ntfy, generic := newWebServer(t, 200, "{}"), newWebServer(t, 200, "")
	o := sendTo(t, map[string]string{"mail": smtp.url("oncall@mail.example"), "phone": ntfy.ntfy(), "hook": generic.generic()}, `, "title": "orders are late: ü"`)
	if o.Err() != nil {
		t.Fatal(o.Err())
	}
	want := `{"results":[{"target":"hook","service":"generic","earlier":false},{"target":"mail","service":"smtp","earlier":false},{"target":"phone","service":"ntfy","earlier":false}]}`
	if string(o.Output) != want {
		t.Errorf("%s", o.Output)
	}
	mails := smtp.got()
	if len(mails) != 1 || mails[0].to != "oncall@mail.example" || mails[0].from != "outrider@mail.example" {
		t.Fatalf("%+v", mails)
	}
	parsed, err := netmail.ReadMessage(strings.NewReader(mails[0].data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
	body, _ := io.ReadAll(parsed.Body)
	if subject != "orders are late: ü" || err != nil || strings.TrimSpace(string(body)) != "The session has not ended." {
		t.Errorf("%q, %v, %q", subject, err, body)
	}
	if got := fmt.Sprint(ntfy.posts(), generic.posts()); got != "[orders are late: ü|The session has not ended.] [|orders are late: ü\n\nThe session has not ended.]" {
		t.Errorf("%s", got)
	}
}

func TestATitleAddsNoHeader(t *testing.T) {
	smtp, ntfy := newMailServer(t), newWebServer(t, 200, "{}")
	o := sendTo(t, map[string]string{"mail": smtp.url("a@mail.example"), "phone": ntfy.ntfy()}, `, "title": "late\r\nBcc: everyone@mail.example\r\n\r\nbody"`)
	if o.Err() != nil {
		t.Fatal(o.Err())
	}
	parsed, err := netmail.ReadMessage(strings.NewReader(smtp.got()[0].data))
	if err != nil || parsed.Header.Get("Bcc") != "" || parsed.Header.Get("Subject") != "late  Bcc: everyone@mail.example    body" {
		t.Errorf("%v, %v", parsed.Header, err)
	}
	if got := ntfy.posts()[0]; !strings.HasPrefix(got, "late  Bcc: everyone") {
		t.Errorf("%q", got)
	}
}

func TestAFailingTargetFailsTheRunAfterTheOthers(t *testing.T) {
	smtp, ntfy := newMailServer(t), newWebServer(t, 200, "{}")
	down := "smtp://mailer:pa55pa55pa55@" + closedAddr(t) + "/?from=a@mail.example&to=b@mail.example"
	targets := map[string]string{"a-down": down, "b-mail": smtp.url("oncall@mail.example"), "c-phone": ntfy.ntfy()}
	o := sendTo(t, targets, "")
	if o.State != sdktest.Failed || o.Code != "unreachable" || len(smtp.got()) != 1 || len(ntfy.posts()) != 1 {
		t.Fatalf("%s, %s, %d mails, %d posts", o.State, o.Code, len(smtp.got()), len(ntfy.posts()))
	}
	for _, want := range []string{"1 of 3 targets failed: a-down (smtp, unreachable): ", "connection refused", "sent: b-mail, c-phone"} {
		if !strings.Contains(o.Error, want) {
			t.Errorf("%s; want %s", o.Error, want)
		}
	}
	noSecretIn(t, o, "pa55pa55pa55", "mailer", "hunter2hunter2", "secretTopic77")

	// A retry tells nobody twice.
	var stored sentBefore
	if len(o.Checkpoints) != 1 || json.Unmarshal(o.Checkpoints[0], &stored) != nil {
		t.Fatalf("%s", o.Checkpoints)
	}
	targets["a-down"] = smtp.url("second@mail.example")
	again := sendTo(t, targets, "", sdktest.Attempt(2), sdktest.Restore(stored))
	if again.Err() != nil || len(smtp.got()) != 2 || len(ntfy.posts()) != 1 || !strings.Contains(string(again.Output), `{"target":"b-mail","service":"smtp","earlier":true}`) {
		t.Errorf("%v, %d mails, %d posts, %s", again.Err(), len(smtp.got()), len(ntfy.posts()), again.Output)
	}
	// And a repetition after the success tells everybody.
	if len(again.Checkpoints) != 1 || string(again.Checkpoints[0]) != `{"sent":[]}` {
		t.Errorf("%s", again.Checkpoints)
	}
}

// TestAMailToSeveral: one refused recipient costs the others nothing, and a retry sends
// to nobody twice. The first is refused, since servers take no further MAIL after that.
func TestAMailToSeveral(t *testing.T) {
	for _, c := range []struct {
		name, to string
		state    sdktest.State
		says     string
		reached  string
	}{
		{"all", "a@mail.example,b@mail.example", sdktest.Success, "", "a b"},
		{"one never", "nobody@mail.example,a@mail.example,b@mail.example", sdktest.Permanent, "recipient 1 of 3: ", "a b"},
		{"one not now", "busy@mail.example,a@mail.example,b@mail.example", sdktest.Failed, "mailbox is locked", "a b"},
		{"one never, one not now", "nobody@mail.example,a@mail.example,busy@mail.example", sdktest.Failed, "; recipient 3 of 3: ", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			smtp := newMailServer(t)
			targets := map[string]string{"mail": smtp.url(c.to)}
			o := sendTo(t, targets, "")
			if o.State != c.state || !strings.Contains(o.Error, c.says) || smtp.reached() != c.reached {
				t.Fatalf("%s, %s; reached %q", o.State, o.Error, smtp.reached())
			}
			if c.state == sdktest.Success {
				return
			}
			if o.Code != "refused" {
				t.Errorf("the code is %s", o.Code)
			}
			noSecretIn(t, o, "nobody@mail.example", "busy@mail.example")
			if strings.Contains(string(o.Checkpoints[0]), "@") {
				t.Errorf("a recipient stands in the checkpoint %s", o.Checkpoints[0])
			}
			var stored sentBefore
			if err := json.Unmarshal(o.Checkpoints[0], &stored); err != nil {
				t.Fatal(err)
			}
			smtp.refuse, smtp.busy = "", ""
			if again := sendTo(t, targets, "", sdktest.Attempt(2), sdktest.Restore(stored)); again.Err() != nil || len(smtp.got()) != strings.Count(c.to, "@") {
				t.Errorf("%v; reached %q", again.Err(), smtp.reached())
			}
		})
	}
}

// noSecretIn looks at all that a run says.
func noSecretIn(t *testing.T, o sdktest.Outcome, secrets ...string) {
	t.Helper()
	said := fmt.Sprint(o.Error, string(o.Output), o.Logs, o.Stdout, o.Stderr)
	for _, secret := range secrets {
		if strings.Contains(said, secret) {
			t.Errorf("%s stands in %s", secret, said)
		}
	}
}

func TestWhyATargetFails(t *testing.T) {
	smtp := newMailServer(t)
	for name, c := range map[string]struct {
		address string
		state   sdktest.State
		code    string
		says    string
	}{
		"no mailbox":  {smtp.url(smtp.refuse), sdktest.Permanent, "refused", "no such mailbox here"},
		"forbidden":   {newWebServer(t, 403, `{"code":40301,"http":403,"error":"forbidden"}`).ntfy(), sdktest.Failed, "failed", "forbidden"},
		"status":      {newWebServer(t, 500, "no JSON").ntfy(), sdktest.Failed, "refused", "500"},
		"no service":  {"carrier-pigeon://coopcoop", sdktest.Permanent, "bad_target", "no service's name"},
		"no address":  {"just some text", sdktest.Permanent, "bad_target", "no service's name"},
		"bad URL":     {"smtp://us er:hunter2hunter2@%%", sdktest.Permanent, "bad_target", "the service smtp wants it"},
		"half of one": {"discord://webhook0nly", sdktest.Permanent, "bad_target", "the service discord wants it"},
		"down":        {"ntfy://" + closedAddr(t) + "/secretTopic77?scheme=http", sdktest.Failed, "unreachable", "127.0.0.1"},
		"nowhere":     {"logger://nowhere", sdktest.Permanent, "bad_target", "sends to nobody"},
		"not HTTPS":   {"slack://hook:AAAAAAAAA-BBBBBBBBB@webhook", sdktest.Permanent, "bad_target", "the service slack wants it"},
	} {
		o := sendTo(t, map[string]string{"one": c.address}, "")
		if o.State != c.state || o.Code != c.code || !strings.Contains(o.Error, c.says) {
			t.Errorf("%s: %s, %s, %s", name, o.State, o.Code, o.Error)
		}
		noSecretIn(t, o, c.address, "hunter2hunter2", "coopcoop", "webhook0nly", "BBBBBBBBB", "secretTopic77")
	}
}

func TestCodesThatDifferAreOne(t *testing.T) {
	o := sendTo(t, map[string]string{"a": "ntfy://" + closedAddr(t) + "/topic?scheme=http", "b": "logger://"}, "")
	if o.State != sdktest.Failed || o.Code != "notify_failed" {
		t.Errorf("%s, %s, %s", o.State, o.Code, o.Error)
	}
}

// silent accepts connections and says nothing; each comes on the channel.
func silent(t *testing.T) (addr string, came <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connected := make(chan struct{}, 8)
	var conns []net.Conn
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
			connected <- struct{}{}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return l.Addr().String(), connected
}

func TestAMailServerThatSaysNothing(t *testing.T) {
	addr, came := silent(t)
	address := map[string]string{"mail": "smtp://" + addr + "/?from=a@mail.example&to=b@mail.example"}
	o := sendTo(t, address, `, "timeout": "1s"`)
	if o.State != sdktest.Failed || o.Code != "timed_out" || !strings.Contains(o.Error, "no answer within 1s") {
		t.Errorf("%s, %s, %s", o.State, o.Code, o.Error)
	}
	<-came
	if o := sendTo(t, address, "", sdktest.Context(cancelledBy(t, came))); o.State != sdktest.Cancelled {
		t.Errorf("%s, %s", o.State, o.Error)
	}
}

func TestNotifySendConforms(t *testing.T) {
	smtp := newMailServer(t)
	down := "smtp://mailer:pa55pa55pa55@" + closedAddr(t) + "/?from=a@mail.example&to=b@mail.example"
	sdktest.Conform(t, notifySend(),
		sdktest.Case{Params: notifyJSON(t, map[string]string{"mail": smtp.url("oncall@mail.example")}, "")},
		sdktest.Case{Params: notifyJSON(t, map[string]string{"down": down}, `, "title": "x"`)})
}
