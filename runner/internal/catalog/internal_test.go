package catalog

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestSettled: a stamp is believed once its file system's next one would differ.
func TestSettled(t *testing.T) {
	fine := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	coarse := fine.Truncate(time.Second)
	tests := []struct {
		name         string
		mtime, ctime time.Time
		after        time.Duration // of ctime
		want         bool
	}{
		{"just written", fine, fine, time.Millisecond, false},
		{"a moment ago", fine, fine, 30 * time.Millisecond, true},
		{"seconds only", coarse, coarse, time.Second, false},
		{"seconds only, long ago", coarse, coarse, 3 * time.Second, true},
		{"a clock that is ahead", fine, fine, -time.Hour, false},
		{"a modification to come", fine.Add(time.Hour), fine, time.Minute, false},
		{"an old modification", fine.Add(-time.Hour), fine, time.Millisecond, false},
	}
	for _, tt := range tests {
		k := fileKey{Mtime: tt.mtime.UnixNano(), Ctime: tt.ctime.UnixNano()}
		if got := k.settled(tt.ctime.Add(tt.after)); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func TestNear(t *testing.T) {
	all := []string{"airflow.observe", "digdag.observe", "digdag.wait", "hello.bye", "hello.greet", "s3.wait"}
	for name, want := range map[string][]string{
		"hello.gret":   {"hello.greet", "hello.bye"},
		"greet":        {"hello.greet"},
		"digdag.wiat":  {"digdag.wait"},
		"digdag":       {"digdag.wait", "digdag.observe"},
		"digdag.waits": {"digdag.wait"},
		"zzz":          nil,
		"":             nil,
	} {
		if got := near(name, all); !slices.Equal(got[:min(len(got), max(1, len(want)))], want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestReadSeesChanges: what changes while it is read is read again, and given up
// when it does so each time.
func TestReadSeesChanges(t *testing.T) {
	replace := func(path, text string) error {
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	}
	overwrite := func(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
	for name, change := range map[string]func(path, text string) error{"replace": replace, "overwrite": overwrite} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			if err := overwrite(path, "first"); err != nil {
				t.Fatal(err)
			}
			tries, last := 0, ""
			_, _, err := read(context.Background(), path, func(r io.Reader) error {
				b, err := io.ReadAll(r)
				if last = string(b); err != nil || tries > 0 {
					return err
				}
				tries++
				return change(path, "second, and longer")
			})
			if err != nil || last != "second, and longer" {
				t.Errorf("read %q, %v", last, err)
			}
			_, _, err = read(context.Background(), path, func(io.Reader) error {
				last += "."
				return change(path, last)
			})
			if !errors.Is(err, errChanging) {
				t.Errorf("got %v", err)
			}
		})
	}
}
