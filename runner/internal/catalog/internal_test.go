package catalog

import (
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
