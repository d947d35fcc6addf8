package message

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func section(text string) map[string]any {
	return map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text}}
}

func TestFitCutsToSlacksLimits(t *testing.T) {
	long := strings.Repeat("x", 50_000)
	fields := make([]any, 12)
	for i := range fields {
		fields[i] = plain(long)
	}
	m := Message{Text: long, Blocks: []map[string]any{
		section(long),
		{"type": "section", "fields": fields},
		{"type": "header", "text": plain(long)},
		{"type": "context", "elements": append([]any{map[string]any{"type": "image", "image_url": "u"}}, fields...)},
		{"type": "markdown", "text": long},
		{"type": "image", "alt_text": long, "title": plain(long)},
		section("fine"),
	}}
	before, _ := json.Marshal(m)
	got, cut := Fit(m)
	length := func(at ...any) int {
		var v any = got.Blocks
		for _, step := range at {
			if i, ok := step.(int); ok {
				v = reflect.ValueOf(v).Index(i).Interface()
			} else {
				v = v.(map[string]any)[step.(string)]
			}
		}
		if s, ok := v.(string); ok {
			return utf8.RuneCountInString(s)
		}
		return reflect.ValueOf(v).Len()
	}
	for what, n := range map[string][2]int{
		"text":       {utf8.RuneCountInString(got.Text), 40_000},
		"section":    {length(0, "text", "text"), 3_000},
		"fields":     {length(1, "fields"), 10},
		"field":      {length(1, "fields", 0, "text"), 2_000},
		"header":     {length(2, "text", "text"), 150},
		"context":    {length(3, "elements"), 10},
		"markdown":   {length(4, "text"), 12_000},
		"alt text":   {length(5, "alt_text"), 2_000},
		"image name": {length(5, "title", "text"), 2_000},
	} {
		if n[0] != n[1] {
			t.Errorf("%s: %d, want %d", what, n[0], n[1])
		}
	}
	if !strings.HasSuffix(got.Text, mark) || !strings.Contains(fmt.Sprint(got.Blocks[1]["fields"]), "3 more fields left out") {
		t.Errorf("no mark: %v", got.Blocks[1])
	}
	if !reflect.DeepEqual(got.Blocks[6], section("fine")) {
		t.Errorf("changed: %v", got.Blocks[6])
	}
	if want := "text blocks.0.text.text blocks.1.fields blocks.1.fields.0.text"; !strings.HasPrefix(strings.Join(cut, " "), want) {
		t.Errorf("told %v", cut)
	}
	if after, _ := json.Marshal(m); string(after) != string(before) {
		t.Error("what was given is changed")
	}
}

func TestFitLeavesFiftyBlocks(t *testing.T) {
	var m Message
	for i := range 60 {
		m.Blocks = append(m.Blocks, section(fmt.Sprint(i)))
	}
	got, cut := Fit(m)
	last, _ := json.Marshal(got.Blocks[49])
	if len(got.Blocks) != 50 || !strings.Contains(string(last), "[11 more blocks left out]") || fmt.Sprint(cut) != "[blocks]" {
		t.Errorf("%d blocks, the last %s, %v", len(got.Blocks), last, cut)
	}
	m.Blocks = m.Blocks[:50]
	if got, cut := Fit(m); !reflect.DeepEqual(got, m) || cut != nil {
		t.Errorf("fifty are changed: %v", cut)
	}
}

func TestFitLooksIntoAttachments(t *testing.T) {
	m := Message{Attachments: make([]map[string]any, 120)}
	for i := range m.Attachments {
		m.Attachments[i] = map[string]any{"blocks": []any{section(strings.Repeat("y", 4_000))}}
	}
	got, cut := Fit(m)
	inner, _ := json.Marshal(got.Attachments[0])
	if len(got.Attachments) != 100 || len(inner) > 3_200 || cut[1] != "attachments.0.blocks.0.text.text" {
		t.Errorf("%d attachments, %d bytes, %v", len(got.Attachments), len(inner), cut)
	}
}

// FuzzFit gives Fit any JSON for blocks: it must not panic, and a second time
// there is nothing left to cut.
func FuzzFit(f *testing.F) {
	f.Add(`[{"type":"section","text":{"type":"mrkdwn","text":"hi"},"fields":[{"type":"plain_text","text":"a"}]}]`)
	f.Add(`[{"type":"section","text":"no object"},{"type":"context","elements":[1,null]},{"type":7}]`)
	f.Add(`[{"type":"header","text":{"text":"` + strings.Repeat("é😀", 100) + `"}}]`)
	f.Fuzz(func(t *testing.T, raw string) {
		var m Message
		if json.Unmarshal([]byte(raw), &m.Blocks) != nil {
			return
		}
		m.Attachments = m.Blocks
		once, _ := Fit(m)
		if twice, cut := Fit(once); cut != nil || !reflect.DeepEqual(once, twice) {
			t.Errorf("cut again: %v", cut)
		}
		if len(once.Blocks) > mostBlocks {
			t.Errorf("%d blocks", len(once.Blocks))
		}
	})
}
