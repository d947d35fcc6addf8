package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// ledgerURL is the address of a ledger.
type ledgerURL string

func (u *ledgerURL) UnmarshalText(text []byte) error {
	if err := CheckLedger(string(text)); err != nil {
		return err
	}
	*u = ledgerURL(text)
	return nil
}

// CheckLedger refuses what is no address of a ledger.
func CheckLedger(url string) error {
	path, isFile := strings.CutPrefix(url, "sqlite:")
	if isFile && filepath.IsAbs(path) || strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return nil
	}
	return errors.New("want sqlite:/ABSOLUTE/PATH or postgres://USER@HOST/DATABASE")
}

// instance is the name of an installation; it is part of keys.
type instance string

func (n *instance) UnmarshalText(text []byte) error {
	if len(text) == 0 || len(text) > 64 || strings.ContainsAny(string(text), " \t\n/") {
		return errors.New("want a short name without blanks, such as prod")
	}
	*n = instance(text)
	return nil
}

// folder is an absolute path.
type folder string

func (f *folder) UnmarshalText(text []byte) error {
	if !filepath.IsAbs(string(text)) {
		return errors.New("want an absolute path")
	}
	*f = folder(filepath.Clean(string(text)))
	return nil
}

// size is a number of bytes.
type size int64

// UnmarshalJSON is what decodes YAML too; a bare number has no unit and is refused.
func (s *size) UnmarshalJSON(raw []byte) error {
	var text string
	_ = json.Unmarshal(raw, &text) // what is no text is no size either
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > 1<<62 {
		return errors.New("want a size above zero, such as 10GB")
	}
	*s = size(n)
	return nil
}

// age is a duration above zero that may have days.
type age time.Duration

// UnmarshalJSON is what decodes YAML too; a bare number has no unit and is refused.
func (a *age) UnmarshalJSON(raw []byte) error {
	var text string
	_ = json.Unmarshal(raw, &text) // what is no text is no duration either
	d, err := ParseAge(text)
	if err != nil || d <= 0 {
		return errors.New("want a duration above zero, such as 30d or 36h")
	}
	*a = age(d)
	return nil
}

// maxDays keeps a duration within what 64 bits of nanoseconds hold.
const maxDays = 36500

// ParseAge reads a duration that is not negative as Go has it, with days of 24 hours
// before the rest: 30d, 1d12h, 90m.
func ParseAge(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no duration: want such as 30d, 1d12h or 90m", text)
	var sum time.Duration
	if days, rest, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > maxDays {
			return 0, bad
		}
		sum, text = time.Duration(n)*24*time.Hour, rest
		if rest == "" {
			return sum, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxDays*24*time.Hour {
		return 0, bad
	}
	return sum + d, nil
}
