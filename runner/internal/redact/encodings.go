package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// encodings are the forms in which a secret is looked for; it has 6 characters or
// more, and so has every form.
func encodings(secret string) []string {
	out := append(base64Forms(secret), secret)
	if !needsEscape(secret) {
		return out
	}
	for _, quoted := range jsonForms(secret) {
		// Text that quotes JSON in JSON, as a log line with a response in it.
		out = append(out, quoted)
		out = append(out, jsonForms(quoted)...)
	}
	return append(out, urlForms(secret)...)
}

// needsEscape is false for most tokens, which JSON and URLs leave as they are.
func needsEscape(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && r != '-' && r != '_' && r != '.'
	})
}

// jsonForms are what the inside of a JSON string may look like: as little escaped
// as possible, as Go does, as PHP does, and ASCII alone.
func jsonForms(s string) []string {
	least, err := jsontext.AppendQuote(nil, s)
	if err != nil { // not UTF-8: then it is in no JSON either, but for U+FFFD
		return nil
	}
	short := string(least[1 : len(least)-1])
	out := []string{short, strings.ReplaceAll(short, "/", `\/`)}
	if html, err := json.Marshal(s); err == nil {
		out = append(out, string(html[1:len(html)-1]))
	}
	for _, hex := range []string{"0123456789abcdef", "0123456789ABCDEF"} {
		ascii := asciiForm(short, hex)
		out = append(out, ascii, strings.ReplaceAll(ascii, "/", `\/`))
	}
	return out
}

// asciiForm escapes what is not ASCII as UTF-16, as JSON has it.
func asciiForm(s, hex string) string {
	var b strings.Builder
	unit := func(u rune) {
		b.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			b.WriteByte(hex[u>>shift&0xF])
		}
	}
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x10000:
			unit(r)
		default:
			r -= 0x10000
			unit(0xD800 + r>>10)
			unit(0xDC00 + r&0x3FF)
		}
	}
	return b.String()
}

// urlForms are the usual ways to percent-encode, which differ in what they leave
// alone: Go's for queries, paths and user info, JavaScript's and Python's.
func urlForms(s string) []string {
	query := url.QueryEscape(s)
	spaced := strings.ReplaceAll(query, "+", "%20") // a plus of s is %2B there
	forms := []string{
		query, spaced, url.PathEscape(s), url.User(s).String(),
		strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(spaced),
		strings.ReplaceAll(spaced, "%2F", "/"),
		strings.ReplaceAll(query, "%2F", "/"),
	}
	for _, f := range forms[:len(forms):len(forms)] {
		forms = append(forms, lowerHex(f))
	}
	return forms
}

// lowerHex turns %2F to %2f.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}

// base64Forms are the secret's own encoding and, for a longer text that contains
// it, the characters that the secret alone decides: three ways, as groups of three
// bytes may begin before, at or after its first byte. Bits at the edges that
// neighbours share, at most four of a byte, are not found in a longer text.
func base64Forms(s string) []string {
	var out []string
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		out = append(out, e.EncodeToString([]byte(s)), e.WithPadding(base64.NoPadding).EncodeToString([]byte(s)))
		for before := range 3 {
			text := e.EncodeToString(append(make([]byte, before), s...))
			from := (before*8 + 5) / 6
			to := (before + len(s)) * 8 / 6
			out = append(out, text[from:to])
		}
	}
	return append(out, wrapped(s)...)
}

// wrapped are the lines of a long secret's base64 as base64(1) and PEM break them.
func wrapped(s string) []string {
	var out []string
	text := base64.StdEncoding.EncodeToString([]byte(s))
	for _, width := range []int{64, 76} {
		for rest := text; len(text) > width && len(rest) >= shortest; rest = rest[min(width, len(rest)):] {
			out = append(out, rest[:min(width, len(rest))])
		}
	}
	return out
}
