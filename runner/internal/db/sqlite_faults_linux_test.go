package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/runner/internal/db"
)

func init() {
	children["refused"] = childRefused
	children["full"] = childFull
}

// ownRoot gives a process namespaces of its own, in which it is root or not:
// without any right outside of them, and able to mount in them.
func ownRoot(p *process, uid int) {
	p.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getgid(), Size: 1}},
	}
}

// TestRefused: what cannot be written is refused, with what to do.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		uid    int // 0 may mount
		before func(t *testing.T, file string)
		want   string
	}{
		{"file is read-only", 1000, func(t *testing.T, file string) { chmod(t, file, 0o400) }, "must be able to write the file"},
		{"folder is read-only", 1000, func(t *testing.T, file string) { chmod(t, filepath.Dir(file), 0o500) }, "must be able to write"},
		{"folder is read-only and the file not there", 1000, func(t *testing.T, file string) {
			for _, f := range []string{file, file + ".lock"} {
				if err := os.Remove(f); err != nil {
					t.Fatal(err)
				}
			}
			chmod(t, filepath.Dir(file), 0o500)
		}, "must be able to write in its folder"},
		{"file system is read-only", 0, nil, "must be able to write"},
		{"flock does not work", 0, nil, "no working file locks"},
		{"it is a folder", 0, func(t *testing.T, file string) {
			if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, "must be able to write"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "state", "test.db")
			_ = open(t, "sqlite:"+file, steps(2)).Close()
			if c.before != nil {
				c.before(t, file)
			}
			p := prepare(t, "refused", c.name, file)
			ownRoot(p, c.uid)
			p.start(t)
			got := p.line(t)
			t.Log(got)
			for _, want := range []string{"refused: ", file, c.want} {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in: %s", want, got)
				}
			}
		})
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
}

// childRefused opens and writes: what is wrong, file.
func childRefused(args []string) error {
	var err error
	switch args[0] {
	case "file system is read-only":
		dir := filepath.Dir(args[1])
		err = errors.Join(unix.Mount(dir, dir, "", unix.MS_BIND, ""),
			unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	case "flock does not work":
		err = forbidFlock()
	}
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	d, err := db.Open(context.Background(), "sqlite:"+args[1], steps(2))
	if err == nil {
		err = d.Write(context.Background(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into item (id, note) values (1, '')")
			return err
		})
	}
	if errors.Is(err, db.ErrRefused) {
		return fmt.Errorf("refused: %w", err)
	}
	return fmt.Errorf("not refused: %w", err)
}

// forbidFlock makes the kernel answer every flock as a file system without a lock
// manager does.
func forbidFlock() error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_FLOCK},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOLCK)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}

// TestFullDisk fills a real one, of 1 MiB.
func TestFullDisk(t *testing.T) {
	p := prepare(t, "full", t.TempDir())
	ownRoot(p, 0)
	p.start(t)
	for _, want := range [][]string{
		{"refused: ", "test.db", "no room is left"},              // in the middle of use
		{"refused: ", "other.db", "no room is left on its disk"}, // a new one
		{"all that was told, ok"},                                // nothing is lost, nothing is there by half
		{"written again"},                                        // as soon as there is room
	} {
		got := p.line(t)
		t.Log(got)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%q is not in: %s", w, got)
			}
		}
	}
}

// childFull writes until the disk is full, and again when there is room: folder.
func childFull(args []string) error {
	dir := args[0]
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 100<<10), 0o600); err != nil {
		return err
	}
	ctx := context.Background()
	d, err := db.Open(ctx, "sqlite:"+filepath.Join(dir, "test.db"), steps(2))
	if err != nil {
		return err
	}
	insert := func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "insert into item (id, note) select coalesce(max(id), 0) + 1, ? from item", strings.Repeat("x", 3000))
		return err
	}
	told := 0
	for ; err == nil; told++ {
		err = d.Write(ctx, insert)
	}
	told--
	say := func(err error) {
		if errors.Is(err, db.ErrRefused) {
			err = fmt.Errorf("refused: %w", err)
		}
		fmt.Println(err)
	}
	say(err)
	fill, err := os.OpenFile(ballast, os.O_APPEND|os.O_WRONLY, 0)
	for err == nil {
		_, err = fill.Write(make([]byte, 4096))
	}
	if err := fill.Close(); err != nil {
		return err
	}
	_, err = db.Open(ctx, "sqlite:"+filepath.Join(dir, "other.db"), steps(2))
	say(err)
	var there int
	var check string
	err = d.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.QueryRow(ctx, "select count(*) from item").Scan(&there); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "pragma integrity_check").Scan(&check)
	})
	if err != nil || told == 0 || told != there {
		return fmt.Errorf("told of %d, there %d: %w", told, there, err)
	}
	fmt.Printf("%d there, all that was told, %s\n", there, check)
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := d.Write(ctx, insert); err != nil {
		return err
	}
	fmt.Println("written again")
	return d.Close()
}
