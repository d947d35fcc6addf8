package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	ok(t, err)
	return info
}

// What happens to a file between two looks, and for how long it counts as
// unchanged after the second, 10 s after the first.
func TestRememberSeesEveryChange(t *testing.T) {
	const apart = 10 * time.Second
	old := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		change func(t *testing.T, path string)
		held   time.Duration
	}{
		{"nothing", func(*testing.T, string) {}, apart},
		{"it is read", func(t *testing.T, path string) {
			_, err := os.ReadFile(path)
			ok(t, err)
		}, apart},
		{"it grows, its time set back", func(t *testing.T, path string) {
			write(t, filepath.Dir(path), filepath.Base(path), "longer")
			touch(t, path, old)
		}, 0},
		{"it is written anew, as long as before", func(t *testing.T, path string) { touch(t, path, old.Add(time.Nanosecond*1000)) }, 0},
		{"another file with the same size and time replaces it", func(t *testing.T, path string) {
			other := write(t, filepath.Dir(path), "other", "text")
			touch(t, other, old)
			ok(t, os.Rename(other, path))
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "a", "text")
			touch(t, path, old)
			now := time.Now()
			seen := remember(nil, map[string]fs.FileInfo{path: stat(t, path)}, now, now)
			c.change(t, path)
			seen = remember(seen, map[string]fs.FileInfo{path: stat(t, path)}, now.Add(apart), now.Add(apart))
			if got := seen[path].held; got != c.held {
				t.Errorf("held for %v, want %v", got, c.held)
			}
		})
	}
}

func TestRememberForgetsWhatIsGone(t *testing.T) {
	path := write(t, t.TempDir(), "a", "text")
	files := map[string]fs.FileInfo{path: stat(t, path)}
	now := time.Now()
	seen := remember(nil, files, now, now)
	seen = remember(seen, nil, now.Add(time.Second), now.Add(time.Second))
	if len(seen) != 0 {
		t.Errorf("still known: %v", seen)
	}
	if seen = remember(seen, files, now.Add(time.Minute), now.Add(time.Minute)); seen[path].held != 0 {
		t.Errorf("held for %v after it was away", seen[path].held)
	}
}

func TestASlowLookCountsForNoFile(t *testing.T) {
	path := write(t, t.TempDir(), "a", "text")
	files := map[string]fs.FileInfo{path: stat(t, path)}
	now := time.Now()
	seen := remember(nil, files, now, now.Add(time.Minute))
	seen = remember(seen, files, now.Add(61*time.Second), now.Add(2*time.Minute))
	if got := seen[path].held; got != time.Second {
		t.Errorf("held for %v, want the second between the looks", got)
	}
}

// info is a file that only a judge sees.
type info struct {
	fs.FileInfo
	size int64
	at   time.Time
}

func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return i.at }

func TestJudge(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	seen := map[string]sighting{
		"old":     {info: info{size: 10, at: day}, held: time.Hour},
		"new":     {info: info{size: 10, at: day.Add(2)}, held: 10 * time.Second},
		"new too": {info: info{size: 10, at: day.Add(2)}, held: 11 * time.Second},
		"small":   {info: info{size: 9, at: day}, held: time.Hour},
		"grows":   {info: info{size: 99, at: day}, held: 9 * time.Second},
		"grown":   {info: info{size: 99, at: day.Add(1)}, held: 4 * time.Second},
	}
	list := func(files []file) (out []string) {
		for _, f := range files {
			out = append(out, f.path)
		}
		return out
	}
	for _, c := range []struct {
		files int
		soon  time.Duration
	}{{3, 0}, {4, time.Second}, {5, 6 * time.Second}, {6, 0}} {
		v := judge(seen, conditions{files: c.files, size: 10, unchanged: 10 * time.Second})
		got := fmt.Sprint(list(v.ready), list(v.changing), list(v.small))
		if want := "[new new too old] [grown grows] [small]"; got != want || v.soon != c.soon {
			t.Errorf("%d files: %s, soon %v; want %s, %v", c.files, got, v.soon, want, c.soon)
		}
	}
	if v := judge(seen, conditions{files: 1}); len(v.ready) != len(seen) {
		t.Errorf("without conditions %v are ready, want all", list(v.ready))
	}
}

func TestPause(t *testing.T) {
	for _, c := range []struct{ soon, every, left, want time.Duration }{
		{0, 5, 60, 5}, {3, 5, 60, 3}, {30, 5, 60, 5}, {3, 5, 2, 2}, {0, 5, 2, 2},
	} {
		if got := pause(verdict{soon: c.soon}, c.every, c.left); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestSummaryNamesAFewOfEach(t *testing.T) {
	var v verdict
	for i := range 5 {
		v.small = append(v.small, file{fmt.Sprintf("/in/%d\n", i), sighting{info: info{size: int64(i)}}})
	}
	v.changing = []file{{"/in/x", sighting{info: info{size: 2048}, held: 3 * time.Second}}}
	want := `0 of 2 are ready; too small: "/in/0\n" (0B), "/in/1\n" (1B), "/in/2\n" (2B) and 2 more; changing: "/in/x" (2KiB, the same for 3s)`
	if got := v.summary(conditions{files: 2}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestOutputListsTheNewestAndCountsAll(t *testing.T) {
	v := verdict{small: make([]file, 2), changing: make([]file, 1)}
	for i, path := range []string{"/in/new\nline", "/in/bad\xff", "/in/old"} {
		v.ready = append(v.ready, file{path, sighting{info: info{size: 10, at: time.Unix(int64(-i), 0)}}})
	}
	out := output(v, 2)
	if out.Count != 3 || out.TotalSize != sdk.Bytes(30) || out.Newest != "/in/new\nline" || out.NotReady != 3 || len(out.Files) != 2 {
		t.Errorf("%+v", out)
	}
	if f := out.Files[0]; f.PathBytes != nil || f.Size != 10 || !f.Modified.Equal(time.Unix(0, 0)) {
		t.Errorf("%+v", f)
	}
	if f := out.Files[1]; !slices.Equal(f.PathBytes, []byte("/in/bad\xff")) {
		t.Errorf("%+v", f)
	}
}
