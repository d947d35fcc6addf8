package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestString(t *testing.T) {
	const pem = "-----BEGIN KEY-----\r\nTUlJRXZRSUJBREFOQmdrcWhraUc5\nabc\n-----END KEY-----\n"
	for _, c := range []struct {
		name    string
		secrets []string
		in, out string
	}{
		{"no secret", nil, "hunter2 stays", "hunter2 stays"},
		{"empty secret", []string{""}, "hunter2 stays", "hunter2 stays"},
		{"five characters", []string{"abcde", "äöüäö"}, "abcde äöüäö", "abcde äöüäö"},
		{"six characters", []string{"abcdef", "äöüäöü"}, "abcdef äöüäöü", "*** ***"},
		{"twice and at the ends", []string{"hunter2"}, "hunter2, hunter2", "***, ***"},
		{"one within the other", []string{"hunter2", "hunter2-prod"}, "hunter2-prod hunter2", "*** ***"},
		{"overlap", []string{"user:pass", "pass:word"}, "<user:pass:word>", "<***>"},
		{"one after the other", []string{"hunter2"}, "<hunter2hunter2>", "<***>"},
		{"repetition", []string{"aaaaaa"}, "aaaaaaaa b", "*** b"},
		{"trimmed", []string{"  hunter2\n"}, "it is hunter2!", "it is ***!"},
		{"line by line", []string{pem}, "at TUlJRXZRSUJBREFOQmdrcWhraUc5: abc -----END KEY-----.", "at ***: abc ***."},
		{"several lines", []string{"secret one\nsecret two"}, "<secret one\nsecret two>", "<***>"},
		{"JSON", []string{`a"b\c<d>/é😀`}, `{"m":"a\"b\\c<d>/é😀"} a\"b\\c\u003cd\u003e/é😀 a\"b\\c<d>\/\u00e9\ud83d\ude00 \u00E9`, `{"m":"***"} *** *** \u00E9`},
		{"JSON in JSON", []string{`pass"word`}, `{"body":"{\"p\":\"pass\\\"word\"}"}`, `{"body":"{\"p\":\"***\"}"}`},
		{"URL", []string{"p@ss w/rd?&"}, "q=p%40ss+w%2Frd%3F%26 p=p@ss%20w%2Frd%3F& p%40ss%20w%2frd%3f%26", "q=*** p=*** ***"},
		{"user info", []string{"p@ss:w/rd"}, (&url.URL{Scheme: "postgres", User: url.UserPassword("u", "p@ss:w/rd"), Host: "db"}).String(), "postgres://u:***@db"},
		{"base64", []string{"hunter2"}, base64.StdEncoding.EncodeToString([]byte("hunter2")), "***"},
		{"base64 for basic auth", []string{"hunter2"}, base64.StdEncoding.EncodeToString([]byte("admin:hunter2")), "YWRtaW46***"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := New(c.secrets)
			if got := r.String(c.in); got != c.out {
				t.Errorf("String(%q)\n got %q\nwant %q", c.in, got, c.out)
			}
			if got := string(r.Bytes([]byte(c.in))); got != c.out {
				t.Errorf("Bytes(%q)\n got %q\nwant %q", c.in, got, c.out)
			}
		})
	}
}

func TestNothingToMaskCopiesNothing(t *testing.T) {
	in := bytes.Repeat([]byte("an ordinary line\n"), 100)
	for name, r := range map[string]*Redactor{"nil": nil, "no secrets": New(nil), "none found": New([]string{"hunter2"})} {
		if n := testing.AllocsPerRun(10, func() { r.Bytes(in); r.String("an ordinary line") }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
		if out := r.Bytes(in); &out[0] != &in[0] {
			t.Errorf("%s: the text was copied", name)
		}
	}
}

func TestWrappedBase64(t *testing.T) {
	secret := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 5)
	text := base64.StdEncoding.EncodeToString([]byte(secret))
	r := New([]string{secret})
	for _, width := range []int{64, 76} {
		for line := range slices.Chunk([]byte(text), width) {
			if got := string(r.Bytes(line)); got != Mask {
				t.Errorf("width %d: %q became %q", width, line, got)
			}
		}
	}
}

