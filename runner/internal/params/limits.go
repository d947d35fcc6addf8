package params

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// The bounds of durations and sizes, which JSON Schema has no keywords for. Their
// values are written as the parameter's own are.
const (
	formatMinimum = "formatMinimum"
	formatMaximum = "formatMaximum"
)

// limits judges v by the bounds of its format; what is no value of the format is
// told elsewhere.
func (c *checker) limits(n node, v any, at path) {
	format := n.format()
	if format != manifest.FormatDuration && format != manifest.FormatBytes {
		return
	}
	text := fmt.Sprint(v)
	got, ok := amount(format, text)
	if !ok {
		return
	}
	for _, bound := range []struct {
		keyword, words string
		passed         func(limit float64) bool
	}{
		{formatMinimum, "at least", func(limit float64) bool { return got >= limit }},
		{formatMaximum, "at most", func(limit float64) bool { return got <= limit }},
	} {
		want, given := n.extra(bound.keyword)
		if limit, ok := amount(format, want); given && ok && !bound.passed(limit) {
			c.add(at, fmt.Sprintf("got %s, want %s %s", text, bound.words, want))
		}
	}
}

// amount is a duration in nanoseconds or a size in bytes.
func amount(format, text string) (float64, bool) {
	if format == manifest.FormatDuration {
		d, err := time.ParseDuration(text)
		return float64(d), err == nil
	}
	b, err := humanize.ParseBytes(text)
	return float64(b), err == nil
}

// extra is the text of a keyword that only Outrider knows.
func (n node) extra(keyword string) (string, bool) {
	for _, at := range n.must {
		if text, ok := at.Extra[keyword].(string); ok {
			return text, true
		}
	}
	return "", false
}
