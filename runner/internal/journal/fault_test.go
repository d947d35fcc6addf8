package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// noise is text that does not compress much.
func noise(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

// TestCut: the file ends within its limit by saying so, and the tail goes on.
func TestCut(t *testing.T) {
	for _, limit := range []int64{1, 4 << 10, 1 << 20} {
		path := logPath(t)
		w := Create(path, limit)
		for i := range 20_000 {
			w.Line(noon, "info", fmt.Sprint(i, " ", noise(200)))
		}
		closed(t, w)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		all := readAll(t, path)
		end := all[len(all)-1]
		if end.Level != "warn" || !strings.HasPrefix(end.Text, "log cut at "+map[int64]string{1: "1 B", 4 << 10: "4.0 KiB", 1 << 20: "1.0 MiB"}[limit]) {
			t.Errorf("it ends with %v", end)
		}
		for i, e := range all[:len(all)-1] {
			if !strings.HasPrefix(e.Text, fmt.Sprint(i, " ")) {
				t.Fatalf("entry %d is %v", i, e)
			}
		}
		if limit > 1 && (info.Size() > limit || info.Size() < limit/2) {
			t.Errorf("%d bytes with a limit of %d", info.Size(), limit)
		}
		if tail := w.Tail(); len(tail) != tailLines || !strings.Contains(tail[tailLines-1], " info 19999 ") {
			t.Errorf("the tail ends with %q", tail[len(tail)-1])
		}
	}
}

// TestTorn: of a file cut anywhere, its whole frames can be read.
func TestTorn(t *testing.T) {
	path := logPath(t)
	w := Create(path, 4096)
	for i := range 40 {
		w.Line(noon, "info", fmt.Sprint(i, " ", noise(i)))
		if i%8 == 7 {
			w.flush()
		}
	}
	closed(t, w)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for n := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		all := readAll(t, path)
		for i, e := range all {
			if !strings.HasPrefix(e.Text, fmt.Sprint(i, " ")) {
				t.Fatalf("of %d bytes, entry %d is %v", n, i, e)
			}
		}
		if len(all) < last {
			t.Fatalf("of %d bytes there are %d entries, of one byte less %d", n, len(all), last)
		}
		last = len(all)
	}
	if last != 40 {
		t.Errorf("%d entries of 40", last)
	}
	whole[len(whole)-1] ^= 0x55 // of the checksum
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Read(context.Background(), path, func(Entry) error { return nil }); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a changed byte gave %v", err)
	}
}

// talkForEver tells on stdout what it has logged.
func talkForEver(path string) error {
	w := Create(path, 0)
	tick := time.NewTicker(time.Millisecond)
	for i := 0; ; i++ {
		<-tick.C
		at := time.Now()
		w.Line(at, "info", strconv.Itoa(i))
		if _, err := fmt.Println(i, at.UnixMilli()); err != nil {
			return err
		}
	}
}

