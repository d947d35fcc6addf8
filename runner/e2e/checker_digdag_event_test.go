package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

const onNotification = `sources: {outrider: {engine: outrider}}
rules:
  - {name: failed-now, kind: signal, signal: digdag.notification, above: 0, labels: {message: '* attempt failed'}}
  - {name: repair, kind: signal, signal: digdag.notification, above: 0, labels: {workflow: daily}, severity: none}
receivers: {log: {file: %[1]q}}
routes: [{receiver: log}]
actions:
  - name: repair
    match: rule=repair
    do: {component: digdag.start, params: {endpoint: %[2]q, address: '{{.Alert.Labels.project}}/repair', params: {failed: '{{.Alert.Labels.attempt}}'}}}
`

// TestCheckerDigdagNotification: with the lines that the help of watch gives, a Digdag
// tells of an attempt when it fails; somebody is told of it and something is done, long
// before a pass would be due.
func TestCheckerDigdagNotification(t *testing.T) {
	address, behind := front(t)
	w := checkerWorld{newWorld(t), t}
	w.write(fmt.Sprintf(onNotification, w.path("log"), address))
	log := &lineWatch{want: "pass at ", seen: make(chan struct{})}
	cmd := exec.Command(filepath.Join(bin, "outrider-checker"), "watch", "--every", "1h", "--listen", "127.0.0.1:0", "--token", "env:TOKEN")
	cmd.Env, cmd.Stderr = w.env("TOKEN=sesame-sesame"), log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the checker ended: %v", err)
		}
		if t.Failed() {
			t.Logf("the checker:\n%s", log.text())
		}
	})
	log.await(t.Context(), t)
	url := regexp.MustCompile(`answering at (http://\S+)`).FindStringSubmatch(log.text())
	if url == nil {
		t.Fatalf("no address in %s", log.text())
	}
	_, help, _ := ended(t, w.checker("watch", "--help"))
	config := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^ +(notification\.\S+)=(.*)$`).FindAllStringSubmatch(help, -1) {
		config[line[1]] = strings.NewReplacer("http://HOST:9469", url[1], "TOKEN", "sesame-sesame").Replace(line[2])
	}
	if len(config) != 3 {
		t.Fatalf("%q in the help\n%s", config, help)
	}
	d := onDigdagWith(t, config)
	behind(d.URL)
	project := d.Push(digdagtest.Files{
		"daily.dig":  "timezone: UTC\n+load: {fail>: the disk is full}\n",
		"repair.dig": "timezone: UTC\n+note: {sh>: 'echo $failed > " + d.dir + "/repaired'}\n",
	})
	a := d.Start(project, "daily")
	d.await("repaired")
	if failed := strings.TrimSpace(d.read("repaired")); failed != a.ID {
		t.Errorf("repaired is %q, and what failed is %s", failed, a.ID)
	}
	event := "attempt=" + a.ID + ",event_key=" + a.ID + " +daily^failure-alert Workflow session attempt failed,"
	d.until(func() bool { // it is told beside that
		said, err := os.ReadFile(w.path("log"))
		return err == nil && strings.Contains(string(said), "failed-now") && strings.Contains(string(said), event)
	})
	if passes := strings.Count(log.text(), "pass at "); passes > 3 {
		t.Errorf("%d passes: it is not the event that led to it\n%s", passes, log.text())
	}
}
