package deliver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/outrider-run/outrider/runner/internal/checker/message"
)

// Render makes the parameters of the receiver's component for a message: its own, their
// templates filled in, and what its built-in template adds to them. thread is the receipt
// of the incident's first message, nil without one. A template that fails gives the plain
// text in its place, and problem says so, in the text too.
func Render(r Receiver, m message.Message, thread json.RawMessage) (params json.RawMessage, problem string, err error) {
	own, err := r.params()
	if err != nil {
		return nil, "", fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	if problem = fill(r, own, m); problem != "" {
		m.Note = join(m.Note, problem)
		if own, err = r.params(); err != nil {
			return nil, "", err
		}
		fill(r, own, m) // again, so that the text tells the problem
	}
	switch r.template() {
	case Slack:
		addSlack(own, m, decodeThread(thread))
	case Text:
		addText(own, m)
	case Webhook:
		addBody(r, own, alertmanager(r, m))
	case JSON:
		addBody(r, own, m)
	}
	params, err = json.Marshal(own)
	if err != nil {
		return nil, problem, fmt.Errorf("receiver %s: make its parameters: %w", r.Name, err)
	}
	return params, problem, nil
}

// fill fills templates in, and says which failed.
func fill(r Receiver, params map[string]any, m message.Message) (problem string) {
	var failed []string
	for _, key := range slices.Sorted(maps.Keys(params)) {
		data := m
		if r.Component == slackPost && isMarkup(key, params) {
			data = escaped(m, escape)
		}
		params[key] = walk(params[key], "params."+key, func(at, text string) string {
			t, err := parse(at, text)
			var out strings.Builder
			if err == nil {
				err = t.Execute(&out, data)
			}
			if err != nil {
				failed = append(failed, err.Error())
				return plainText(data)
			}
			return out.String()
		})
	}
	if len(failed) == 0 {
		return ""
	}
	return "this is plain text, since a template of receiver " + r.Name + " failed: " + strings.Join(failed, "; ")
}

// parse reads a template.
func parse(at, text string) (*template.Template, error) {
	return template.New(at).Option("missingkey=error").Funcs(template.FuncMap{"text": plainText}).Parse(text)
}

func plainText(m message.Message) string { return message.Text(m, message.Plain) }

// walk calls do for every string that is a template, with where it stands, and puts what
// it returns there.
func walk(v any, at string, do func(at, text string) string) any {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "{{") {
			return do(at, v)
		}
	case []any:
		for i := range v {
			v[i] = walk(v[i], fmt.Sprintf("%s.%d", at, i), do)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			v[key] = walk(v[key], at+"."+key, do)
		}
	}
	return v
}

// escaped is a message whose every line went through an Escape.
func escaped(m message.Message, with message.Escape) message.Message {
	var tree any
	raw, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(raw, &tree)
	}
	if err == nil {
		raw, err = json.Marshal(each(tree, "", with))
	}
	var out message.Message
	if err != nil || json.Unmarshal(raw, &out) != nil {
		return message.Message{Title: with(m.Title)} // cannot be: a message is plain data
	}
	return out
}

// each escapes the texts of a tree of JSON. Only a log has several lines.
func each(v any, key string, with message.Escape) any {
	switch v := v.(type) {
	case string:
		lines := strings.Split(v, "\n")
		for i := range lines {
			lines[i] = with(lines[i])
		}
		if key == "log_tail" {
			return strings.Join(lines, "\n")
		}
		return strings.Join(lines, " ⏎ ")
	case []any:
		for i := range v {
			v[i] = each(v[i], key, with)
		}
	case map[string]any:
		for key := range v {
			v[key] = each(v[key], key, with)
		}
	}
	return v
}

// addText adds title and message.
func addText(params map[string]any, m message.Message) {
	title, rest, _ := strings.Cut(message.Text(m, func(line string) string { return mentionless(message.Plain(line)) }), "\n")
	add(params, "title", title)
	add(params, "message", cmp.Or(rest, title))
}

// addBody adds what a program reads.
func addBody(r Receiver, params map[string]any, body any) {
	if r.Component != httpRequest {
		add(params, "message", body)
		return
	}
	add(params, "method", "POST")
	add(params, "retries", 0) // the row comes again by itself
	if !has(params, "json", "form", "body_file") {
		params["json"] = body
	}
}

// add sets what the receiver's own parameters do not.
func add(params map[string]any, key string, v any) {
	if !has(params, key) {
		params[key] = v
	}
}

func has(params map[string]any, keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { _, ok := params[key]; return ok })
}

// join adds a sentence to a note.
func join(note, more string) string {
	if note == "" {
		return more
	}
	return note + "; " + more
}
