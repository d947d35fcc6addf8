package lines

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// read returns every piece, with a + after those that go on.
func read(t *testing.T, r io.Reader) (pieces []string, end error) {
	t.Helper()
	lr := NewReader(r)
	for {
		line, more, err := lr.Next()
		if err != nil {
			return pieces, err
		}
		s := string(line)
		if more {
			s += "+"
		}
		pieces = append(pieces, s)
	}
}

func TestLines(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want []string
	}{
		"empty":          {"", nil},
		"no end":         {"a\nb", []string{"a", "b"}},
		"blank":          {"\n\na\n", []string{"", "", "a"}},
		"CRLF":           {"a\r\nb\r\n\r\n", []string{"a", "b", ""}},
		"CR inside":      {"10%\r20%\n", []string{"10%\r20%"}},
		"NUL and binary": {"\x00\xff\n\xfe", []string{"\x00\xff", "\xfe"}},
	} {
		for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
			got, err := read(t, r)
			if !errors.Is(err, io.EOF) || strings.Join(got, "|") != strings.Join(tt.want, "|") || len(got) != len(tt.want) {
				t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
			}
		}
	}
}

func TestALineOfAMegabyteIsWholeAndALongerOneComesInPieces(t *testing.T) {
	million := bytes.Repeat([]byte("x"), 1_000_000)
	long := bytes.Repeat([]byte("y"), 2*Limit+5)
	in := bytes.Join([][]byte{million, long, []byte("z")}, []byte("\n"))
	got, err := read(t, bytes.NewReader(in))
	if !errors.Is(err, io.EOF) || len(got) != 5 {
		t.Fatalf("got %d pieces, %v", len(got), err)
	}
	if got[0] != string(million) {
		t.Errorf("the 1 MB line came as %d bytes", len(got[0]))
	}
	full := strings.Repeat("y", Limit) + "+"
	if got[1] != full || got[2] != full || got[3] != "yyyyy" || got[4] != "z" {
		t.Errorf("pieces of %d, %d, %q, %q", len(got[1]), len(got[2]), got[3], got[4])
	}
}

func TestAReadErrorComesAfterTheLastLine(t *testing.T) {
	broken := errors.New("broken")
	got, err := read(t, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || len(got) != 2 {
		t.Errorf("got %q, %v", got, err)
	}
}
