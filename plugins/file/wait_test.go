package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// params are what the tests below share: looks at 0, 5, 10 … s.
func params(glob string) waitParams {
	return waitParams{Glob: glob, MinFiles: 1, UnchangedFor: 10 * time.Second, Timeout: time.Minute, Every: 5 * time.Second, Limit: 10}
}

// waitWhile waits while meanwhile happens, on a clock of its own, and tells how
// long it took.
func waitWhile(t *testing.T, p waitParams, meanwhile func(t *testing.T), options ...sdktest.Option) (waited, sdktest.Outcome, time.Duration) {
	t.Helper()
	var out waited
	var o sdktest.Outcome
	var took time.Duration
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		go meanwhile(t)
		out, o = sdktest.Run(t, wait, p, options...)
		took = time.Since(began)
		synctest.Wait()
	})
	return out, o, took
}

func nothing(*testing.T) {}

func TestWaitWatchesAFileThatWasThere(t *testing.T) {
	path := write(t, t.TempDir(), "a.csv", "text")
	touch(t, path, time.Now().Add(-time.Hour)) // proves nothing: copying sets it
	out, o, took := waitWhile(t, params(path), nothing)
	if o.Err() != nil || took != 10*time.Second || out.Count != 1 || out.Newest != path || out.Files[0].Size != 4 {
		t.Errorf("%+v, %v, after %v", out, o.Err(), took)
	}
}

func TestWaitTakesAFileAsItIs(t *testing.T) {
	p := params(write(t, t.TempDir(), "a.csv", "text"))
	p.UnchangedFor, p.Timeout = 0, 0
	if out, o, took := waitWhile(t, p, nothing); o.Err() != nil || took != 0 || out.Count != 1 {
		t.Errorf("%+v, %v, after %v", out, o.Err(), took)
	}
}

func TestWaitOutlastsAFileThatGrows(t *testing.T) {
	dir := t.TempDir()
	out, o, took := waitWhile(t, params(dir+"/*.csv"), func(t *testing.T) {
		time.Sleep(7 * time.Second)
		for i := range 10 { // until 25 s
			write(t, dir, "a.csv", strings.Repeat("x", i+1))
			time.Sleep(2 * time.Second)
		}
	})
	// Last changed at 25 s, seen so at 25 or 30 s.
	if o.Err() != nil || took < 35*time.Second || took > 40*time.Second || out.Files[0].Size != 10 {
		t.Errorf("%+v, %v, after %v", out, o.Err(), took)
	}
}

func TestWaitStartsAnewForAFileThatIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.csv", "text")
	at := time.Now().Add(-time.Hour)
	touch(t, path, at)
	_, o, took := waitWhile(t, params(path), func(t *testing.T) {
		time.Sleep(8 * time.Second)
		other := write(t, dir, "new", "TEXT")
		touch(t, other, at)
		ok(t, os.Rename(other, path))
	})
	if o.Err() != nil || took != 20*time.Second { // seen at 10 s
		t.Errorf("%v after %v", o.Err(), took)
	}
}

func TestWaitStartsAnewForAFileThatWasAway(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.csv", "text")
	_, o, took := waitWhile(t, params(path), func(t *testing.T) {
		time.Sleep(4 * time.Second)
		ok(t, os.Rename(path, path+".away"))
		time.Sleep(2 * time.Second)
		ok(t, os.Rename(path+".away", path))
	})
	if o.Err() != nil || took != 20*time.Second { // away at 5 s, seen at 10 s
		t.Errorf("%v after %v", o.Err(), took)
	}
}

func TestWaitForSeveralLargeFiles(t *testing.T) {
	dir := t.TempDir()
	p := params(dir + "/**/*.csv")
	p.MinFiles, p.MinSize, p.Limit = 2, 4, 1
	out, o, took := waitWhile(t, p, func(t *testing.T) {
		write(t, dir, "a.csv", "text")
		write(t, dir, "small.csv", "x")
		time.Sleep(11 * time.Second)
		touch(t, write(t, dir, "deep/er/b.csv", "long text"), time.Now().AddDate(100, 0, 0)) // the files' clock runs on
	})
	if o.Err() != nil || took != 25*time.Second {
		t.Fatalf("%v after %v", o.Err(), took)
	}
	if out.Count != 2 || out.TotalSize != 13 || out.NotReady != 1 || out.Newest != filepath.Join(dir, "deep/er/b.csv") || len(out.Files) != 1 {
		t.Errorf("%+v", out)
	}
	var notes []string
	for _, p := range o.Progress {
		notes = append(notes, p.Note)
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "1 of 2 are ready; too small: ") || o.Progress[len(o.Progress)-1].Done != 2 {
		t.Errorf("progress %+v", o.Progress)
	}
}

