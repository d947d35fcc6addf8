package slacktest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) auth(url.Values) (map[string]any, string) {
	return map[string]any{"team": "slacktest", "user": "outrider", "user_id": "U00000001", "bot_id": "B00000001"}, ""
}

// post takes names of channels, as Slack does; the other methods take ids alone.
func (s *Server) post(form url.Values) (map[string]any, string) {
	channel := form.Get("channel")
	for id, name := range s.channels {
		if "#"+name == channel || name == channel {
			channel = id
		}
	}
	m := &Message{Channel: channel, Thread: form.Get("thread_ts")}
	if _, ok := s.channels[channel]; !ok {
		return nil, "channel_not_found"
	}
	if m.Thread != "" && s.find(channel, m.Thread) == nil {
		return nil, "thread_not_found"
	}
	if code := m.write(form); code != "" {
		return nil, code
	}
	if raw := form.Get("metadata"); raw != "" {
		if m.Metadata = json.RawMessage(raw); !validMetadata(m.Metadata) {
			return nil, "invalid_metadata_format"
		}
	}
	s.last = max(s.last+1, s.now().UnixMicro())
	m.TS = fmt.Sprintf("%d.%06d", s.last/1e6, s.last%1e6)
	s.messages = append(s.messages, m)
	s.tell()
	return map[string]any{"channel": channel, "ts": m.TS, "message": s.shown(m, true)}, ""
}

// update keeps metadata that it is not given.
func (s *Server) update(form url.Values) (map[string]any, string) {
	if _, ok := s.channels[form.Get("channel")]; !ok {
		return nil, "channel_not_found"
	}
	m := s.find(form.Get("channel"), form.Get("ts"))
	if m == nil {
		return nil, "message_not_found"
	}
	changed := *m
	if code := changed.write(form); code != "" {
		return nil, code
	}
	changed.Edits++
	*m = changed
	s.tell()
	return map[string]any{"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": s.shown(m, true)}, ""
}

// tell wakes who waits.
func (s *Server) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) find(channel, ts string) *Message {
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}

func (s *Server) history(form url.Values) (map[string]any, string) {
	if s.scopes["channels:history"] {
		return nil, "missing_scope"
	}
	if _, ok := s.channels[form.Get("channel")]; !ok {
		return nil, "channel_not_found"
	}
	var all []*Message
	for _, m := range s.messages {
		if m.Channel == form.Get("channel") && m.Thread == "" {
			all = append(all, m)
		}
	}
	slices.Reverse(all) // the newest first
	return s.page(form, all, nil)
}

func (s *Server) replies(form url.Values) (map[string]any, string) {
	if s.scopes["channels:history"] {
		return nil, "missing_scope"
	}
	first := s.find(form.Get("channel"), form.Get("ts"))
	if first == nil {
		return nil, "thread_not_found"
	}
	var all []*Message
	for _, m := range s.messages {
		if m.Channel == first.Channel && m.Thread == first.TS {
			all = append(all, m)
		}
	}
	return s.page(form, all, first)
}

// page is a page of messages; a thread's first stands before each page's others.
func (s *Server) page(form url.Values, all []*Message, first *Message) (map[string]any, string) {
	if oldest := form.Get("oldest"); oldest != "" {
		all = slices.DeleteFunc(all, func(m *Message) bool { return number(m.TS) < number(oldest) })
	}
	from, _ := strconv.Atoi(form.Get("cursor"))
	limit, err := strconv.Atoi(form.Get("limit"))
	if err != nil || limit < 1 || limit > 999 {
		return nil, "invalid_limit"
	}
	to := min(from+limit, len(all))
	shown := []any{}
	if first != nil {
		shown = append(shown, s.shown(first, form.Get("include_all_metadata") == "1"))
	}
	for _, m := range all[min(from, to):to] {
		shown = append(shown, s.shown(m, form.Get("include_all_metadata") == "1"))
	}
	next := ""
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return map[string]any{"messages": shown, "has_more": next != "", "response_metadata": map[string]any{"next_cursor": next}}, ""
}

func number(ts string) float64 {
	f, _ := strconv.ParseFloat(ts, 64) // what is none sorts first
	return f
}

func (s *Server) list(form url.Values) (map[string]any, string) {
	all := []any{}
	if strings.Contains(form.Get("types"), "public_channel") || form.Get("types") == "" {
		for id, name := range s.channels {
			all = append(all, map[string]any{"id": id, "name": name, "is_channel": true})
		}
	}
	return map[string]any{"channels": all, "response_metadata": map[string]any{"next_cursor": ""}}, ""
}

// shown is a message as Slack's answers have it.
func (s *Server) shown(m *Message, metadata bool) map[string]any {
	out := map[string]any{"type": "message", "subtype": "bot_message", "text": m.Text, "ts": m.TS, "bot_id": "B00000001"}
	if len(m.Blocks) > 0 {
		out["blocks"] = m.Blocks
	}
	thread := m.Thread
	if slices.ContainsFunc(s.messages, func(o *Message) bool { return o.Thread == m.TS && o.Channel == m.Channel }) {
		thread = m.TS
	}
	if thread != "" {
		out["thread_ts"] = thread
	}
	if metadata && m.Metadata != nil {
		out["metadata"] = m.Metadata
	}
	return out
}
