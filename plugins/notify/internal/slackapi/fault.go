package slackapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

// Fault is why a message was not posted.
type Fault struct {
	// Code is for programs: Slack's own where it is a known one, else one of
	// slack_error, bad_answer, redirected, unreachable, interrupted, timed_out.
	// Unreachable is where no connection was made.
	Code string
	// Text says what happened and what to do; no secret stands in it.
	Text string
	// Permanent says that a retry does not help.
	Permanent bool
	// Unsent says that Slack has surely not posted the message: it can be sent
	// again without standing there twice.
	Unsent bool
	// Wait is how long Slack asks to wait; 0 if it does not say.
	Wait time.Duration
}

func (f *Fault) Error() string { return f.Text }

// advice is what is known of one of Slack's error codes.
type advice struct {
	code      string
	permanent bool
	unsent    bool
	todo      string
}

// adviceOf knows the codes of chat.postMessage, chat.update and of incoming
// webhooks that have a common cause. Codes of one meaning get one name.
// https://docs.slack.dev/reference/methods/chat.postMessage#errors
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
func adviceOf(code string) (advice, bool) {
	never := func(code, todo string) (advice, bool) { return advice{code: code, permanent: true, todo: todo}, true }
	again := func(code, todo string, unsent bool) (advice, bool) {
		return advice{code: code, unsent: unsent, todo: todo}, true
	}
	switch code {
	case "missing_scope":
		return never(code, "add the scope to the app under OAuth & Permissions, install it again and use the new token")
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired":
		return never("invalid_auth", "the token is not, or no longer, valid: make a new one in the app's settings")
	case "not_allowed_token_type":
		return never(code, "use a bot token, which begins with xoxb-")
	case "channel_not_found":
		return never(code, "the channel does not exist, was deleted, or is a private one that the app was not invited to: check its name or id, or invite the app")
	case "not_in_channel":
		return never(code, "invite the app to the channel, or give it the scope chat:write.public")
	case "is_archived", "channel_is_archived":
		return never("is_archived", "the channel is archived: unarchive it or post to another")
	case "message_not_found", "cant_update_message", "edit_window_closed":
		return never(code, "only a message of this very app, in the channel that slack.post put out, can be updated: check update and channel, or post anew")
	case "thread_not_found", "cannot_reply_to_message":
		return never(code, "check thread: it is the ts of a message in the same channel")
	case "no_text":
		return never(code, "give a text or blocks that are not empty")
	case "msg_too_long", "msg_blocks_too_long", "too_many_attachments", "metadata_too_large":
		return never(code, "send less, or put it in a file and link it")
	case "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "invalid_payload", "invalid_arguments":
		return never(code, "Slack cannot read the message: try its blocks in the Block Kit Builder")
	case "invalid_metadata_format", "invalid_metadata_schema":
		return never(code, "metadata is an event_type and an event_payload, an object")
	case "restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel",
		"restricted_action_non_threadable_channel", "action_prohibited", "posting_to_general_channel_denied",
		"team_access_not_granted", "ekm_access_denied", "no_permission", "access_denied":
		return never(code, "a workspace admin has to allow the app to post there")
	case "no_service", "no_service_id", "no_active_hooks", "no_team", "team_disabled", "invalid_token", "user_not_found":
		return never("invalid_webhook", "the webhook was removed or switched off: make a new one in the app's settings")
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return again("ratelimited", "too many messages: post less often, or raise timeout", true)
	case "service_unavailable":
		return again(code, "Slack is not there: try later", true)
	case "fatal_error", "internal_error", "request_timeout", "rollup_error":
		return again(code, "Slack failed, and the message may stand there nevertheless: try again", false)
	}
	return advice{}, false
}

// ofCode makes a fault of an error code, with detail such as the scope missing.
func ofCode(code, detail string) *Fault {
	about, known := adviceOf(code)
	if !known {
		about = advice{code: "slack_error", todo: "see the method's errors on docs.slack.dev"}
	}
	if detail != "" {
		detail = " (" + detail + ")"
	}
	return &Fault{
		Code: about.code, Permanent: about.permanent, Unsent: about.unsent,
		Text: fmt.Sprintf("Slack refuses the message: %s%s: %s", code, detail, about.todo),
	}
}

// ofStatus makes a fault of an answer that is not 200. Its body is the error
// code alone when a webhook answers, and nothing to rely on otherwise.
func ofStatus(status int, h http.Header, body string, now time.Time, hide func(string) string) *Fault {
	f := ofBody(body)
	switch {
	case status == http.StatusTooManyRequests:
		f = ofCode("ratelimited", "")
		f.Wait, _ = sdk.RetryAfterHeader(h, now)
	case f != nil:
	case status == http.StatusServiceUnavailable:
		f = ofCode("service_unavailable", "status 503")
		f.Wait, _ = sdk.RetryAfterHeader(h, now)
	case status >= 500:
		f = ofCode("internal_error", fmt.Sprintf("status %d", status))
	case status >= 300 && status < 400:
		f = &Fault{Code: "redirected", Permanent: true, Text: fmt.Sprintf("status %d: the address leads elsewhere, and a token is not sent there: check it", status)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f = &Fault{Code: "invalid_auth", Permanent: true, Text: fmt.Sprintf("status %d%s: Slack, or a proxy before it, does not let the message in: check the token or webhook", status, quote(hide(body)))}
	default:
		f = &Fault{Code: "bad_answer", Permanent: true, Text: fmt.Sprintf("status %d%s: this is no address of Slack's: check api_url or the webhook", status, quote(hide(body)))}
	}
	return f
}

// ofBody is nil unless the body is a known code, as webhooks answer.
func ofBody(body string) *Fault {
	code := strings.TrimSpace(body)
	if _, known := adviceOf(code); known {
		return ofCode(code, "")
	}
	return nil
}

// quote shows the beginning of a body, on one line.
func quote(body string) string {
	const most = 200
	body = strings.Join(strings.Fields(body), " ")
	if body == "" {
		return ""
	}
	if runes := []rune(body); len(runes) > most {
		body = string(runes[:most]) + "…"
	}
	return fmt.Sprintf(", %q", body)
}
