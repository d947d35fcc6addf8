package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Why a file or folder is not used.
var (
	errWorldWritable = errors.New("refused: anyone may write to it (chmod o-w)")
	errNotExecutable = errors.New("not executable (chmod +x)")
	errIsFolder      = errors.New("is a folder")
	errNotRegular    = errors.New("is no regular file")
	errChanging      = errors.New("changes while it is read")
)

// fileKey tells whether a file is still what it was when it was read.
type fileKey struct {
	Dev   uint64 `json:"dev"`
	Ino   uint64 `json:"ino"`
	Size  int64  `json:"size"`
	Mtime int64  `json:"mtime"` // in nanoseconds
	Ctime int64  `json:"ctime"`
}

// stat follows links.
func stat(path string) (unix.Stat_t, error) {
	var st unix.Stat_t
	for {
		err := unix.Stat(path, &st)
		if err != unix.EINTR {
			return st, err
		}
	}
}

func keyOf(st unix.Stat_t) fileKey {
	return fileKey{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}
}

// usable reports why a file may not be used.
func usable(st unix.Stat_t, executable bool) error {
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return errIsFolder
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errNotRegular
	case st.Mode&0o002 != 0:
		return errWorldWritable
	case executable && st.Mode&0o111 == 0:
		return errNotExecutable
	}
	return nil
}

// tick is the longest step in which a kernel stamps files of a file system that
// counts nanoseconds, coarseTick that of one that counts seconds, or pairs.
const (
	tick       = 20 * time.Millisecond
	coarseTick = 2 * time.Second
)

// settled tells whether a change after the moment at would show in the key: a
// stamp that is as young as its file system's step may come twice.
func (k fileKey) settled(at time.Time) bool {
	step := tick
	if k.Ctime%int64(time.Second) == 0 {
		step = coarseTick
	}
	return at.UnixNano()-max(k.Ctime, k.Mtime) > int64(step)
}

// read reads the file at path until its end, with what it was then. settled is
// as of the moment before.
func read(ctx context.Context, path string, use func(io.Reader) error) (key fileKey, settled bool, err error) {
	const tries = 3
	for range tries {
		key, settled, err = readOnce(ctx, path, use)
		if !errors.Is(err, errChanging) {
			break
		}
	}
	return key, settled, err
}

func readOnce(ctx context.Context, path string, use func(io.Reader) error) (fileKey, bool, error) {
	// Not to wait, should it have become a fifo since it was looked at.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fileKey{}, false, fmt.Errorf("read: %w", unwrapped(err))
	}
	defer func() { _ = f.Close() }()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fileKey{}, false, fmt.Errorf("read: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fileKey{}, false, errNotRegular
	}
	before := keyOf(st)
	if !before.settled(time.Now()) {
		// Just written, most likely by an installer that is done with it: wait
		// for the clock to move on, so that what is read now may be kept.
		select {
		case <-ctx.Done():
			return fileKey{}, false, context.Cause(ctx)
		case <-time.After(tick + time.Millisecond):
		}
	}
	at := time.Now()
	if err := use(f); err != nil {
		return fileKey{}, false, fmt.Errorf("read: %w", unwrapped(err))
	}
	// The name may lead to another file by now.
	after, err := stat(path)
	if err != nil {
		return fileKey{}, false, fmt.Errorf("read: %w", err)
	}
	if keyOf(after) != before {
		return fileKey{}, false, errChanging
	}
	return before, before.settled(at), nil
}

// hash returns the sum of the file at path.
func hash(ctx context.Context, path string) (sum string, key fileKey, settled bool, err error) {
	key, settled, err = read(ctx, path, func(r io.Reader) error {
		h := sha256.New()
		_, err := io.Copy(h, r)
		sum = hex.EncodeToString(h.Sum(nil))
		return err
	})
	return sum, key, settled, err
}

// unwrapped drops the path that the caller's text has already.
func unwrapped(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
