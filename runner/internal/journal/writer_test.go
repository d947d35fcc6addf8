package journal

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.FixedZone("JST", 9*3600))

// TestFormat fixes what stands in a file: other programs, and older ones, read it.
func TestFormat(t *testing.T) {
	path := logPath(t)
	w := Create(path, 0)
	w.Line(noon, "info", "two\nlines, a \\ and \x00\xff")
	w.Line(noon.Add(-3*time.Hour), "odd -\\\nlevel of far too many bytes, which is cut", "")
	w.Line(time.Date(70000, 1, 1, 0, 0, 0, 0, time.UTC), "warn", "no such year")
	_, _ = w.Output("stderr").Write([]byte("C:\\\r\nno end"))
	closed(t, w)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	plain, err := dec.DecodeAll(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(plain), "\n")
	for i, want := range []string{
		"2026-11-22T03:00:00.123Z info two\\nlines, a \\\\ and \x00\xff\n",
		"2026-11-22T00:00:00.123Z odd____level_of_far_too_many_byt \n",
		"0001-01-01T00:00:00.000Z warn no such year\n",
		" stderr C:\\\\\r\n",
		" stderr no end\\\n",
	} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("line %d is %q, not %q", i, lines[i], want)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 {
		t.Errorf("modes are %v in %v", info.Mode(), dir.Mode())
	}
}

// TestRoundTrip: whatever is said in whatever pieces comes back byte for byte.
func TestRoundTrip(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := Path(root, fmt.Sprint(n))
		w := Create(path, rapid.SampledFrom([]int64{0, 1 << 20}).Draw(rt, "max"))
		var lines []Entry
		printed := map[string]*bytes.Buffer{"": {}, "stdout": {}, "stderr": {}}
		streams := map[string]interface{ Write([]byte) (int, error) }{"": w, "stdout": w.Output("stdout"), "stderr": w.Output("stderr")}
		text := rapid.Custom(func(rt *rapid.T) []byte {
			b := []byte(rapid.StringOfN(rapid.RuneFrom([]rune("ab\n\\\r -é\x00")), 0, 40, -1).Draw(rt, "text"))
			b = append(b, rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(rt, "bytes")...)
			return bytes.Repeat(b, rapid.SampledFrom([]int{1, 1, 1, 3, 5000}).Draw(rt, "times"))
		})
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			b := text.Draw(rt, "b")
			switch level := rapid.SampledFrom([]string{"", "stdout", "stderr", "info", "flush"}).Draw(rt, "level"); level {
			case "info":
				at := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(rt, "at")).UTC()
				w.Line(at, level, string(b))
				lines = append(lines, Entry{At: at, Level: level, Text: string(b)})
			case "flush":
				w.flush()
			default:
				if k, err := streams[level].Write(b); k != len(b) || err != nil {
					rt.Fatalf("Write: %d of %d bytes, %v", k, len(b), err)
				}
				printed[level].Write(b)
			}
		}
		if err := w.Close(); err != nil {
			rt.Fatal(err)
		}
		var all, got []Entry
		if w.Path() != "" {
			err := Read(context.Background(), path, func(e Entry) error { all = append(all, e); return nil })
			if err != nil {
				rt.Fatal(err)
			}
		}
		for level, want := range printed {
			if s := outputOf(all, level); s != want.String() {
				rt.Fatalf("output %q is %.300q, not %.300q", level, s, want)
			}
		}
		more := false
		for _, e := range all {
			if len(e.Text) > maxText {
				rt.Fatalf("an entry of %d bytes", len(e.Text))
			}
			switch {
			case e.Level != "info":
				continue
			case more:
				got[len(got)-1].Text += e.Text
			default:
				got = append(got, Entry{At: e.At, Level: e.Level, Text: e.Text})
			}
			more = e.More
		}
		if !slices.Equal(got, lines) {
			rt.Fatalf("lines are %.300q, not %.300q", texts(got), texts(lines))
		}
	})
}

// TestManySpeakers is worth most under -race.
func TestManySpeakers(t *testing.T) {
	path := logPath(t)
	w := Create(path, 0)
	const each = 3000
	var all sync.WaitGroup
	for who := range 4 {
		out := w.Output("stdout")
		all.Go(func() {
			for i := range each {
				text := fmt.Sprintf("%d %d %s", who, i, strings.Repeat("x", i%300))
				if who%2 == 0 {
					w.Line(time.Now(), "info", text)
				} else {
					_, _ = fmt.Fprintln(out, text)
				}
				if i%1000 == 0 {
					_, _ = w.Tail(), w.Path()
				}
			}
		})
	}
	all.Wait()
	closed(t, w)
	next := map[int]int{}
	for _, e := range readAll(t, path) {
		var who, i int
		if _, err := fmt.Sscan(e.Text, &who, &i); err != nil || i != next[who] {
			t.Fatalf("%q after %d of %d", e.Text, next[who], who)
		}
		next[who]++
	}
	for who := range 4 {
		if next[who] != each {
			t.Errorf("speaker %d has %d lines", who, next[who])
		}
	}
}

