package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outrider-run/outrider/sdk"
)

// output lists what is ready, at least one file.
func output(v verdict, limit int) waited {
	out := waited{Count: len(v.ready), Newest: v.ready[0].path, NotReady: len(v.small) + len(v.changing)}
	for i, f := range v.ready {
		size := sdk.Bytes(f.info.Size())
		out.TotalSize += size
		if i >= limit {
			continue
		}
		one := waitedFile{Path: f.path, Size: size, Modified: f.info.ModTime().UTC()}
		if !utf8.ValidString(f.path) {
			one.PathBytes = []byte(f.path)
		}
		out.Files = append(out.Files, one)
	}
	return out
}

// named is how many files of a kind a text names.
const named = 3

// summary tells what a look came to, such as: 1 of 2 are ready; too
// small: "/in/a" (12B).
func (v verdict) summary(c conditions) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d are ready", len(v.ready), c.files)
	list(&b, "too small", v.small, func(f file) string { return sdk.Bytes(f.info.Size()).String() })
	list(&b, "changing", v.changing, func(f file) string {
		return fmt.Sprintf("%v, the same for %v", sdk.Bytes(f.info.Size()), f.held.Round(100*time.Millisecond))
	})
	return b.String()
}

func list(b *strings.Builder, what string, files []file, detail func(file) string) {
	for i, f := range files {
		switch {
		case i == named:
			fmt.Fprintf(b, " and %d more", len(files)-named)
			return
		case i == 0:
			fmt.Fprintf(b, "; %s: ", what)
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%q (%s)", f.path, detail(f))
	}
}

// timeoutError says what was wanted and what was there.
func timeoutError(p waitParams, where pattern, v verdict, problems []error) error {
	wanted := p.conditions()
	var b strings.Builder
	fmt.Fprintf(&b, "waited %v, below %q, for files that match %q, %s: %s", p.Timeout, where.base, p.Glob, wanted, v.summary(wanted))
	if len(v.ready)+len(v.small)+len(v.changing) == 0 {
		b.WriteString("; no file matches")
	}
	for _, problem := range problems {
		fmt.Fprintf(&b, "; %v", problem)
	}
	return errors.New(b.String())
}