// secretText is what secrets are made of: words, and whatever needs escaping.
func secretText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9+/=_-]{6,40}`),
		rapid.StringMatching("[ -~]{6,40}"),
		rapid.StringMatching(`[a-z"\\<>&/%+ é😀\n\t]{6,20}`),
		rapid.StringN(6, 30, -1),
	)
}

// forms are the encodings that the design names, made without this package.
func forms(secret, before, after string) map[string]string {
	whole := before + secret + after
	quoted, _ := json.Marshal(secret)
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	_ = e.Encode(secret)
	return map[string]string{
		"raw":                  secret,
		"JSON":                 string(quoted[1 : len(quoted)-1]),
		"JSON without HTML":    plain.String()[1 : plain.Len()-2],
		"query":                url.QueryEscape(secret),
		"path":                 url.PathEscape(secret),
		"base64":               base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 URL":           base64.URLEncoding.EncodeToString([]byte(secret)),
		"base64 raw":           base64.RawStdEncoding.EncodeToString([]byte(secret)),
		"base64 URL raw":       base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"base64 of longer":     base64.StdEncoding.EncodeToString([]byte(whole)),
		"base64 URL of longer": base64.URLEncoding.EncodeToString([]byte(whole)),
	}
}

// Whatever surrounds it, no form of a secret survives, in one piece or in a stream
// of pieces.
func TestNoFormSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := secretText().Draw(t, "secret")
		before, after := rapid.StringN(0, 10, -1).Draw(t, "before"), rapid.StringN(0, 10, -1).Draw(t, "after")
		r := New([]string{rapid.StringMatching("[a-z]{6}").Draw(t, "other"), secret})
		for name, form := range forms(secret, before, after) {
			text := before + form + after
			got := r.String(text)
			if leaks(got, secret) {
				t.Fatalf("%s of %q in %q survives: %q", name, secret, text, got)
			}
			if stream := inPieces(t, r, text); stream != got {
				t.Fatalf("%s: a stream gives %q, want %q", name, stream, got)
			}
		}
	})
}

// leaks looks for the secret in s and in every base64 text in it.
func leaks(s, secret string) bool {
	if strings.Contains(s, secret) {
		return true
	}
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return !strings.ContainsRune(base64Alphabet, r) }) {
		word = strings.NewReplacer("-", "+", "_", "/").Replace(word)
		for skip := range min(4, len(word)) {
			part := word[skip:]
			text, _ := base64.RawStdEncoding.DecodeString(part[:len(part)-len(part)%4])
			if bytes.Contains(text, []byte(secret)) {
				return true
			}
		}
	}
	return false
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"

// inPieces writes text in random pieces.
func inPieces(t *rapid.T, r *Redactor, text string) string {
	var out bytes.Buffer
	w := r.Writer(&out)
	for rest := text; rest != ""; {
		n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
		if wrote, err := w.Write([]byte(rest[:n])); err != nil || wrote != n {
			t.Fatalf("wrote %d of %d: %v", wrote, n, err)
		}
		rest = rest[n:]
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The matcher finds what a plain search for each text finds.
func TestFindIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching("[ab]{2,5}"), 1, 5).Draw(t, "texts")
		in := rapid.StringMatching("[abc]{0,30}").Draw(t, "in")
		covered := make([]bool, len(in))
		for _, text := range texts {
			for i := range in {
				if strings.HasPrefix(in[i:], text) {
					for j := range text {
						covered[i+j] = true
					}
				}
			}
		}
		got := make([]bool, len(in))
		for _, s := range find(newMatcher(texts), in) {
			for i := s.from; i < s.to; i++ {
				got[i] = true
			}
		}
		if !slices.Equal(got, covered) {
			t.Fatalf("%q in %q: got %v, want %v", texts, in, got, covered)
		}
	})
}

