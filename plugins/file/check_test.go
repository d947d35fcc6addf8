package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

func TestCheckTellsWhatItFound(t *testing.T) {
	path := write(t, t.TempDir(), "two\nlines.csv", "id,text\n1,\"a\nb\"\n2,c\n")
	at := time.Now().Add(-2 * time.Hour)
	touch(t, path, at)
	out, o := sdktest.Run(t, check, checkParams{
		Path: path, Rows: "csv", Delimiter: ",", Header: true, Checksum: "md5",
		MinRows: new(int64(2)), MaxRows: new(int64(2)), MinSize: new(sdk.Bytes(20)), MaxSize: new(sdk.Bytes(20)),
		MinAge: new(time.Hour), MaxAge: new(3 * time.Hour),
	})
	if o.Err() != nil || out.Size != 20 || *out.Rows != 2 || !out.Modified.Equal(at) || out.Age < 2*time.Hour || out.Path != path {
		t.Errorf("%+v, %v", out, o.Err())
	}
	if want := "md5:8d492d8768730fdc86cd6072074a2588"; out.Checksum != want {
		t.Errorf("checksum %s, want %s", out.Checksum, want)
	}
	if last := o.Progress[len(o.Progress)-1]; last.Done != 20 || last.Total != 20 {
		t.Errorf("progress %+v", o.Progress)
	}
}

func TestCheckReadsNothingThatNobodyAskedFor(t *testing.T) {
	path := write(t, t.TempDir(), "a", "text")
	out, o := sdktest.Run(t, check, checkParams{Path: path, MinSize: new(sdk.Bytes(1))})
	if o.Err() != nil || out.Rows != nil || out.Checksum != "" || len(o.Progress) != 0 {
		t.Errorf("%+v, %v, progress %v", out, o.Err(), o.Progress)
	}
}

func TestCheckCountsEmptyFiles(t *testing.T) {
	path := write(t, t.TempDir(), "a", "")
	out, o := sdktest.Run(t, check, checkParams{Path: path, MinRows: new(int64(0)), Header: true, Checksum: "sha256:" + emptySHA256})
	if o.Err() != nil || *out.Rows != 0 {
		t.Errorf("%+v, %v", out, o.Err())
	}
}

func TestCheckNamesAllThatIsWrong(t *testing.T) {
	path := write(t, t.TempDir(), "a\nb", "one\n")
	_, o := sdktest.Run(t, check, checkParams{
		Path: path, MinSize: new(sdk.Bytes(5)), MinRows: new(int64(2)), Checksum: "md5:" + emptyMD5,
	})
	want := `a\nb": the size is 4B, wanted at least 5B; the number of rows is 1, wanted at least 2; the md5 is 5bbf5a52328e7439ae6e719dfe712200, wanted ` + emptyMD5
	if o.State != sdktest.Failed || o.Code != "check_failed" || !strings.HasSuffix(o.Error, want) {
		t.Errorf("%s, %q\ngot  %s\nwant %s", o.State, o.Code, o.Error, want)
	}
}

func TestCheckRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	ok(t, syscall.Mkfifo(pipe, 0o600))
	loop := filepath.Join(dir, "loop")
	ok(t, os.Symlink("loop", loop))
	for _, c := range []struct{ path, code, message string }{
		{filepath.Join(dir, "none\n"), "not_found", `none\n": `},
		{dir, "not_a_file", "it is no regular file but has the mode drwx"},
		{pipe, "not_a_file", "it is no regular file but has the mode prw"},
		{loop, "", "too many levels of symbolic links"},
		{write(t, dir, "bad.csv", "a\n\"b"), "bad_csv", "it is no CSV: after 1 rows: "},
	} {
		_, o := sdktest.Run(t, check, checkParams{Path: c.path, MinRows: new(int64(1)), Rows: "csv", Delimiter: ","})
		if o.State != sdktest.Failed || o.Code != c.code || !strings.Contains(o.Error, c.message) {
			t.Errorf("%q: %s, %q, %q", c.path, o.State, o.Code, o.Error)
		}
	}
}

// What happens to a file between the look at it and the end of reading it.
func TestCheckSeesAChangeMeanwhile(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"it grows":   func(path string) error { return os.WriteFile(path, []byte("longer than before"), 0o600) },
		"it shrinks": func(path string) error { return os.Truncate(path, 1) },
		"it is gone": os.Remove,
		"a pipe takes its place": func(path string) error {
			return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600))
		},
		"another replaces it": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, []byte("a\n\"b"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "a", "a\n\"b")
			info := stat(t, path)
			ok(t, change(path))
			_, o := sdktest.Run(t, func(ctx context.Context, run *sdk.Run, p checkParams) (struct{}, error) {
				return struct{}{}, failure(p.Path, measure(ctx, run, p, checksum{}, info, &facts{}))
			}, checkParams{Path: path, MinRows: new(int64(1)), Rows: "csv", Delimiter: ","})
			want := "changed"
			if name == "it is gone" {
				want = "not_found"
			}
			if o.State != sdktest.Failed || o.Code != want {
				t.Errorf("%s, %q, %s; want %q", o.State, o.Code, o.Error, want)
			}
			for _, p := range o.Progress { // else one that grows faster has no end
				if p.Done > float64(info.Size()) {
					t.Errorf("read %v bytes of %d", p.Done, info.Size())
				}
			}
		})
	}
}

// sparse is a file of that size, which takes no room on the disk.
func sparse(t *testing.T, size int64) (path string) {
	t.Helper()
	path = write(t, t.TempDir(), "big", "")
	ok(t, os.Truncate(path, size))
	return path
}

func TestABigFileTakesLittleMemory(t *testing.T) {
	const size, most = 256 << 20, 8 << 20
	path := sparse(t, size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out, o := sdktest.Run(t, check, checkParams{Path: path, MinRows: new(int64(1)), Checksum: "sha256"})
	runtime.ReadMemStats(&after)
	// All that was ever allocated, so that no collection hides it.
	if took := after.TotalAlloc - before.TotalAlloc; o.Err() != nil || *out.Rows != 1 || took > most {
		t.Errorf("%v: reading %d bytes took %d of memory, at most %d are allowed", o.Err(), size, took, most)
	}
}

func TestReadingEndsWhenItIsCancelled(t *testing.T) {
	enough := errors.New("enough")
	for name, count := range map[string]counter{"lines": countLines, "csv": countCSV(','), "nothing": countNothing} {
		ctx, cancel := context.WithCancelCause(t.Context())
		var read int64
		_, err := count(&attended{ctx: ctx, r: &endless{text: "a,b\n"}, tell: func(done int64) {
			if read = done; done > 3*chunk {
				cancel(enough)
			}
		}})
		if !errors.Is(err, enough) || errors.Is(err, errCSV) || read > 5*chunk {
			t.Errorf("%s: %v after %d bytes", name, err, read)
		}
	}
}

func TestCheckConforms(t *testing.T) {
	path := write(t, t.TempDir(), "a.csv", "a\nb\n")
	sdktest.Conform(
		t, checkComponent(),
		sdktest.Case{Params: `{"path":"` + path + `","min_rows":2,"max_age":"1h","checksum":"sha1"}`},
		sdktest.Case{Params: `{"path":"` + path + `","max_size":"1B"}`},
	)
}