// TestKilled: another process reads along, and a SIGKILL costs no line that is
// older than a second.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := logPath(t)
	child := start(t, "talk", path)
	said, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	seen, gone := make(chan struct{}), make(chan struct{})
	var got []Entry
	followed := make(chan error, 1)
	go func() {
		ended := func() bool {
			select {
			case <-gone:
				return true
			default:
				return false
			}
		}
		followed <- Follow(context.Background(), path, ended, func(e Entry) error {
			if got = append(got, e); len(got) == 1500 {
				close(seen)
			}
			return nil
		})
	}()
	var logged []int64 // when, in ms
	after := 0         // lines said since the others were read here
	for s := bufio.NewScanner(said); s.Scan(); {
		var i int
		var ms int64
		if _, err := fmt.Sscan(s.Text(), &i, &ms); err != nil || i != len(logged) {
			break // the kill came in the middle of a line
		}
		logged = append(logged, ms)
		select {
		case <-seen:
			after++
		case err := <-followed:
			t.Fatalf("the log ended early: %v", err)
		default:
		}
		if after == 600 { // not long before the next are written
			if err := child.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_ = child.Wait()
	close(gone)
	if err := <-followed; err != nil {
		t.Fatal(err)
	}
	for i, e := range got {
		if e.Text != strconv.Itoa(i) || i < len(logged) && e.At.UnixMilli() != logged[i] {
			t.Fatalf("entry %d is %v", i, e)
		}
	}
	if again := readAll(t, path); len(again) != len(got) {
		t.Errorf("followed %d entries, read %d", len(got), len(again))
	}
	lost := 0
	if len(got) < len(logged) {
		lost = int(logged[len(logged)-1] - logged[len(got)])
	}
	t.Logf("%d lines said, %d read: the last %d ms are lost", len(logged), len(got), lost)
	if lost > 1000 {
		t.Errorf("the kill cost %d ms", lost)
	}
}

// TestDiskFull: /dev/full is the kernel's disk without room.
func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.log.zst")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	w := Create(path, 0)
	for i := range 5000 {
		w.Line(noon, "info", fmt.Sprint(i, noise(200)))
	}
	if err := w.Close(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	if len(w.Tail()) != tailLines {
		t.Errorf("%d lines of tail", len(w.Tail()))
	}
}

func TestFolderCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := Create(Path(file, "run"), 0)
	w.Line(noon, "info", "hello")
	if err := w.Close(); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("Close: %v", err)
	}
	if w.Path() != "" || len(w.Tail()) != 1 {
		t.Errorf("%q, %q", w.Path(), w.Tail())
	}
}

// outrunLimit logs 2000 lines with room for a part of them, then with room for
// all. The limit of a process tears a write in its middle, as a full disk does.
func outrunLimit(path string) error {
	signal.Ignore(unix.SIGXFSZ)
	var free unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	tight := unix.Rlimit{Cur: 50_000, Max: free.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &tight); err != nil {
		return err
	}
	w := Create(path, 0)
	for i := range 2000 {
		w.Line(noon, "info", fmt.Sprint(i, " ", noise(200)))
	}
	w.mu.Lock()
	busy := w.busy
	w.mu.Unlock()
	if busy != nil {
		<-busy
	}
	w.mu.Lock()
	failed := w.err
	w.mu.Unlock()
	if !errors.Is(failed, unix.EFBIG) {
		return fmt.Errorf("the limit was not met: %w", failed)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	for i := 2000; i < 2010; i++ {
		w.Line(noon, "info", fmt.Sprint(i, " ", noise(200)))
	}
	if err := w.Close(); !errors.Is(err, unix.EFBIG) {
		return fmt.Errorf("Close: %w", err)
	}
	return nil
}

// TestDiskFullForAWhile: the log goes on where it was torn and counts what is
// missing.
func TestDiskFullForAWhile(t *testing.T) {
	path := logPath(t)
	if err := start(t, "outrun", path).Run(); err != nil {
		t.Fatal(err)
	}
	sumUp(t, readAll(t, path), 2010, 500)
}

// sumUp checks that numbered lines are there in order and that what is missing
// is told where it is missing.
func sumUp(t *testing.T, all []Entry, n, atLeast int) {
	t.Helper()
	notice := regexp.MustCompile(`^(\d+) lines lost: (.+)$`)
	next, told := 0, 0
	for _, e := range all {
		if m := notice.FindStringSubmatch(e.Text); m != nil {
			k, _ := strconv.Atoi(m[1])
			next, told = next+k, told+k
			t.Log(e)
			continue
		}
		if !strings.HasPrefix(e.Text, fmt.Sprint(next, " ")) {
			t.Fatalf("%.20q where %d should be", e.Text, next)
		}
		next++
	}
	if next != n || told < atLeast {
		t.Errorf("%d lines of %d, %d of them told as lost", next, n, told)
	}
}

// TestHangingDisk: a pipe that nobody reads is a disk that takes nothing. The
// run goes on after one wait.
func TestHangingDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "run.log.zst")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	w := Create(path, 0)
	const lines = 20_000
	began := time.Now()
	for i := range lines {
		w.Line(noon, "info", fmt.Sprint(i, " ", noise(100)))
	}
	t.Logf("%d lines took %v", lines, time.Since(began))
	if tail := w.Tail(); !strings.Contains(tail[tailLines-1], fmt.Sprint(" info ", lines-1, " ")) {
		t.Errorf("the tail ends with %q", tail[tailLines-1])
	}
	if err := w.Close(); !errors.Is(err, errSlow) { // the disk hangs still
		t.Errorf("Close: %v", err)
	}
	sumUp(t, readAll(t, path), lines, lines/2) // it is back, and all is written
}

