package target

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// mostAnswer is what is read of an answer, in bytes; services' are a few KiB.
const mostAnswer = 1 << 20

// guardDefault puts a guard before the transport that most services send with. It is
// once for the process, since shoutrrr takes http.DefaultTransport, and takes no
// client for them.
var guardDefault = sync.OnceFunc(func() { http.DefaultTransport = guard{http.DefaultTransport} })

// guardOwn does the same for the services that have a transport of their own.
func guardOwn(service types.Service) {
	switch s := service.(type) {
	case *ntfy.Service: // its client cannot be got, but given
		s.SetHTTPClient(&http.Client{Transport: guard{&http.Transport{
			Proxy:           http.ProxyFromEnvironment,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.Config.DisableTLSVerification},
		}}})
	case interface{ GetHTTPClient() *http.Client }: // Gotify, Mattermost
		client := s.GetHTTPClient()
		client.Transport = guard{client.Transport}
	}
}

// guard looks at answers, as shoutrrr does not: it reads them to their end, however
// long they are, and takes most that have a good status for a success.
type guard struct{ next http.RoundTripper }

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	limited := io.LimitReader(answer.Body, mostAnswer)
	rest := limited
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		body, _ := io.ReadAll(limited) // its error comes again to who reads on
		if said := complaint(r.URL.Hostname(), body); said != "" {
			_ = answer.Body.Close()
			return nil, &refusal{answer.StatusCode, said}
		}
		rest = io.MultiReader(bytes.NewReader(body), limited)
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{rest, answer.Body}
	return answer, nil
}

// refusal is a good status with an error text behind it.
type refusal struct {
	status int
	said   string
}

// refused begins a refusal's text. Some services keep nothing but the text of an
// error, Teams among them: there it is known by this.
const refused = "the server refuses the message with status "

func (r *refusal) Error() string {
	return fmt.Sprintf("%s%d and the text %q", refused, r.status, r.said)
}

// complaint is the error that an answer tells in spite of its good status, or "".
//
// An incoming webhook of Teams says 1, or else what went wrong:
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors
// That text is looked for everywhere: flows and relays hand it on. Of other webhooks
// only what cannot be meant otherwise is taken for an error, since a failure that is
// none sends the message again.
func complaint(host string, body []byte) string {
	text := strings.TrimSpace(string(body))
	if strings.HasSuffix(strings.ToLower(host), ".webhook.office.com") && text != "1" && text != "" {
		return text
	}
	if strings.HasPrefix(text, "Webhook message delivery failed") {
		return text
	}
	if first, _, _ := strings.Cut(strings.ToLower(text), " "); first == "error" || first == "error:" {
		return text
	}
	if failed(body) {
		return text
	}
	return ""
}

// failed reads the signs of failure that webhooks have in JSON: "ok" (Slack, Telegram)
// or "success" (Rocket.Chat) is false, "errcode" (WeCom, DingTalk) is not 0, or there is
// an "error" (Power Automate, among many).
func failed(body []byte) bool {
	var said struct {
		OK      *bool           `json:"ok"`
		Success *bool           `json:"success"`
		ErrCode json.Number     `json:"errcode"`
		Error   json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return false
	}
	switch string(said.Error) {
	case "", "null", "false", "0", `""`, "{}", "[]":
	default:
		return true
	}
	return said.OK != nil && !*said.OK || said.Success != nil && !*said.Success || said.ErrCode != "" && said.ErrCode != "0"
}
