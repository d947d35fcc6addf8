package message

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// Template makes a message of a template of digdag-slack: Slack's payload in
// YAML, with ${name} where a value is to stand.
// https://github.com/szyn/digdag-slack
//
// A name is looked up in values as it stands between the braces. Values are put
// in after the YAML was read, so that no value can break it, and escaped,
// unless mrkdwn is set or they are part of an address. unknown lists the keys of
// the template that no message has; they are left out. The error names every
// value that is missing.
func Template(source []byte, values map[string]string, mrkdwn bool) (m Message, unknown []string, err error) {
	tree, err := read(source)
	if err != nil {
		return Message{}, nil, err
	}
	f := filler{values: values, mrkdwn: mrkdwn, missing: map[string]bool{}}
	filled, _ := f.fill("", tree).(map[string]any)
	if len(f.missing) > 0 {
		names := slices.Sorted(maps.Keys(f.missing))
		return Message{}, nil, fmt.Errorf("the template asks for ${%s}: give each under values, by the text between the braces; nothing is computed", strings.Join(names, "}, ${"))
	}
	if m, err = decode(filled); err != nil {
		return Message{}, nil, err
	}
	if m.Empty() {
		return Message{}, nil, errors.New("the template has neither text nor attachments nor blocks")
	}
	return m, unknownKeys(filled), nil
}

// read refuses anchors: no template of digdag-slack can have them, and a few
// lines of them make gigabytes.
func read(source []byte) (map[string]any, error) {
	for _, t := range lexer.Tokenize(string(source)) {
		if t.Type == token.AnchorType || t.Type == token.AliasType || t.Type == token.MergeKeyType {
			return nil, fmt.Errorf("the template's line %d: anchors (&) and aliases (*) are not read; quote the text if it is meant to be one", t.Position.Line)
		}
	}
	var tree map[string]any
	if err := yaml.Unmarshal(source, &tree); err != nil {
		return nil, fmt.Errorf("the template is no YAML mapping: %s", yaml.FormatError(err, false, false))
	}
	return tree, nil
}

type filler struct {
	values  map[string]string
	mrkdwn  bool
	missing map[string]bool
}

// fill returns v, which stands under key, with the values put in.
func (f *filler) fill(key string, v any) any {
	switch v := v.(type) {
	case string:
		return f.text(v, f.mrkdwn || isAddress(key))
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = f.fill(key, item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = f.fill(k, item)
		}
		return out
	}
	return v
}

func (f *filler) text(text string, verbatim bool) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			out.WriteString(text)
			return out.String()
		}
		name = strings.TrimSpace(name)
		value, known := f.values[name]
		if !known {
			f.missing[name] = true
		}
		if !verbatim {
			value = Escape(value)
		}
		out.WriteString(before)
		out.WriteString(value)
		text = after
	}
}

// isAddress says that Slack follows what stands under key, or looks it up, and
// does not show it.
func isAddress(key string) bool {
	return key == "channel" || strings.HasSuffix(key, "url") || strings.HasSuffix(key, "_link") || strings.HasSuffix(key, "_icon")
}

func decode(tree map[string]any) (Message, error) {
	var m Message
	raw, err := json.Marshal(tree)
	if err != nil {
		return m, fmt.Errorf("the template cannot be sent as JSON: %w", err)
	}
	var wrong *json.UnmarshalTypeError
	if err := json.Unmarshal(raw, &m); errors.As(err, &wrong) {
		return m, fmt.Errorf("the template's %s is a %s, which Slack does not take there", wrong.Field, wrong.Value)
	} else if err != nil {
		return m, fmt.Errorf("the template is no Slack message: %w", err)
	}
	return m, nil
}

func unknownKeys(tree map[string]any) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		switch key {
		case "channel", "thread_ts", "username", "icon_emoji", "icon_url", "text", "blocks", "attachments",
			"link_names", "mrkdwn", "unfurl_links", "unfurl_media":
		default:
			out = append(out, key)
		}
	}
	return out
}