// TestSlowDisk: what was said while the disk hung is written once it is back,
// although nothing is said any more.
func TestSlowDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.log.zst")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	w := Create(path, 0)
	for _, text := range []string{"first", "second"} {
		w.Line(noon, "info", text)
		w.timer.Stop()
		w.flush()
	}
	got, done := make(chan string), make(chan error)
	go func() {
		done <- Read(context.Background(), path, func(e Entry) error { got <- e.Text; return nil })
	}()
	if a, b := <-got, <-got; a != "first" || b != "second" {
		t.Errorf("%q and %q", a, b)
	}
	closed(t, w)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRead(t *testing.T) {
	ctx := context.Background()
	path := logPath(t)
	none := func(Entry) error { return errors.New("an entry") }
	if err := Read(ctx, path, none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read without a file: %v", err)
	}
	if err := Follow(ctx, path, func() bool { return true }, none); err != nil {
		t.Errorf("Follow without a file: %v", err)
	}
	off, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := func() bool { cancel(); return false }
	if err := Follow(off, path, ended, none); !errors.Is(err, context.Canceled) {
		t.Errorf("Follow of a file that never comes: %v", err)
	}

	w := Create(path, 0)
	w.Line(noon, "info", "hello")
	closed(t, w)
	enough := errors.New("enough")
	if err := Read(ctx, path, func(Entry) error { return enough }); err != enough {
		t.Errorf("Read: %v", err)
	}
	if err := Read(off, path, none); !errors.Is(err, context.Canceled) {
		t.Errorf("Read: %v", err)
	}
	off, stop := context.WithCancel(ctx)
	defer stop()
	ended = func() bool { stop(); return false }
	if err := Follow(off, path, ended, func(Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Follow of a file that never ends: %v", err)
	}
}

// TestFollow: what is written between the last look and the end is read too.
func TestFollow(t *testing.T) {
	path := logPath(t)
	w := Create(path, 0)
	steps := 0
	ended := func() bool {
		steps++
		w.Line(noon, "info", strconv.Itoa(steps))
		switch {
		case steps == 1: // there is no file yet
		case steps < 5:
			w.flush()
		default:
			closed(t, w)
			return true
		}
		return false
	}
	var got []Entry
	if err := Follow(context.Background(), path, ended, func(e Entry) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := "1 2 3 4 5"; strings.Join(texts(got), " ") != want {
		t.Errorf("%q, not %s", texts(got), want)
	}
}

// TestFollowLate: so is a file that is made at the very end.
func TestFollowLate(t *testing.T) {
	path := logPath(t)
	ended := func() bool {
		w := Create(path, 0)
		w.Line(noon, "info", "only")
		closed(t, w)
		return true
	}
	var got []Entry
	if err := Follow(context.Background(), path, ended, func(e Entry) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 {
		t.Errorf("%q", texts(got))
	}
}

func TestPrune(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if n, bytes, err := Prune(dir, func(string) bool { return false }); n != 0 || bytes != 0 || err != nil {
		t.Errorf("without a folder: %d, %d, %v", n, bytes, err)
	}
	if n, err := Size(dir); n != 0 || err != nil {
		t.Errorf("without a folder: %d, %v", n, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "folder.log.zst"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{"a.log.zst": 10, "b.log.zst": 20, "c.log.zst": 30, "a.txt": 40} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Size(dir); n != 60 || err != nil {
		t.Errorf("Size: %d, %v", n, err)
	}
	n, bytes, err := Prune(dir, func(run string) bool { return run == "b" })
	if n != 2 || bytes != 40 || err != nil {
		t.Errorf("Prune: %d, %d, %v", n, bytes, err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if strings.Join(left, " ") != "a.txt b.log.zst folder.log.zst" {
		t.Errorf("left is %q", left)
	}
}
