package slackapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/outrider-run/outrider/plugins/notify/internal/message"
)

// PostWebhook posts m once to an incoming webhook. slack-go has a function for
// that too, but takes any answer of 200 for a success.
func PostWebhook(ctx context.Context, address string, m message.Message) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return &Fault{Code: "invalid_payload", Permanent: true, Text: fmt.Sprintf("the message cannot be sent as JSON: %v", err)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(raw))
	if err != nil || req.URL.Host == "" {
		return &Fault{Code: "invalid_webhook", Permanent: true, Text: "the webhook is no address such as https://hooks.slack.com/services/…"}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := newHTTP(address).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return answered(string(body), hiding(address))
}

// answered judges what a webhook says with status 200: ok, in one of the two
// forms that Slack has, and nothing else.
func answered(body string, hide func(string) string) error {
	if strings.TrimSpace(body) == "ok" {
		return nil
	}
	var said struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(body), &said) == nil {
		if said.OK {
			return nil
		}
		if said.Error != "" {
			return ofCode(said.Error, "")
		}
	}
	if f := ofBody(body); f != nil {
		return f
	}
	return &Fault{Code: "bad_answer", Text: fmt.Sprintf("the webhook answers 200%s, not ok: is its address right, or does a proxy answer?", quote(hide(body)))}
}
