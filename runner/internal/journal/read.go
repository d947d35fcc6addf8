package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// pollEvery is how often a followed log is looked at.
const pollEvery = 100 * time.Millisecond

// Read calls each with the entries of the log at path, in order. Where the writer
// was killed, or still writes, they end with what it last flushed. A log that is
// not there is fs.ErrNotExist; an error of each ends it and is returned as it is.
func Read(ctx context.Context, path string, each func(Entry) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { _ = f.Close() }()
	return entries(&source{ctx: ctx, f: f, ended: func() bool { return true }}, path, each)
}

// Follow is Read for a log that may still be written: it waits for the file and
// for what comes until ended, asked only when there is nothing new, says that the
// writer is gone. A run that said nothing has no log, which is no error here.
func Follow(ctx context.Context, path string, ended func() bool, each func(Entry) error) error {
	for last := false; ; {
		f, err := os.Open(path)
		switch {
		case err == nil:
			defer func() { _ = f.Close() }()
			return entries(&source{ctx: ctx, f: f, ended: ended, last: last}, path, each)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("open the log: %w", err)
		case last:
			return nil
		}
		if last = ended(); last {
			continue // it may have been made since
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// source is a file that may grow until ended.
type source struct {
	ctx   context.Context
	f     *os.File
	ended func() bool
	last  bool // it ended: what can be read now is all
}

func (s *source) Read(p []byte) (int, error) {
	for {
		if err := s.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := s.f.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) || s.last {
			return n, err
		}
		if s.last = s.ended(); s.last {
			continue
		}
		if err := pause(s.ctx); err != nil {
			return 0, err
		}
	}
}

func pause(ctx context.Context) error {
	t := time.NewTimer(pollEvery)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func entries(from *source, path string, each func(Entry) error) error {
	// With a concurrency of one the decoder hands out each block before it asks for
	// the next, as following needs it.
	dec, err := zstd.NewReader(bufio.NewReaderSize(from, 32<<10),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	defer dec.Close()
	lines := bufio.NewReaderSize(dec, maxLine)
	for n := 0; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil // a torn frame, and the torn line at its end, is what a kill leaves
		case from.ctx.Err() != nil:
			return from.ctx.Err()
		default:
			return fmt.Errorf("read the log %s after %d entries: %w", path, n, err)
		}
		e, err := parseEntry(line[:len(line)-1])
		if err != nil {
			return fmt.Errorf("read the log %s after %d entries: %w", path, n, err)
		}
		if err := each(e); err != nil {
			return err
		}
	}
}
