package watch

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

func TestTheDatabaseStopsInMidPass(t *testing.T) {
	server := dbtest.New(t)
	b := newBench(t, server.Database(t))
	c := &chat{}
	b.route(c)
	url, paths := pinged(t)
	b.setup.Ping = url
	stop := true
	b.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		if stop {
			stop = false
			server.Stop(t)
		}
		return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{hung()}}, nil
	})
	for i, want := range []int{0, 0, 1, 1} {
		b.fails()
		if len(c.told) != want {
			t.Errorf("pass %d: told %q", i+1, c.told)
		}
		b.now = b.now.Add(10 * time.Second)
	}
	if !strings.Contains(c.told[0], "CRITICAL: checker: no pass can be made") {
		t.Errorf("told %q", c.told)
	}
	server.Start(t)
	b.pass()
	for _, want := range []string{"CRITICAL: one:etl/daily@9", "resolved after 40s: checker: no pass could be made"} {
		if !slices.ContainsFunc(c.told, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("%q is lost: %q", want, c.told)
		}
	}
	n := len(c.told)
	b.pass()
	if len(c.told) != n {
		t.Errorf("told again: %q", c.told[n:])
	}
	if got := strings.Join(paths(), " "); got != "/uuid/fail /uuid/fail /uuid/fail /uuid/fail /uuid /uuid" {
		t.Error(got)
	}
}

// fails makes a pass that cannot be made.
func (b *bench) fails() {
	b.t.Helper()
	if s, err := b.Pass(b.t.Context()); err == nil || s.Exit != ExitUnknown {
		b.t.Fatalf("%+v, %v", s, err)
	}
}

// closed is a bench whose database cannot be had until open is called.
func closed(t *testing.T, mark string) (b *bench, open func()) {
	b = newBench(t, dbtest.SQLite(t))
	b.Mark = mark
	good := b.Open
	b.Open = func(context.Context) (*store.Store, error) { return nil, errors.New("no such host") }
	b.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		return observe.Snapshot{Engine: "x", At: b.now}, nil
	})
	return b, func() { b.Open = good }
}

// TestSingleChecksTellOfAnOutageTogether, by the mark that is between them.
func TestSingleChecksTellOfAnOutageTogether(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	for at, want := range []string{"", "", "CRITICAL: checker: no pass can be made: no such host", ""} {
		b, _ := closed(t, mark)
		b.now = noon.Add(time.Duration(at) * time.Minute)
		b.fails()
		text := b.console.String()
		if !strings.Contains(text, want) || want == "" && text != "" || strings.Contains(text, "outrider-checker alerts") {
			t.Errorf("check %d: %s", at+1, text)
		}
	}
	b, open := closed(t, mark)
	open()
	b.now = noon.Add(5 * time.Minute)
	if _, text := b.pass(); !strings.Contains(text, "resolved after 5m: checker: no pass could be made: no such host") || !strings.Contains(text, "it works again, since 2026-11-22 12:05 UTC") {
		t.Error(text)
	}
	again, open := closed(t, mark)
	open()
	if _, text := again.pass(); strings.Contains(text, "works again") {
		t.Error(text)
	}
}

func TestAnOutageThatIsShortIsToldToNobody(t *testing.T) {
	b, open := closed(t, filepath.Join(t.TempDir(), "mark"))
	b.fails()
	b.fails()
	open()
	if _, text := b.pass(); strings.Contains(text, "pass could be made") {
		t.Error(text)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b.Open = func(context.Context) (*store.Store, error) { return nil, errors.New("no such host") }
	b.console.Reset()
	b.fails()
	b.fails()
	if text := b.console.String(); text != "" {
		t.Errorf("those before are counted: %s", text)
	}
}

func TestAnOutageIsToldOnceWithoutAMarkToo(t *testing.T) {
	b, open := closed(t, filepath.Join(t.TempDir(), "none", "mark"))
	for range 6 {
		b.fails()
	}
	if n := strings.Count(b.console.String(), "no pass can be made"); n != 1 {
		t.Errorf("told %d times", n)
	}
	open()
	if _, text := b.pass(); !strings.Contains(text, "it works again") {
		t.Error(text)
	}
}

func TestWhoWantsNoRecoveriesIsNotToldThatItWorksAgain(t *testing.T) {
	b, open := closed(t, filepath.Join(t.TempDir(), "mark"))
	b.setup.Receivers = map[string]settings.Receiver{"pager": {Name: "pager", Console: true}}
	b.setup.Policy.Routes = []alert.Route{{Receiver: "pager"}}
	for range 3 {
		b.fails()
	}
	if text := b.console.String(); !strings.Contains(text, "no pass can be made") {
		t.Error(text)
	}
	open()
	if _, text := b.pass(); strings.Contains(text, "works again") {
		t.Error(text)
	}
}
