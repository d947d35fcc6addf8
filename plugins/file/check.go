package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

type checkParams struct {
	Path      string         `json:"path" help:"The file" min:"1"`
	MinSize   *sdk.Bytes     `json:"min_size" help:"The file has at least so many bytes"`
	MaxSize   *sdk.Bytes     `json:"max_size" help:"The file has at most so many bytes"`
	MinAge    *time.Duration `json:"min_age" help:"The file was changed at least so long ago" min:"0s"`
	MaxAge    *time.Duration `json:"max_age" help:"The file was changed at most so long ago" min:"0s"`
	MinRows   *int64         `json:"min_rows" help:"The file has at least so many rows; any limit lets them be counted" min:"0"`
	MaxRows   *int64         `json:"max_rows" help:"The file has at most so many rows" min:"0"`
	Rows      string         `json:"rows" help:"What is a row: a line, or a CSV record, whose quoted fields may hold line ends" default:"lines" enum:"lines,csv"`
	Header    bool           `json:"header" help:"The first row names the columns and is not counted" default:"false"`
	Delimiter string         `json:"delimiter" help:"What stands between the fields of a CSV record" default:"," min:"1" max:"1"`
	Checksum  string         `json:"checksum" help:"ALGORITHM:HEX that the file has to have, or ALGORITHM alone to have it told; sha256, sha512, sha1 or md5" default:""`
}

// Validate checks what a tag cannot say.
func (p checkParams) Validate() error {
	_, errSum := parseChecksum(p.Checksum)
	_, errDelimiter := delimiter(p.Delimiter)
	var errPath error
	if strings.ContainsRune(p.Path, 0) {
		errPath = fmt.Errorf("path: %q holds a NUL, which no path can", p.Path)
	}
	return errors.Join(errPath, errSum, errDelimiter,
		contradiction("size", p.MinSize, p.MaxSize),
		contradiction("age", p.MinAge, p.MaxAge),
		contradiction("rows", p.MinRows, p.MaxRows))
}

func (p checkParams) countsRows() bool { return p.MinRows != nil || p.MaxRows != nil }

type checked struct {
	Path     string        `json:"path" help:"As it was given"`
	Size     sdk.Bytes     `json:"size" help:"In bytes"`
	Modified time.Time     `json:"modified" help:"When its content was last changed, as the file says"`
	Age      time.Duration `json:"age" help:"How long ago that was"`
	Rows     *int64        `json:"rows,omitempty" help:"How many rows it has, if a limit was set for them"`
	Checksum string        `json:"checksum,omitempty" help:"ALGORITHM:HEX, if one was asked for"`
}

func checkComponent() sdk.Component {
	return sdk.Define("file.check", check,
		sdk.Doc(`Checks a file's size, age, number of rows and checksum.

Each limit is one more check; without any the file only has to be there. All limits that it breaks stand in the error (code check_failed), each with what was found and what was wanted. Rows and a checksum are made in one pass over the file, of any size, in little memory; without them the file is not opened. A last line without an end counts as a row; with rows set to csv empty lines do not.

A file that is not there (code not_found), that is no regular file (not_a_file), that cannot be read as CSV (bad_csv) or that changes meanwhile (changed) fails too. A retry checks anew.`),
		sdk.Example("An export of today with something in it", `{"path": "/srv/in/orders.csv", "min_rows": 1, "header": true, "rows": "csv", "max_age": "24h"}`),
		sdk.Example("What was downloaded is what was published", `{"path": "/tmp/rates.zip", "checksum": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`))
}

func check(ctx context.Context, run *sdk.Run, p checkParams) (checked, error) {
	info, err := statFile(p.Path)
	if err != nil {
		return checked{}, failure(p.Path, err)
	}
	f := facts{size: sdk.Bytes(info.Size()), age: time.Since(info.ModTime())}
	sum, err := parseChecksum(p.Checksum)
	if err != nil {
		return checked{}, sdk.Permanent(err)
	}
	if p.countsRows() || sum.name != "" {
		if err := measure(ctx, run, p, sum, info, &f); err != nil {
			return checked{}, failure(p.Path, err)
		}
	}
	if lacks := p.lacks(f); len(lacks) > 0 {
		return checked{}, sdk.Code("check_failed", fmt.Errorf("%q: %s", p.Path, strings.Join(lacks, "; ")))
	}
	out := checked{Path: p.Path, Size: f.size, Modified: info.ModTime().UTC(), Age: f.age, Rows: f.rows}
	if sum.name != "" {
		out.Checksum = sum.name + ":" + f.sum
	}
	return out, nil
}

// measure reads the file that was seen, info, whole, and fills in f.
func measure(ctx context.Context, run *sdk.Run, p checkParams, sum checksum, info fs.FileInfo, f *facts) error {
	// A named pipe in the file's place would be waited for without O_NONBLOCK.
	opened, err := os.OpenFile(p.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return quotePath(err)
	}
	defer opened.Close()
	// What is written behind its end meanwhile is not read: the end would never
	// be reached of a file that grows fast.
	var r io.Reader = &attended{
		ctx: ctx, r: io.LimitReader(opened, info.Size()),
		tell: func(done int64) { run.Progress(float64(done), float64(info.Size()), "bytes read") },
	}
	h := newHash(sum.name)
	if h != nil {
		r = io.TeeReader(r, h)
	}
	count := countNothing
	if p.countsRows() {
		if count = countLines; p.Rows == "csv" {
			comma, err := delimiter(p.Delimiter)
			if err != nil {
				return sdk.Permanent(err)
			}
			count = countCSV(comma)
		}
	}
	rows, err := count(r)
	// First: half a row may be all that is wrong with a file that is written.
	if changed := unchangedSince(p.Path, info, opened); changed != nil && ctx.Err() == nil {
		return changed
	}
	if err != nil {
		return err
	}
	if p.countsRows() {
		if p.Header {
			rows = max(0, rows-1)
		}
		f.rows = &rows
	}
	if h != nil {
		f.sum = hex.EncodeToString(h.Sum(nil))
	}
	return nil
}

var errChanged = errors.New("it was changed or replaced meanwhile; let file.wait wait until it is whole")

// unchangedSince returns errChanged unless what was opened, and what stands at
// path now, is the file that was seen.
func unchangedSince(path string, seen fs.FileInfo, opened *os.File) error {
	read, err := opened.Stat()
	if err != nil {
		return err
	}
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!same(seen, now) || !same(seen, read)) {
		return errChanged
	}
	return err
}

var errNotAFile = errors.New("it is no regular file")

// statFile is os.Stat for a regular file.
func statFile(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, quotePath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w but has the mode %v", errNotAFile, info.Mode())
	}
	return info, nil
}

// failure says which file an error is of, and gives it its stable code.
func failure(path string, err error) error {
	code := ""
	switch {
	case errors.Is(err, errChanged):
		code = "changed"
	case errors.Is(err, errNotAFile):
		code = "not_a_file"
	case errors.Is(err, errCSV):
		code = "bad_csv"
	case errors.Is(err, fs.ErrNotExist):
		code = "not_found"
	}
	return sdk.Code(code, fmt.Errorf("checking %q: %w", path, err))
}
