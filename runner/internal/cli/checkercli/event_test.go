package checkercli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const sensor = `sources: {one: {engine: stand, answer: one.json}}
rules: [{name: arrived, kind: signal, signal: arrived, above: 0, severity: none}]
receivers: {log: {file: LOG}}
routes: [{receiver: log}]
actions:
  - name: load
    match: rule=arrived
    do: {component: stand.tell, params: {to: did, text: '{{.Alert.EventKey}} of {{.Alert.Labels.file}}, {{.Event}}'}}
`

// posted posts a signal to a checker at work and waits for a pass that began after that.
func (p *process) posted(url, signal string) {
	p.t.Helper()
	passes := strings.Count(p.said(), "pass at ")
	if code, text := ask(p.t, "POST", url+"/v1/signal", "sesame-sesame", signal); code != 202 {
		p.t.Fatalf("%s: %d %s", signal, code, text)
	}
	p.await(fmt.Sprintf(`(?s)(pass at .*){%d}`, passes+2))
}

// TestASensorActsOnceForAnEvent: what a sensor posts is acted on once for each event that
// it names, whatever else it says of it and how often, and nobody is told.
func TestASensorActsOnceForAnEvent(t *testing.T) {
	t.Setenv("PATH", os.Getenv(builtEnv)+string(os.PathListSeparator)+os.Getenv("PATH"))
	w := newWorld(t, "", empty)
	w.write("outrider.yml", strings.Replace(sensor, "LOG", filepath.Join(w.dir, "log"), 1))
	p := w.start("watch", "--every", "1s", "--listen", "127.0.0.1:0", "--token", "env:EVENTS")
	url := strings.TrimPrefix(p.await(`answering at http://\S+`), "answering at ")
	p.await(`pass at .*: ok`)
	did := func(want string) {
		t.Helper()
		w.awaitFile("did")
		if text, err := os.ReadFile(filepath.Join(w.dir, "did")); err != nil || string(text) != want {
			t.Errorf("done: %q, %v; want %q", text, err, want)
		}
	}
	const signal = `{"name": "arrived", "value": %d, "labels": {"event_key": %q, "file": %q}}`
	p.posted(url, fmt.Sprintf(signal, 1, "order-7", "a.csv"))
	const first = "order-7 of a.csv, arrived|order-7\n"
	did(first)
	for _, again := range []string{
		fmt.Sprintf(signal, 2, "order-7", "a.csv"), // the number alone is another
		fmt.Sprintf(signal, 0, "order-7", "a.csv"), // it is over
		fmt.Sprintf(signal, 1, "order-7", "a.csv"), // and comes again
		fmt.Sprintf(signal, 1, "order-7", "b.csv"), // under another label
	} {
		p.posted(url, again)
	}
	p.posted(url, fmt.Sprintf(signal, 1, "order-8", "c.csv"))
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit %d\n%s", code, p.said())
	}
	did(first + "order-8 of c.csv, arrived|order-8\n")
	log, err := os.ReadFile(filepath.Join(w.dir, "log"))
	if err != nil || strings.Contains(string(log), "arrived") || strings.Contains(p.said(), "arrived") {
		t.Errorf("somebody was told: %s, %v\n%s", log, err, p.said())
	}
}
