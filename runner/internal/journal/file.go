package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/klauspost/compress/zstd"
)

const (
	// chunkSize is how much text a frame holds at most, but for a single entry that
	// alone is longer. A zstd block has this size too, and such a frame needs no
	// history.
	chunkSize = 128 << 10
	// cutReserve is room for the line that says that the log was cut.
	cutReserve = 256

	noticeLevel = "warn"
)

// file is the log on disk. It is opened by the first write and, where the disk
// fails, tried again at each later one.
type file struct {
	path string
	max  int64

	f    *os.File
	enc  *zstd.Encoder
	size int64  // of what was written, with rest
	out  []byte // the frames last made
	rest []byte // the part of out that the disk did not take. It is kept rather than
	// taken back, because a reader may have seen what stands before it.
	lost int   // entries that are in no frame
	why  error // why they are lost
	cut  bool
	err  error // the first
}

// write puts entries in a frame on disk. None is fine: that tries again what an
// earlier write could not do.
func (l *file) write(entries []byte) {
	if err := l.settle(); err != nil {
		l.lost, l.why = l.lost+bytes.Count(entries, []byte{'\n'}), err
		return
	}
	if l.cut || len(entries) == 0 && l.lost == 0 {
		return
	}
	out := l.out[:0]
	if l.lost > 0 {
		out = l.enc.EncodeAll(lostNotice(l.lost, l.why), out)
	}
	out = l.enc.EncodeAll(entries, out)
	if l.size+int64(len(out)) > l.max-cutReserve {
		out = l.enc.EncodeAll(cutNotice(l.max), out[:0])
		l.cut = true
	}
	l.lost, l.size = 0, l.size+int64(len(out))
	l.out, l.rest = out, out
	_ = l.settle()
}

// settle opens the file and writes what is still to be written.
func (l *file) settle() error {
	err := l.open()
	if err == nil && len(l.rest) > 0 {
		var n int
		n, err = l.f.Write(l.rest)
		l.rest = l.rest[n:]
	}
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("write the log: %w", err)
	}
	return err
}

func (l *file) open() error {
	if l.f != nil {
		return nil
	}
	if l.enc == nil {
		enc, err := zstd.NewWriter(nil,
			zstd.WithWindowSize(chunkSize), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(false))
		if err != nil {
			return err
		}
		l.enc = enc
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	l.f, l.size = f, info.Size()
	return nil
}

func (l *file) close() {
	if l.f == nil {
		return
	}
	if err := l.f.Close(); err != nil && l.err == nil {
		l.err = fmt.Errorf("close the log: %w", err)
	}
}

func lostNotice(lines int, why error) []byte {
	return appendEntry(nil, &stamp{}, time.Now(), noticeLevel, fmt.Sprintf("%d lines lost: %v", lines, why), false)
}

func cutNotice(limit int64) []byte {
	text := fmt.Sprintf("log cut at %s: what was said later is not kept", humanize.IBytes(uint64(limit)))
	return appendEntry(nil, &stamp{}, time.Now(), noticeLevel, text, false)
}
