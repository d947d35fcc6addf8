package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestCountLines(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0, "\n": 1, "a": 1, "a\n": 1, "a\nb": 2, "a\n\nb\n": 3, "a\r\nb\r\n": 2, "\xff\x00\n\n": 2,
		strings.Repeat("x", chunk) + "\n" + "y": 2, strings.Repeat("x", chunk-1) + "\n": 1,
	} {
		if got, err := countLines(strings.NewReader(text)); got != want || err != nil {
			t.Errorf("%.20q: %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestCountCSV(t *testing.T) {
	for _, c := range []struct {
		text  string
		comma rune
		want  int64
	}{
		{"", ',', 0},
		{"a,b\n", ',', 1},
		{"a,b", ',', 1},
		{"a\n\n\nb\n", ',', 2},
		{"\"a\nb\",c\r\nd\r\n", ',', 2},
		{"\"a \"\"quoted\"\"\n\n\",c\nd,e,f\n", ',', 2},
		{"\"a\";\"b\"\n", ';', 1},
		{"\"a\"\t\"b\nc\"\n", '\t', 1},
	} {
		if got, err := countCSV(c.comma)(strings.NewReader(c.text)); got != c.want || err != nil {
			t.Errorf("%q: %d, %v; want %d", c.text, got, err, c.want)
		}
	}
	for text, want := range map[string]string{
		"a\nb\"c\n":     "it is no CSV: after 1 rows: parse error on line 2, column 2: bare \" in non-quoted-field",
		"a\n\"b\nc,d\n": "it is no CSV: after 1 rows: record on line 2; parse error on line 3, column 5: extraneous",
	} {
		if _, err := countCSV(',')(strings.NewReader(text)); !errors.Is(err, errCSV) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// endless reads the same text for ever, and counts it.
type endless struct {
	text string
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.n%len(e.text):])
	e.n += n
	return n, nil
}

func TestAnOpenQuoteIsNotReadForEver(t *testing.T) {
	source := &endless{text: strings.Repeat("no quote closes\n", 1000)}
	_, err := countCSV(',')(io.MultiReader(strings.NewReader("a,b\n\"open,"), source))
	if !errors.Is(err, errCSV) || !errors.Is(err, errTooLong) || source.n > maxRecord+2*chunk {
		t.Errorf("%v after %d bytes", err, source.n)
	}
	// Many rows are not one long one.
	rows, err := countCSV(',')(io.LimitReader(&endless{text: strings.Repeat("a,\"b\nc\"\n", 1000)}, 2*maxRecord))
	if rows != 2*maxRecord/8 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestAFileIsReadInLargeSteps(t *testing.T) {
	for name, count := range map[string]counter{"lines": countLines, "csv": countCSV(','), "nothing": countNothing} {
		var steps []int
		_, err := count(readerFunc(func(p []byte) (int, error) {
			steps = append(steps, len(p))
			return 0, io.EOF
		}))
		if err != nil || len(steps) != 1 || steps[0] != chunk {
			t.Errorf("%s: %v, steps of %v bytes", name, err, steps)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestCountersPassErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	for name, count := range map[string]counter{"lines": countLines, "csv": countCSV(','), "nothing": countNothing} {
		_, err := count(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || errors.Is(err, errCSV) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// However a file comes in pieces, it has the rows that reading it at once finds.
func FuzzCount(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := int64(bytes.Count(text, []byte("\n")))
		if len(text) > 0 && text[len(text)-1] != '\n' {
			lines++
		}
		if got, err := countLines(iotest.OneByteReader(bytes.NewReader(text))); got != lines || err != nil {
			t.Errorf("%q: %d lines, %v; want %d", text, got, err, lines)
		}
		all := csv.NewReader(bytes.NewReader(text))
		all.FieldsPerRecord = -1
		records, want := all.ReadAll()
		got, err := countCSV(',')(iotest.OneByteReader(bytes.NewReader(text)))
		if (err == nil) != (want == nil) || err == nil && got != int64(len(records)) {
			t.Errorf("%q: %d records, %v; want %d, %v", text, got, err, len(records), want)
		}
	})
}
