package redact

import "io"

// Writer masks secrets in a stream, also those that two writes share between them.
// It holds back only what may be the beginning of a secret. It is not safe for
// concurrent use.
type Writer struct {
	to   io.Writer
	r    *Redactor
	held []byte
	// known is how much of held belongs to a secret whose mask is already out.
	known int
	out   []byte
}

// Writer returns a Writer that masks what goes to w. Flush must end it.
func (r *Redactor) Writer(w io.Writer) *Writer { return &Writer{to: w, r: r} }

// Write takes all of p, even if part of it goes out only later.
func (w *Writer) Write(p []byte) (int, error) {
	if w.r == nil || w.r.find == nil {
		return w.to.Write(p)
	}
	w.held = append(w.held, p...)
	if err := w.emit(w.r.find.pending(w.held)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what was held back: nothing more comes to complete it.
func (w *Writer) Flush() error { return w.emit(len(w.held)) }

// emit writes held up to end and keeps the rest.
func (w *Writer) emit(end int) error {
	if len(w.held) == 0 {
		return nil
	}
	w.out = w.out[:0]
	at, masked := w.known, w.known > 0 // masked: what went out last is a mask
	for _, s := range find(w.r.find, w.held) {
		if s.from >= end {
			break
		}
		if s.from > at || !masked {
			w.out = append(w.out, w.held[at:max(at, s.from)]...)
			w.out = append(w.out, Mask...)
		}
		at, masked = max(at, s.to), true
	}
	if at < end {
		w.out = append(w.out, w.held[at:end]...)
	}
	w.known = max(0, at-end)
	w.held = w.held[:copy(w.held, w.held[end:])]
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.to.Write(w.out)
	return err
}
