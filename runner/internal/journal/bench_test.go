package journal

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sample is lines of 200 bytes as logs have them: alike, each with n bytes that
// are like nothing else.
func sample(n int) []string {
	out := make([]string, 1000)
	for i := range out {
		s := fmt.Sprintf("id=%s copied table=warehouse.orders_%03d rows=%d bytes=%d took=%dms ", noise(n), i%37, i*7919%100003, i*104729, i%997)
		out[i] = (s + strings.Repeat("from s3://bucket/day=2026-11-22/ ", 6))[:200]
	}
	return out
}

// BenchmarkLine counts the bytes of the text. hard lines carry two digests.
func BenchmarkLine(b *testing.B) {
	for name, noise := range map[string]int{"usual": 12, "hard": 64} {
		b.Run(name, func(b *testing.B) {
			lines, w := sample(noise), Create(Path(b.TempDir(), "run"), 1<<40)
			b.SetBytes(200)
			before := spent()
			for i := 0; b.Loop(); i++ {
				w.Line(time.Now(), "info", lines[i%len(lines)])
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)*200/float64(w.file.size), "ratio")
			b.ReportMetric(float64((spent()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// spent is the time on a processor that this process has had.
func spent() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWrite takes a command's output as pipes deliver it.
func BenchmarkWrite(b *testing.B) {
	piece := []byte(strings.Join(sample(12), "\n") + "\n")[:64<<10]
	w := Create(Path(b.TempDir(), "run"), 1<<40)
	b.SetBytes(int64(len(piece)))
	for b.Loop() {
		_, _ = w.Write(piece)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCut is the price of a line once the file has ended.
func BenchmarkCut(b *testing.B) {
	lines, w := sample(12), Create(Path(b.TempDir(), "run"), 1)
	for w.Line(time.Now(), "info", lines[0]); ; {
		w.flush()
		w.mu.Lock()
		cut := w.cut
		w.mu.Unlock()
		if cut {
			break
		}
		runtime.Gosched()
	}
	b.SetBytes(200)
	for i := 0; b.Loop(); i++ {
		w.Line(time.Now(), "info", lines[i%len(lines)])
	}
	_ = w.Close()
}

// BenchmarkShortRun is what the log costs a run that says three lines.
func BenchmarkShortRun(b *testing.B) {
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		w := Create(Path(dir, fmt.Sprint(i)), 0)
		for range 3 {
			w.Line(time.Now(), "info", "hello")
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkZeros is output without an end of line.
func BenchmarkZeros(b *testing.B) {
	piece := make([]byte, 128<<10)
	w := Create(Path(b.TempDir(), "run"), 1<<40)
	b.SetBytes(int64(len(piece)))
	for b.Loop() {
		_, _ = w.Write(piece)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

// weigh prints by how many kB a log of 100 MB grows what its process has of the
// system's memory.
func weigh(path string) error {
	var before, after runtime.MemStats
	lines := sample(12)
	runtime.ReadMemStats(&before)
	w := Create(path, 0)
	for i := range 500_000 {
		w.Line(time.Now(), "info", lines[i%len(lines)])
	}
	if err := w.Close(); err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	_, err := fmt.Println((after.Sys - before.Sys) >> 10)
	return err
}

// TestMemory: the host as a whole has 30 MB, 16.5 of them in use without a log.
func TestMemory(t *testing.T) {
	t.Parallel()
	out, err := start(t, "weigh", logPath(t)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var kb int
	if _, err := fmt.Sscan(string(out), &kb); err != nil {
		t.Fatal(err)
	}
	t.Logf("a log of 100 MB takes %d kB of memory", kb)
	if kb > 6<<10 {
		t.Errorf("a log of 100 MB takes %d kB of memory", kb)
	}
}
