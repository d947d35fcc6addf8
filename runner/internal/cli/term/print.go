package term

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"
)

// FormatFlag is --format, with the first of formats where it is not given.
func FormatFlag(formats ...string) cli.Flag {
	return &cli.StringFlag{Name: "format", Usage: "print as `FORMAT`: " + Join(formats, "or"), Value: formats[0]}
}

// Format is what --format asks for, one of formats.
func Format(c *cli.Context, formats ...string) (string, error) {
	got := c.String("format")
	for _, f := range formats {
		if got == f {
			return f, nil
		}
	}
	return "", Usage("--format %q: want %s", got, Join(formats, "or"))
}

// JSON writes v as one JSON document.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return Undeliverable(e.Encode(v))
}

// Undeliverable is the failure to write what was asked for to stdout.
func Undeliverable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write to stdout: %w", err)
}

// Table writes rows under header in aligned columns without borders, fit for awk and
// for eyes.
func Table(w io.Writer, header []string, rows [][]string) error {
	t := table.NewWriter()
	s := table.StyleDefault
	s.Options = table.OptionsNoBordersAndSeparators
	s.Box.PaddingLeft, s.Box.PaddingRight = "", "  "
	s.Format.Header = 0
	t.SetStyle(s)
	t.AppendHeader(row(header))
	for _, r := range rows {
		t.AppendRow(row(r))
	}
	t.SuppressTrailingSpaces()
	_, err := fmt.Fprintln(w, t.Render())
	return Undeliverable(err)
}

func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = c
	}
	return r
}

// Join lists words with commas, and the word last before the last one.
func Join(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// Printable replaces what a terminal would obey, but for tabs and new lines.
func Printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 {
			return '\uFFFD'
		}
		return c
	}, s)
}

// OneLine is s in a line of at most n characters.
func OneLine(s string, n int) string {
	s = Printable(strings.Join(strings.Fields(s), " "))
	if r := []rune(s); len(r) > n {
		s = string(r[:n-1]) + "…"
	}
	return s
}

// Clock is a time for people, in their time zone.
func Clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
