package catalog_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/runner/internal/catalog"
)

// TestSilentPluginIsKilledWithItsGroup: neither a plugin that hangs nor what it
// started outlives the question.
func TestSilentPluginIsKilledWithItsGroup(t *testing.T) {
	w := newWorld(t)
	pids := filepath.Join(w.root, "pids")
	w.plugin("p/outrider-plugin-good", "good.one")
	w.shell("p/outrider-plugin-hangs", "trap '' TERM INT HUP\nsleep 600 &\necho $$ $! > "+pids+"\nwait")
	o := w.options("p")
	o.DescribeTimeout = time.Second
	entries := w.list(catalog.Open(o), [2]string{"p/outrider-plugin-hangs", "describe: no answer within 1s"})
	if got := names(entries); got != "good.one" {
		t.Errorf("listed %s", got)
	}
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range strings.Fields(string(text)) {
		pid, _ := strconv.Atoi(f)
		// The orphan is init's to reap: a zombie is dead too.
		status, err := os.ReadFile("/proc/" + f + "/stat")
		if unix.Kill(pid, 0) == nil && err == nil && !strings.Contains(string(status), ") Z ") {
			t.Errorf("process %d lives", pid)
		}
	}
}

// TestLeftoverHoldsThePipe: who answers and leaves somebody behind with its
// stdout is understood, and nobody is left.
func TestLeftoverHoldsThePipe(t *testing.T) {
	w := newWorld(t)
	w.shell("p/outrider-plugin-x", "sleep 600 &\necho '{\"components\":[{\"name\":\"x.one\",\"params\":{}}]}'")
	if got := names(w.list(w.open("p"))); got != "x.one" {
		t.Errorf("listed %s", got)
	}
}

func TestEndlessAnswer(t *testing.T) {
	w := newWorld(t)
	w.shell("p/outrider-plugin-x", "exec yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	w.list(w.open("p"), [2]string{"p/outrider-plugin-x", "its description is larger than 16777216 bytes"})
}

func TestEndlessComplaint(t *testing.T) {
	w := newWorld(t)
	w.shell("p/outrider-plugin-x", "head -c 1000000 /dev/zero >&2\necho '{\"components\":[{\"name\":\"x.one\",\"params\":{}}]}'")
	w.shell("p/outrider-plugin-y", "head -c 1000000 /dev/zero | tr '\\0' x >&2\nexit 1")
	entries, problems := w.open("p").List(context.Background())
	if got := names(entries); got != "x.one" {
		t.Errorf("listed %s", got)
	}
	if len(problems) != 1 || len(problems[0].String()) > 5000 || !strings.Contains(problems[0].String(), "exit status 1: xxx") {
		t.Errorf("problems %.300v", problems)
	}
}

// TestDescribeEnvironment: no sign of a host, no secret, nothing to read.
func TestDescribeEnvironment(t *testing.T) {
	t.Setenv("OUTRIDER_PLUGIN", "cookie")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	t.Setenv("TZ", "Europe/Berlin")
	w := newWorld(t)
	env := filepath.Join(w.root, "env")
	w.shell("p/outrider-plugin-x", "env > "+env+"\ncat\npwd -P > "+w.root+"/pwd\necho '{\"components\":[{\"name\":\"x.one\",\"params\":{}}]}'")
	if got := names(w.list(w.open("p"))); got != "x.one" {
		t.Errorf("listed %s", got)
	}
	text, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); strings.Contains(s, "cookie") || strings.Contains(s, "hush") || !strings.Contains(s, "TZ=Europe/Berlin") || !strings.Contains(s, "PATH=") {
		t.Errorf("environment:\n%s", s)
	}
}
