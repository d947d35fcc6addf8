package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

// facts are what was found out about a file; what nobody asked for is nil or
// empty.
type facts struct {
	size sdk.Bytes
	age  time.Duration
	rows *int64
	sum  string // in hex
}

// lacks names each limit that a file breaks: what was found and what was
// wanted. It is empty for a file that is as it should be.
func (p checkParams) lacks(f facts) []string {
	all := limits("the size", f.size, p.MinSize, p.MaxSize)
	all = append(all, limits("the age", f.age, p.MinAge, p.MaxAge)...)
	if f.rows != nil {
		all = append(all, limits("the number of rows", *f.rows, p.MinRows, p.MaxRows)...)
	}
	if c, _ := parseChecksum(p.Checksum); c.want != "" && f.sum != c.want {
		all = append(all, fmt.Sprintf("the %s is %s, wanted %s", c.name, f.sum, c.want))
	}
	return all
}

// limits compares one number; a limit that is nil is none.
func limits[T cmp.Ordered](what string, found T, least, most *T) []string {
	switch {
	case least != nil && found < *least:
		return []string{fmt.Sprintf("%s is %v, wanted at least %v", what, found, *least)}
	case most != nil && found > *most:
		return []string{fmt.Sprintf("%s is %v, wanted at most %v", what, found, *most)}
	}
	return nil
}

// contradiction is the error of a pair of limits that no number keeps.
func contradiction[T cmp.Ordered](name string, least, most *T) error {
	if least != nil && most != nil && *least > *most {
		return fmt.Errorf("min_%s: %v is above max_%s, %v", name, *least, name, *most)
	}
	return nil
}

// checksum is one that was asked for: its algorithm, and the hex text wanted,
// empty when it is only to be told.
type checksum struct{ name, want string }

// parseChecksum reads sha256, or sha256:HEX; empty text is none.
func parseChecksum(text string) (checksum, error) {
	if text == "" {
		return checksum{}, nil
	}
	name, want, given := strings.Cut(text, ":")
	h := newHash(name)
	if h == nil {
		return checksum{}, fmt.Errorf("checksum: %q is none of %s", name, hashNames)
	}
	want = strings.ToLower(want)
	if given && (len(want) != 2*h.Size() || strings.Trim(want, "0123456789abcdef") != "") {
		return checksum{}, fmt.Errorf("checksum: %q is no %s, which is %d hex digits", want, name, 2*h.Size())
	}
	return checksum{name, want}, nil
}
