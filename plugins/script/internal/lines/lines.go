// Package lines splits what a program prints into lines, in bounded memory
// whatever it prints. What a line means is none of its business.
package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Limit is the longest line that comes in one piece, in bytes.
const Limit = 1 << 20

// Reader splits a stream at its newlines.
type Reader struct{ buf *bufio.Reader }

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{buf: bufio.NewReaderSize(r, Limit)} }

// Next returns the next line without its end (\n or \r\n), valid until the next
// call. more tells that the line is longer than Limit and that its next piece
// comes with the next call. A last line without an end is a line too; after it
// comes the error that ended the stream, io.EOF as a rule.
func (r *Reader) Next() (line []byte, more bool, err error) {
	line, err = r.buf.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return line, true, nil
	}
	if err != nil && len(line) == 0 {
		return nil, false, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), false, nil
}
