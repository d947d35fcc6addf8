// Package redact masks secrets in whatever leaves the host: logs, records, errors
// and outputs. It knows values, not where they came from (params) or go (cli, run).
//
// Of every value of at least 6 characters it finds the text itself and its JSON-,
// URL- and base64-encoded forms; of a value of several lines also each line that
// is long enough. What two matches cover together is masked as one.
package redact

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Mask stands where a secret was. It is shorter than any secret.
const Mask = "***"

// shortest is the least number of characters that is masked: shorter values stand
// in too much innocent text.
const shortest = 6

// Redactor masks one set of secrets. It is immutable and safe for concurrent use;
// a nil Redactor masks nothing.
type Redactor struct {
	find *matcher // nil if there is nothing to find
}

// New makes a Redactor for these secrets.
func New(secrets []string) *Redactor {
	seen := map[string]bool{}
	var patterns []string
	for _, secret := range secrets {
		for _, part := range parts(secret) {
			for _, p := range encodings(part) {
				if !seen[p] {
					seen[p] = true
					patterns = append(patterns, p)
				}
			}
		}
	}
	if len(patterns) == 0 {
		return &Redactor{}
	}
	return &Redactor{find: newMatcher(patterns)}
}

// parts are the value itself and each of its lines, without the space around them
// unless they would be too short then.
func parts(secret string) []string {
	var out []string
	for _, s := range append([]string{secret}, strings.Split(secret, "\n")...) {
		if trimmed := strings.TrimSpace(s); utf8.RuneCountInString(trimmed) >= shortest {
			s = trimmed
		}
		if utf8.RuneCountInString(s) >= shortest && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// String returns s with every secret masked.
func (r *Redactor) String(s string) string {
	if r == nil || r.find == nil {
		return s
	}
	spans := find(r.find, s)
	if spans == nil {
		return s
	}
	return string(mask(make([]byte, 0, len(s)), s, spans))
}

// Bytes returns b with every secret masked; b itself, unchanged, if there is none.
func (r *Redactor) Bytes(b []byte) []byte {
	if r == nil || r.find == nil {
		return b
	}
	spans := find(r.find, b)
	if spans == nil {
		return b
	}
	return mask(make([]byte, 0, len(b)), b, spans)
}

// mask appends text to out with a mask for each span.
func mask[T string | []byte](out []byte, text T, spans []span) []byte {
	end := 0
	for _, s := range spans {
		out = append(out, text[end:s.from]...)
		out = append(out, Mask...)
		end = s.to
	}
	return append(out, text[end:]...)
}