func TestWaitLooksOftenerWhenItIsWorthIt(t *testing.T) {
	p := params(write(t, t.TempDir(), "a.csv", "text"))
	p.Every = time.Hour
	if _, o, took := waitWhile(t, p, nothing); o.Err() != nil || took != 10*time.Second {
		t.Errorf("%v after %v", o.Err(), took)
	}
}

func TestWaitGivesUpAndSaysWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	p := params(dir + "/*.csv")
	p.MinFiles, p.MinSize = 2, 4
	p.Timeout = 12 * time.Second
	write(t, dir, "a.csv", "text")
	write(t, dir, "two\nlines\xff.csv", "x")
	_, o, took := waitWhile(t, p, nothing)
	if o.State != sdktest.Failed || o.Code != "timeout" || took != p.Timeout {
		t.Errorf("%s, %q after %v", o.State, o.Code, took)
	}
	want := `waited 12s, below "` + dir + `", for files that match "` + dir + `/*.csv", at least 2 of them, each at least 4B large, unchanged for 10s: 1 of 2 are ready; too small: "` + dir + `/two\nlines\xff.csv" (1B)`
	if o.Error != want {
		t.Errorf("got  %s\nwant %s", o.Error, want)
	}
	p = params(dir + "/none/*.csv")
	if _, o, _ := waitWhile(t, p, nothing); !strings.HasSuffix(o.Error, "0 of 1 are ready; no file matches") {
		t.Errorf("%s", o.Error)
	}
}

func TestWaitObeysACancelAtOnce(t *testing.T) {
	p := params(t.TempDir() + "/*.csv")
	p.Every, p.Timeout = time.Hour, 24*time.Hour
	ctx, cancel := context.WithCancelCause(t.Context())
	_, o, took := waitWhile(t, p, func(*testing.T) {
		time.Sleep(90 * time.Second)
		cancel(errors.New("enough"))
	}, sdktest.Context(ctx))
	if o.State != sdktest.Cancelled || !strings.Contains(o.Error, "enough") || took != 90*time.Second {
		t.Errorf("%s, %s, after %v", o.State, o.Error, took)
	}
}

func TestWaitRefusesWhatCannotCome(t *testing.T) {
	for params, want := range map[string]string{
		`{"glob":"["}`:                                            "is no pattern",
		`{"glob":"a\u0000"}`:                                      "holds a NUL",
		`{"glob":""}`:                                             "glob: is below the least",
		`{"glob":"a","timeout":"5s"}`:                             "timeout: 5s is too short to watch files that are to be unchanged_for 10s",
		`{"glob":"a","min_files":0}`:                              "min_files: is below the least",
		`{"glob":"a","unchanged_for":"-1s"}`:                      "unchanged_for: is below the least",
		`{"glob":"a","every":"1ms"}`:                              "every: is below the least",
		`{"glob":"a","min_size":"-1","unchanged_for":"1\u0000s"}`: "min_size: is not a size",
	} {
		if o := sdktest.RunJSON(t, waitComponent(), params); o.Code != "bad_params" || !strings.Contains(o.Error, want) {
			t.Errorf("%s: %s %q, want %q", params, o.State, o.Error, want)
		}
	}
}

// The output as a task after this one gets it.
func TestWaitOutput(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "bad\xff\n.csv", "text")
	touch(t, path, time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)))
	o := sdktest.RunJSON(t, waitComponent(), `{"glob":"`+dir+`/*","unchanged_for":"0s"}`)
	var out waited
	ok(t, o.Decode(&out))
	if string(out.Files[0].PathBytes) != path {
		t.Errorf("the bytes are of %q", out.Files[0].PathBytes)
	}
	shown := dir + `/bad` + "\uFFFD" + `\n.csv`
	for _, want := range []string{`"count":1`, `"total_size":4`, `"newest":"` + shown + `"`, `"path":"` + shown + `"`, `"size":4`, `"modified":"2026-03-01T11:00:00Z"`, `"not_ready":0`} {
		if !strings.Contains(string(o.Output), want) {
			t.Errorf("%s lacks %s", o.Output, want)
		}
	}
}

func TestWaitConforms(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.csv", "text")
	sdktest.Conform(
		t, waitComponent(),
		sdktest.Case{Params: `{"glob":"` + path + `","unchanged_for":"200ms"}`},
		sdktest.Case{Params: `{"glob":"` + dir + `/*.txt","unchanged_for":"0s","timeout":"300ms","every":"100ms"}`},
	)
}
