package params

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// words say in short what a value should be.
func (n node) words() string {
	if n.secret() {
		return formatWords(manifest.FormatSecret)
	}
	if w := formatWords(n.format()); w != "" {
		return w
	}
	if enum := n.enum(); enum != nil {
		return oneOf(enum)
	}
	types := n.types()
	if len(types) == 0 {
		return "a value"
	}
	return strings.Join(types, " or ")
}

func oneOf(enum []any) string {
	var all []string
	for _, v := range enum {
		switch v := v.(type) {
		case string:
			all = append(all, quote(v))
		default:
			all = append(all, text(v))
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return "one of " + strings.Join(all, ", ")
}

// didYouMean is a hint at the name that was probably meant, or nothing.
func didYouMean(word string, names []string) string {
	word = squash(word)
	if len(word) < 2 {
		return ""
	}
	best, near := "", 1+len(word)/4
	slices.Sort(names)
	for _, name := range names {
		other := squash(name)
		d := levenshtein.ComputeDistance(word, other)
		if d > 1 && (other == "" || other[0] != word[0]) {
			continue // two letters off are a slip only if the word begins alike
		}
		if d < near || d == near && best == "" {
			best, near = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// squash makes maxRetries, max-retries and max_retries the same.
func squash(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
}

// kebab is how a property is usually spelt as a flag.
func kebab(name string) string { return strings.ReplaceAll(name, "_", "-") }