// A stream holds back what may become a secret, and nothing else.
func TestWriterHoldsBackLittle(t *testing.T) {
	var out bytes.Buffer
	w := New([]string{"hunter2"}).Writer(&out)
	for _, c := range []struct{ in, out string }{
		{"a line\n", "a line\n"},
		{"see hun", "see "},
		{"t, then ", "hunt, then "},
		{"hunte", ""},
		{"r2hunter", "***"},
		{"2 h", "*** "},
	} {
		out.Reset()
		if _, err := w.Write([]byte(c.in)); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.out {
			t.Errorf("after %q: got %q, want %q", c.in, out.String(), c.out)
		}
	}
	out.Reset()
	if err := w.Flush(); err != nil || out.String() != "h" {
		t.Errorf("flushed %q, %v", out.String(), err)
	}
}

func TestJSON(t *testing.T) {
	r := New([]string{"hunter2", "987654", `{"user":"x","pw":"y"}`})
	for _, c := range []struct{ in, out string }{
		{`{"n":12345678901234567890,"f":1.50}`, `{"n":12345678901234567890,"f":1.50}`},
		{`{"a":"x hunter2 y"}`, `{"a":"x *** y"}`},
		{`{"a":"\u0068unter2","b":"\u00e9"}`, `{"a":"***","b":"é"}`},
		{`{"hunter2":1,"x hunter2":2,"***":3}`, `{"***":1,"x ***":2,"***2":3}`},
		{`[{"hunter2":1},{"hunter2":1}]`, `[{"***":1},{"***":1}]`},
		{`{"pin":987654,"near":98765}`, `{"pin":"***","near":98765}`},
		{`{"key":{"user":"x","pw":"y"}}`, `{"redacted":"***"}`},
		{`[{"user":"x","pw":"y"}]`, `"***"`},
		{`not JSON: hunter2`, `"not JSON: ***"`},
	} {
		got := r.JSON(json.RawMessage(c.in))
		if string(got) != c.out || !json.Valid(got) {
			t.Errorf("JSON(%s)\n got %s\nwant %s", c.in, got, c.out)
		}
	}
}

// A JSON value stays valid and loses the secret, wherever it stands.
func TestJSONStaysValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := secretText().Draw(t, "secret")
		text := func(label string) string {
			return rapid.StringN(0, 5, -1).Draw(t, label) + rapid.SampledFrom([]string{"", secret}).Draw(t, label+" secret") + rapid.StringN(0, 5, -1).Draw(t, label)
		}
		raw, err := json.Marshal(map[string]any{text("k1"): text("v1"), text("k2"): []any{text("v2"), 1.5, nil}})
		if err != nil {
			t.Fatal(err)
		}
		got := New([]string{secret}).JSON(raw)
		var v any
		if err := json.Unmarshal(got, &v); err != nil {
			t.Fatalf("%s became %s: %v", raw, got, err)
		}
		if strings.Contains(fmt.Sprint(v), secret) || strings.Contains(string(got), secret) {
			t.Fatalf("%q survives in %s", secret, got)
		}
	})
}

// logs is text as a job writes it, 200 bytes a line.
func logs(size int) []byte {
	words := strings.Fields("2026-01-02T03:04:05.678Z INFO task load: copied 12345 rows from s3://bucket/path/part-00017.parquet to warehouse.orders in 4.2s {\"attempt\":2,\"id\":\"0c9f3a\"} user=etl")
	random := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < size {
		start := b.Len()
		for b.Len()-start < 190 {
			b.WriteString(words[random.IntN(len(words))] + " ")
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func BenchmarkBytes(b *testing.B) {
	text := logs(64 << 10)
	secrets := []string{"hunter2hunter2", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "p@ss w\"rd", "ghp_0123456789abcdef0123456789abcdef0123"}
	for _, n := range []int{0, 1, 3, 5} {
		b.Run(fmt.Sprintf("%d_secrets", n), func(b *testing.B) {
			r := New(secrets[:n])
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r.Bytes(text)
			}
		})
	}
	b.Run("writer_3_secrets", func(b *testing.B) {
		w := New(secrets[:3]).Writer(discard{})
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			_, _ = w.Write(text)
		}
	})
	b.Run("lines_3_secrets", func(b *testing.B) {
		r := New(secrets[:3])
		lines := bytes.Split(text, []byte("\n"))
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			for _, line := range lines {
				r.Bytes(line)
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New([]string{"hunter2hunter2", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
