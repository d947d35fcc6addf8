package message

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func template(t *testing.T, text string, values map[string]string) (Message, []string) {
	t.Helper()
	m, unknown, err := Template([]byte(text), values, false)
	if err != nil {
		t.Fatal(err)
	}
	return m, unknown
}

func TestATemplateOfDigdagSlackBecomesItsMessage(t *testing.T) {
	source, err := os.ReadFile("../../testdata/templates/failed.yml")
	if err != nil {
		t.Fatal(err)
	}
	m, unknown := template(t, string(source), map[string]string{
		"workflow_name": "orders", "session_date": "2026-03-01",
		"error.message": "exit 1: \"a\" < 'b'\n- x: y <!channel>",
	})
	a := m.Attachments[0]
	field := a["fields"].([]any)[0].(map[string]any)
	if m.Username != "Digdag" || m.IconEmoji != ":cry:" || unknown != nil ||
		a["color"] != "danger" || a["fallback"] != "[FAILED] orders" ||
		// What the author wrote stays, a link too.
		a["text"] != "*[FAILED]* `orders` <https://digdag.example/attempts|attempts>" ||
		// A value breaks nothing, and calls nobody.
		field["value"] != "`exit 1: \"a\" &lt; 'b'\n- x: y &lt;!channel&gt;`" || field["short"] != false {
		t.Errorf("%+v, %v", m, unknown)
	}
}

func TestTemplateValues(t *testing.T) {
	m, unknown := template(t, "text: ${ a } ${b} ${c\nchannel: '#${a}'\nicon_url: https://x/?q=${b}\nlink_names: 1\nparse: full\n",
		map[string]string{"a": "${b}", "b": "1&2"})
	if m.Text != "${b} 1&amp;2 ${c" || m.Channel != "#${b}" || m.IconURL != "https://x/?q=1&2" || m.LinkNames != 1.0 || fmt.Sprint(unknown) != "[parse]" {
		t.Errorf("%+v, %v", m, unknown)
	}
	raw, _, err := Template([]byte("text: ${who}"), map[string]string{"who": "<@U1>"}, true)
	if err != nil || raw.Text != "<@U1>" {
		t.Errorf("%+v, %v", raw, err)
	}
}

func TestABadTemplateSaysWhatIsWrong(t *testing.T) {
	for source, want := range map[string]string{
		"typo_text: hello":                "neither text nor attachments nor blocks",
		"":                                "neither text nor attachments nor blocks",
		"text: ${b} ${a} ${b}":            "asks for ${a}, ${b}: give each under values",
		"- text":                          "no YAML mapping",
		"text: [a":                        "no YAML mapping",
		"text: a\nattachments: none":      "attachments is a string",
		"text: [a, b]":                    "text is a array",
		"x: &a [1]\ntext: hi\ny: *a":      "line 1: anchors",
		"text: .nan\nusername: {a: .inf}": "cannot be sent as JSON",
	} {
		_, _, err := Template([]byte(source), nil, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
}

// FuzzTemplate: no template may panic, and what a value says never mentions
// anyone.
func FuzzTemplate(f *testing.F) {
	f.Add("text: hi ${name}", "you")
	f.Add("attachments:\n- text: ${name}\n  fields: [{title: a, value: '${name}'}]", "<!here>")
	f.Add("text: |\n  a\n  ${name}\nblocks: [{type: section}]", "a: b\n- c")
	f.Add("text: \"${name\"", "")
	f.Fuzz(func(t *testing.T, source, value string) {
		m, _, err := Template([]byte(source), map[string]string{"name": value}, false)
		if err != nil {
			return
		}
		if m.Empty() {
			t.Error("an empty message")
		}
		if !strings.Contains(source, "<") && strings.Contains(m.Text, "<") && !strings.Contains(source, `\`) {
			t.Errorf("%q of %q", m.Text, value)
		}
	})
}
