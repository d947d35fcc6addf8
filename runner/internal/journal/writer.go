package journal

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// DefaultMax is how large a file may become unless it is said otherwise, in
	// bytes of compressed data.
	DefaultMax int64 = 64 << 20

	// flushEvery is how long an entry waits for others at most. Together with the
	// time to write it, it stays below the second that a kill may cost.
	flushEvery = 700 * time.Millisecond
	// patience is how long a caller waits for a disk that does not take what was
	// said before. Once it has waited in vain, nobody waits until the disk is back.
	patience = time.Second
)

var errSlow = errors.New("the disk did not keep up")

// Writer takes the log of one run. It is safe for use by several goroutines. Its
// callers fill one buffer while a goroutine, which lives only while there is
// something to write, compresses and writes another.
type Writer struct {
	path  string
	chunk int // bytes of text a frame

	outputs struct {
		sync.Mutex // never asked for while mu is held
		plain      *output
		all        []*output
	}

	mu      sync.Mutex
	fill    []byte        // entries to be written next
	spare   []byte        // the other buffer, while it is not being written
	busy    chan struct{} // closed when the writing goroutine ends; nil: there is none
	due     bool          // it is to write fill too, full or not
	stalled bool          // it was waited for in vain
	lost    int           // entries not taken since
	armed   bool          // timer will fire
	timer   *time.Timer
	used    bool // an entry was taken
	missing bool // the file could not be made
	cut     bool // the file has ended
	closed  bool
	err     error // the first
	tail    tail
	stamp   stamp

	file file // of the writing goroutine alone
}

// Create returns the writer of the log at path, which grows to max bytes of
// compressed data, DefaultMax if max is not positive. Nothing is opened, and
// nothing runs, until there is something to write. What an earlier writer put
// there stays.
func Create(path string, max int64) *Writer {
	if max <= 0 {
		max = DefaultMax
	}
	// Small files are made of small frames, so that they end near their limit.
	chunk := int(min(max/4, chunkSize))
	w := &Writer{path: path, chunk: chunk, file: file{path: path, max: max}}
	w.outputs.plain = w.newOutput("")
	return w
}

// Line takes one thing that was said, of any bytes and length. It waits for the
// disk a second at most, and not again until the disk is back.
func (w *Writer) Line(at time.Time, level, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(text) > maxText {
		add(w, at, level, text[:maxText], true)
		text = text[maxText:]
	}
	add(w, at, level, text, false)
}

// add takes an entry in. The lock is held; it is given up while waiting.
func add[T bytestring](w *Writer, at time.Time, level string, text T, more bool) {
	addTail(&w.tail, at, level, text, more)
	if !w.room(len(text) + overhead) {
		return
	}
	w.fill = appendEntry(w.fill, &w.stamp, at, level, text, more)
	w.used = true
	w.arm()
}

// room reports whether fill can take n bytes more, and makes room if it can. An
// entry without room is lost.
func (w *Writer) room(n int) bool {
	for !w.closed && !w.cut {
		switch {
		case len(w.fill) == 0 || len(w.fill)+n <= w.chunk:
			w.tellLost()
			return true
		case w.busy == nil:
			w.hand()
		case !w.wait():
			w.lost++
			return false
		}
	}
	return false
}

// tellLost writes down how many entries are missing here.
func (w *Writer) tellLost() {
	if w.lost > 0 {
		w.fill = append(w.fill, lostNotice(w.lost, errSlow)...)
		w.lost = 0
	}
}

// wait waits for the writing goroutine and reports whether it ended.
func (w *Writer) wait() bool {
	if w.stalled {
		return false
	}
	busy := w.busy
	w.mu.Unlock()
	ended := await(busy)
	w.mu.Lock()
	if ended || w.busy != busy {
		return true
	}
	w.stalled = true
	w.fail(fmt.Errorf("write the log: %w", errSlow))
	return false
}

func await(busy <-chan struct{}) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-busy:
		return true
	case <-t.C:
		return false
	}
}

// arm sees to it that what was taken in is written in time.
func (w *Writer) arm() {
	switch {
	case w.armed || w.closed:
		return
	case w.timer == nil:
		w.timer = time.AfterFunc(flushEvery, w.flush)
	default:
		w.timer.Reset(flushEvery)
	}
	w.armed = true
}

// flush is what the timer does.
func (w *Writer) flush() {
	w.mu.Lock()
	w.armed = false // first, so that what comes from here on arms it again
	w.mu.Unlock()
	w.flushOutputs()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed || len(w.fill) == 0:
	case w.busy != nil:
		w.due = true
	default:
		w.hand()
	}
}

// hand starts writing what is in fill. Nobody else may be writing.
func (w *Writer) hand() {
	w.busy = make(chan struct{})
	go w.drain(w.busy, w.take())
}

func (w *Writer) take() []byte {
	entries := w.fill
	w.fill, w.spare, w.due = w.spare[:0], nil, false
	return entries
}

// drain writes entries, and what has become due meanwhile.
func (w *Writer) drain(busy chan struct{}, entries []byte) {
	defer close(busy)
	for {
		w.file.write(entries)
		w.mu.Lock()
		w.cut, w.missing, w.stalled = w.file.cut, w.file.f == nil, false
		w.fail(w.file.err)
		if cap(entries) <= 2*chunkSize { // a longer one was for one long entry
			w.spare = entries[:0]
		}
		if w.closed {
			w.tellLost()
		}
		if len(w.fill) > 0 && (w.due || w.closed) {
			entries = w.take()
			w.mu.Unlock()
			continue
		}
		if !w.closed {
			w.busy = nil
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		w.file.close()
		w.mu.Lock()
		w.fail(w.file.err)
		w.mu.Unlock()
		return
	}
}

// fail remembers the first error.
func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Tail is the last 200 lines, oldest first, each as [Entry.String] has it: UTF-8
// without NUL, cut at 4 KiB. It has them all, however the file fares.
func (w *Writer) Tail() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tail.lines()
}

// Path is where the log is, empty when there is none: nothing was said, or the
// file could not be made. It is certain after Close.
func (w *Writer) Path() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.used || w.missing {
		return ""
	}
	return w.path
}

// Close writes what is left and closes the file, waiting for a disk that hangs
// no longer than Line does. It returns the first error there was with the file;
// that it was cut at its limit is none. What is said later goes to the tail alone.
func (w *Writer) Close() error {
	w.flushOutputs()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.err
	}
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
	if w.busy == nil {
		if !w.used {
			return nil
		}
		w.tellLost()
		w.hand()
	}
	busy := w.busy
	w.mu.Unlock()
	ended := await(busy)
	w.mu.Lock()
	if !ended {
		w.fail(fmt.Errorf("write the log: %w", errSlow))
	}
	return w.err
}
