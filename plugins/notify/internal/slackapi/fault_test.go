package slackapi

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSlacksCodesHaveAVerdictAndAnAdvice(t *testing.T) {
	for _, c := range []struct {
		code, want        string
		permanent, unsent bool
		says              string
	}{
		{"missing_scope", "missing_scope", true, false, "OAuth & Permissions"},
		{"channel_not_found", "channel_not_found", true, false, "was deleted"},
		{"is_archived", "is_archived", true, false, "unarchive"},
		{"channel_is_archived", "is_archived", true, false, "unarchive"},
		{"invalid_auth", "invalid_auth", true, false, "make a new one"},
		{"token_revoked", "invalid_auth", true, false, "make a new one"},
		{"no_service", "invalid_webhook", true, false, "webhook was removed"},
		{"ratelimited", "ratelimited", false, true, "post less often"},
		{"fatal_error", "fatal_error", false, false, "nevertheless"},
		{"internal_error", "internal_error", false, false, "nevertheless"},
		{"something_new", "slack_error", false, false, "something_new"},
	} {
		f := ofCode(c.code, "a detail")
		if f.Code != c.want || f.Permanent != c.permanent || f.Unsent != c.unsent || !strings.Contains(f.Text, c.says) || !strings.Contains(f.Text, "(a detail)") {
			t.Errorf("%s: %+v", c.code, f)
		}
	}
}

func TestAStatusHasAVerdict(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		status      int
		after, body string
		code        string
		permanent   bool
		wait        time.Duration
		says        string
	}{
		{429, "30", "", "ratelimited", false, 30 * time.Second, "post less often"},
		{429, "Sun, 01 Mar 2026 12:00:07 GMT", "", "ratelimited", false, 7 * time.Second, ""},
		{429, "soon", "", "ratelimited", false, 0, ""},
		{429, "99999999999", "", "ratelimited", false, 365 * 24 * time.Hour, ""},
		{429, "-5", "", "ratelimited", false, 0, ""},
		{500, "", "<html>", "internal_error", false, 0, "status 500"},
		{500, "", "rollup_error", "rollup_error", false, 0, ""},
		{503, "2", "", "service_unavailable", false, 2 * time.Second, ""},
		{302, "", "", "redirected", true, 0, "leads elsewhere"},
		{403, "", "action_prohibited", "action_prohibited", true, 0, "admin"},
		{403, "", "<html>  Denied\n by proxy", "invalid_auth", true, 0, `"<html> Denied by proxy"`},
		{404, "", "channel_not_found", "channel_not_found", true, 0, ""},
		{404, "", "no_service\n", "invalid_webhook", true, 0, ""},
		{410, "", "channel_is_archived", "is_archived", true, 0, ""},
		{400, "", strings.Repeat("long ", 100), "bad_answer", true, 0, "…"},
	} {
		f := ofStatus(c.status, http.Header{"Retry-After": {c.after}}, c.body, now, hiding("xoxb-1"))
		if f.Code != c.code || f.Permanent != c.permanent || f.Wait != c.wait || !strings.Contains(f.Text, c.says) || len(f.Text) > 500 {
			t.Errorf("%d %q: %+v", c.status, c.body, f)
		}
	}
}

func FuzzAnswered(f *testing.F) {
	for _, body := range []string{"ok", "no_text", `{"ok":true}`, `{"ok":false,"error":"x"}`, "<html>", "OK", ""} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		err := answered(body, hiding("xoxb-1"))
		if err == nil && !strings.Contains(strings.ToLower(body), "ok") && !strings.Contains(body, `\`) {
			t.Errorf("%q is taken for a success", body)
		}
	})
}

// TestNoHalfSecretIsQuoted where a text is cut in the middle of it.
func TestNoHalfSecretIsQuoted(t *testing.T) {
	const address = "https://hooks.slack.com/services/TABCDEFGH/BABCDEFGH/abcdefghijklmnopqrstuvwx"
	for n := range 60 {
		body := strings.Repeat("x", 140+n) + " " + address + " is denied"
		for _, f := range []*Fault{
			ofStatus(403, http.Header{}, body, time.Now(), hiding(address)),
			ofStatus(404, http.Header{}, body, time.Now(), hiding(address)),
			answered(body, hiding(address)).(*Fault),
		} {
			for _, part := range []string{"TABC", "BABC", "abcd"} {
				if strings.Contains(f.Text, part) {
					t.Fatalf("%d: %s", n, f.Text)
				}
			}
		}
	}
}
