package main

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// adopt are parameters of the message that testdata's history and replies hold.
func adopt(s *fakeSlack, seq int, more string) string {
	return slackJSON(s, `, "text": "orders are late", "adopt": true,
		"metadata": {"event_type": "outrider_alert", "event_payload": {"incident": 7, "seq": `+strconv.Itoa(seq)+`}}`+more)
}

func paths(s *fakeSlack) string {
	var all []string
	for _, r := range s.requests() {
		all = append(all, strings.TrimPrefix(r.path, "/api/"))
	}
	return strings.Join(all, " ")
}

func TestAMessageThatStandsThereIsAdopted(t *testing.T) {
	s := newSlack(t, recorded(t, "history"))
	out := output(t, post(t, adopt(s, 1, `, "channel": "C024BE91L", "adopt_since": "2017-08-22T21:00:00Z"`)))
	if !out.Adopted || out.Channel != "C024BE91L" || out.TS != "1503435956.000247" || out.Thread != out.TS {
		t.Errorf("%+v", out)
	}
	form := s.requests()[0].form
	for field, want := range map[string]string{"include_all_metadata": "1", "oldest": "1503435600", "inclusive": "1", "channel": "C024BE91L", "token": testToken} {
		if form.Get(field) != want {
			t.Errorf("%s is %q, want %q", field, form.Get(field), want)
		}
	}
	if got := paths(s); got != "conversations.history" {
		t.Error(got)
	}
}

func TestAReplyIsLookedForInItsThread(t *testing.T) {
	s := newSlack(t, recorded(t, "replies"))
	out := output(t, post(t, adopt(s, 2, `, "channel": "C024BE91L", "thread": "1503435956.000247"`)))
	if !out.Adopted || out.TS != "1503436011.000301" || out.Thread != "1503435956.000247" {
		t.Errorf("%+v", out)
	}
	if got := paths(s); got != "conversations.replies" || s.requests()[0].form.Get("ts") != "1503435956.000247" {
		t.Error(got)
	}
}

// TestWhatIsNotThereIsPosted: neither another incident's metadata nor another number of
// this one is the message.
func TestWhatIsNotThereIsPosted(t *testing.T) {
	s := newSlack(t, recorded(t, "history"), recorded(t, "posted"))
	out := output(t, post(t, adopt(s, 3, `, "channel": "C024BE91L"`)))
	if out.Adopted || out.TS != "1503435956.000247" || paths(s) != "conversations.history chat.postMessage" {
		t.Errorf("%+v, %s", out, paths(s))
	}
}

func TestAChannelsNameIsLookedUp(t *testing.T) {
	none := answer{status: 200, body: `{"ok":true,"channels":[{"id":"C0","name":"alerts-2"}],"response_metadata":{"next_cursor":""}}`}
	next := answer{status: 200, body: `{"ok":true,"channels":[],"response_metadata":{"next_cursor":"dGVhbTpDMDYxRkE1UEI="}}`}
	s := newSlack(t, next, none, recorded(t, "channels"), recorded(t, "history"))
	out := output(t, post(t, adopt(s, 1, `, "channel": "#alerts"`)))
	if !out.Adopted || out.Channel != "C024BE91L" {
		t.Errorf("%+v", out)
	}
	got := s.requests()
	if paths(s) != "conversations.list conversations.list conversations.list conversations.history" ||
		got[1].form.Get("cursor") != "dGVhbTpDMDYxRkE1UEI=" || got[0].form.Get("types") != "public_channel" || got[2].form.Get("types") != "private_channel" {
		t.Errorf("%s: %v", paths(s), got)
	}
}

func TestPagesAreLookedThrough(t *testing.T) {
	page := answer{status: 200, body: `{"ok":true,"messages":[{"ts":"1.2","text":"a"}],"has_more":true,"response_metadata":{"next_cursor":"bmV4dA=="}}`}
	s := newSlack(t, page, page, recorded(t, "history"))
	out := output(t, post(t, adopt(s, 1, `, "channel": "C024BE91L"`)))
	if got := s.requests(); !out.Adopted || len(got) != 3 || got[2].form.Get("cursor") != "bmV4dA==" {
		t.Errorf("%+v, %v", out, got)
	}
	endless := newSlack(t, append(slices.Repeat([]answer{page}, 10), recorded(t, "posted"))...)
	if out := output(t, post(t, adopt(endless, 1, `, "channel": "C024BE91L"`))); out.Adopted || len(endless.requests()) != 11 {
		t.Errorf("%+v, %s", out, paths(endless))
	}
}

// TestATokenThatMayNotLookPosts: twice there is better than not at all.
func TestATokenThatMayNotLookPosts(t *testing.T) {
	s := newSlack(t, answer{status: 200, body: `{"ok":false,"error":"missing_scope","needed":"channels:history","provided":"chat:write"}`}, recorded(t, "posted"))
	o := post(t, adopt(s, 1, `, "channel": "C024BE91L"`))
	if out := output(t, o); out.Adopted || out.TS == "" {
		t.Errorf("%+v", out)
	}
	if len(o.Logs) != 1 || o.Logs[0].Level != "warn" || o.Logs[0].Fields["why"] != "missing_scope" {
		t.Errorf("%v", o.Logs)
	}
	lost := newSlack(t, answer{status: 200, body: `{"ok":false,"error":"internal_error"}`})
	if o := post(t, adopt(lost, 1, `, "channel": "C024BE91L"`)); o.State != sdktest.Failed || o.Code != "internal_error" || paths(lost) != "conversations.history" {
		t.Errorf("%s, %s, %s", o.State, o.Code, paths(lost))
	}
}

// TestACutConnectionIsToldFromNone: only after it may the message stand there.
func TestACutConnectionIsToldFromNone(t *testing.T) {
	for name, cut := range map[string]http.HandlerFunc{
		"closed": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"reset": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_ = conn.(*net.TCPConn).SetLinger(0) // it is reset then
			_ = conn.Close()
		},
	} {
		s := newSlack(t, recorded(t, "posted"))
		s.Config.Handler = cut
		o := post(t, slackJSON(s, `, "channel": "C1", "text": "hi"`))
		if o.State != sdktest.Failed || o.Code != "interrupted" || !strings.Contains(o.Error, "may stand there nevertheless") {
			t.Errorf("%s: %s, %s, %s", name, o.State, o.Code, o.Error)
		}
	}
}
