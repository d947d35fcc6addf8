package config

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/outrider-run/outrider/runner/internal/age"
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

// keepFor is a duration above zero that may have days.
type keepFor time.Duration

// UnmarshalJSON is what decodes YAML too; a bare number has no unit and is refused.
func (k *keepFor) UnmarshalJSON(raw []byte) error {
	var text string
	_ = json.Unmarshal(raw, &text) // what is no text is no duration either
	d, err := age.Parse(text)
	if err != nil || d <= 0 {
		return errors.New("want a duration above zero, such as 30d or 36h")
	}
	*k = keepFor(d)
	return nil
}