// TestFlush: by the clock of a bubble, what is said can be read a second later,
// the beginning of a line too, and nothing runs afterwards.
func TestFlush(t *testing.T) {
	path := logPath(t)
	var w *Writer
	synctest.Test(t, func(t *testing.T) {
		w = Create(path, 0)
		time.Sleep(time.Hour)
		if w.timer != nil || w.Path() != "" {
			t.Error("something happened without a line")
		}
		for i := range 3 {
			w.Line(time.Now(), "info", fmt.Sprint("line ", i))
			_, _ = w.Write([]byte("."))
			time.Sleep(time.Second)
			synctest.Wait()
			all := readAll(t, path)
			if n := len(all); n != 2*(i+1) || all[n-2].Text != fmt.Sprint("line ", i) {
				t.Fatalf("after %d lines and a second there is %q", i+1, texts(all))
			}
		}
		_, _ = w.Write([]byte("?"))
		time.Sleep(time.Second)
		synctest.Wait()
		if all := readAll(t, path); len(all) != 7 || all[6].Text != "?" {
			t.Fatalf("after a second of silence there is %q", texts(all))
		}
		time.Sleep(time.Hour)
		w.mu.Lock()
		if w.armed || w.busy != nil {
			t.Error("something runs, though nothing was said for an hour")
		}
		w.mu.Unlock()
		closed(t, w)
		w.Line(time.Now(), "info", "late")
		time.Sleep(time.Hour)
	})
	if n := len(readAll(t, path)); n != 7 {
		t.Errorf("%d entries", n)
	}
	if tail := w.Tail(); !strings.HasSuffix(tail[len(tail)-1], " info late") {
		t.Errorf("the tail ends with %q", tail[len(tail)-1])
	}
}

func TestNothingSaid(t *testing.T) {
	path := logPath(t)
	w := Create(path, 0)
	closed(t, w)
	closed(t, w)
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
	if w.Path() != "" || len(w.Tail()) != 0 {
		t.Errorf("%q, %q", w.Path(), w.Tail())
	}
}

func TestSecondWriterAppends(t *testing.T) {
	path := logPath(t)
	for _, text := range []string{"first", "second"} {
		w := Create(path, 0)
		w.Line(noon, "info", text)
		closed(t, w)
		if w.Path() != path {
			t.Errorf("Path is %q", w.Path())
		}
	}
	if got := texts(readAll(t, path)); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("%q", got)
	}
}

func TestTail(t *testing.T) {
	long := strings.Repeat("é", tailText)
	for name, c := range map[string]struct {
		say  func(w *Writer)
		want []string // the end of the tail
		n    int
	}{
		"all of few": {func(w *Writer) {
			w.Line(noon, "warn", "a\nb")
			_, _ = w.Write([]byte("raw\nno end"))
		}, []string{"2026-11-22T03:00:00.123Z warn a\nb", "raw", "no end"}, 3},
		"the last of many": {func(w *Writer) {
			for i := range 1000 {
				_, _ = fmt.Fprintln(w, i)
			}
		}, []string{"998", "999"}, tailLines},
		"pieces are one line": {func(w *Writer) {
			for range 3 {
				_, _ = w.Write([]byte("."))
				w.flush()
			}
			_, _ = w.Write([]byte(" done\nnext\n"))
		}, []string{"... done", "next"}, 2},
		"long": {func(w *Writer) {
			_, _ = fmt.Fprintln(w, long+long+strings.Repeat("x", maxText))
		}, []string{fmt.Sprintf("%s … (%d bytes more)", long[:tailText], 3*tailText+maxText)}, 1},
		"for a database": {func(w *Writer) {
			_, _ = w.Write([]byte("a\x00b\xffc\n"))
		}, []string{"a\uFFFDb\uFFFDc"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := Create(logPath(t), 0)
			c.say(w)
			closed(t, w)
			got := w.Tail()
			if len(got) != c.n || !slices.Equal(got[len(got)-len(c.want):], c.want) {
				t.Errorf("%d lines, the last %.200q", len(got), got[max(0, len(got)-3):])
			}
		})
	}
}
