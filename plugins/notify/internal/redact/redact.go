// Package redact takes secrets out of texts that other programs and libraries
// made: their errors repeat an address with the token in it, whole, in pieces
// or put together anew. It knows nothing of what the secret opens.
package redact

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const (
	hidden = "[secret]"
	// Shorter pieces would take ordinary words apart.
	leastPiece = 4
	leastWord  = 6
)

// Text returns text without secret, without the parts of an address that secret
// is, however encoded, and without any run of at least six letters and digits
// of it. keep is a part of it that may be seen, such as a server's name.
func Text(text, secret, keep string) string {
	// A regular expression has to be UTF-8.
	text, secret = strings.ToValidUTF8(text, "?"), strings.ToValidUTF8(secret, "?")
	all := pieces(secret, keep)
	if len(all) == 0 {
		return text
	}
	if keep != "" { // first, or a word of it is taken for one of the secret
		all = slices.Insert(all, 0, keep)
	}
	for i, piece := range all {
		all[i] = regexp.QuoteMeta(piece)
	}
	return regexp.MustCompile("(?i)"+strings.Join(all, "|")).ReplaceAllStringFunc(text, func(found string) string {
		if keep != "" && strings.EqualFold(found, keep) {
			return found
		}
		return hidden
	})
}

// pieces are all that must not be seen, the longest first.
func pieces(secret, keep string) []string {
	var found []string
	add := func(piece string) {
		if len(piece) >= leastPiece && piece != keep {
			found = append(found, piece, url.PathEscape(piece), url.QueryEscape(piece))
		}
	}
	found = append(found, secret)
	rest := secret
	if u, err := url.Parse(secret); err == nil {
		add(u.User.Username())
		password, _ := u.User.Password()
		add(password)
		add(u.Host)
		add(u.Fragment)
		add(u.Opaque)
		for _, segment := range strings.Split(u.Path, "/") {
			add(segment)
		}
		for _, values := range u.Query() {
			for _, v := range values {
				add(v)
			}
		}
		rest = strings.TrimPrefix(rest, u.Scheme+"://")
	}
	if keep != "" {
		rest = strings.ReplaceAll(rest, keep, " ")
	}
	for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if len(word) >= leastWord {
			found = append(found, word)
		}
	}
	found = slices.DeleteFunc(found, func(piece string) bool { return piece == "" })
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(found)
}
