package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/csv"
	"errors"
	"fmt"
	"hash"
	"io"
	"unicode/utf8"
)

// chunk is how much of a file is read at a time, in bytes.
const chunk = 256 << 10

// maxRecord is the largest CSV record, in bytes: an open quote would else make
// the rest of a file one record, held in memory.
const maxRecord = 16 << 20

const hashNames = "sha256, sha512, sha1, md5"

// newHash returns nil for a name that it does not know.
func newHash(name string) hash.Hash {
	switch name {
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	case "sha1":
		return sha1.New()
	case "md5":
		return md5.New()
	}
	return nil
}

// counter counts the rows of what it reads to its end.
type counter func(io.Reader) (int64, error)

// countNothing reads only.
func countNothing(r io.Reader) (int64, error) {
	// io.Discard by itself would read in small steps.
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, chunk))
	return 0, err
}

// countLines counts line ends, and a last line without one.
func countLines(r io.Reader) (int64, error) {
	var rows int64
	open := false
	buf := make([]byte, chunk)
	for {
		n, err := r.Read(buf)
		rows += int64(bytes.Count(buf[:n], []byte{'\n'}))
		if n > 0 {
			open = buf[n-1] != '\n'
		}
		if errors.Is(err, io.EOF) {
			if open {
				rows++
			}
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
	}
}

// errCSV is in every error of countCSV about the file's text.
var errCSV = errors.New("it is no CSV")

// countCSV counts records as RFC 4180 has them: a quoted field may hold line
// ends, and empty lines are none.
func countCSV(comma rune) counter {
	return func(r io.Reader) (int64, error) {
		record := &allowance{r: r, most: maxRecord}
		table := csv.NewReader(bufio.NewReaderSize(record, chunk))
		table.Comma, table.FieldsPerRecord, table.ReuseRecord = comma, -1, true
		for rows := int64(0); ; rows++ {
			record.used = 0
			_, err := table.Read()
			_, noCSV := errors.AsType[*csv.ParseError](err)
			switch {
			case errors.Is(err, io.EOF):
				return rows, nil
			case noCSV, errors.Is(err, errTooLong):
				return rows, fmt.Errorf("%w: after %d rows: %w", errCSV, rows, err)
			case err != nil:
				return rows, err
			}
		}
	}
}

// errTooLong is what reading too much without a reset comes to.
var errTooLong = fmt.Errorf("a row is longer than %d MiB; a quote may be left open", maxRecord>>20)

// allowance reads at most about most bytes until used is set back.
type allowance struct {
	r          io.Reader
	used, most int
}

func (a *allowance) Read(p []byte) (int, error) {
	if a.used > a.most {
		return 0, errTooLong
	}
	n, err := a.r.Read(p)
	a.used += n
	return n, err
}

// attended reads until ctx ends, and tells after each read how far it is.
type attended struct {
	ctx  context.Context
	r    io.Reader
	tell func(done int64)
	done int64
}

func (a *attended) Read(p []byte) (int, error) {
	if a.ctx.Err() != nil {
		return 0, context.Cause(a.ctx)
	}
	n, err := a.r.Read(p)
	a.done += int64(n)
	a.tell(a.done)
	return n, err
}

// delimiter is the one character of text, if it can stand between fields.
func delimiter(text string) (rune, error) {
	r, n := utf8.DecodeRuneInString(text)
	if n != len(text) || r == utf8.RuneError || bytes.ContainsRune([]byte("\"\r\n\x00"), r) {
		return 0, fmt.Errorf("delimiter: %q is not one character that can stand between fields", text)
	}
	return r, nil
}
