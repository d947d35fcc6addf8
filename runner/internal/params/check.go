package params

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// checker judges a complete tree.
type checker struct {
	schema   *schema
	origins  origins
	problems *Problems
	secrets  []path // where secrets stand, references and literals

	seen   map[Problem]bool
	judges map[*jsonschema.Schema]*jsonschema.Resolved
	leaves map[leafKey]*jsonschema.Resolved
	routes map[*jsonschema.Schema]string
}

// check adds every problem of the tree. The schema library decides whether it is
// valid; only if it is not, explain finds out what is wrong and where. The walk
// adds what the library knows nothing of: Outrider's formats, and secrets on the
// command line.
func (c *checker) check(tree map[string]any) error {
	top := c.schema.top()
	valid, err := c.schema.valid(tree)
	if err != nil {
		return err
	}
	if !valid && c.explain(c.schema.root, top, tree, newPath()) == 0 {
		c.generic(top, tree, nil, nil)
	}
	c.walk(top, tree, newPath())
	slices.SortStableFunc(c.problems.List, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// walk visits every value that is there with what the schema says of its place.
func (c *checker) walk(n node, v any, at path) {
	if c.problems.full() {
		return
	}
	switch v := v.(type) {
	case nil:
	case []any:
		items := c.schema.items(n)
		for i, item := range v {
			c.walk(items(i), item, at.withIndex(i))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c.walk(c.schema.key(n, key), v[key], at.withKey(key))
		}
	case string:
		if n.secret() {
			c.secret(v, at)
			return
		}
		if want, ok := checkFormat(n.format(), v); !ok {
			c.add(at, "got "+describe(v, c.hidden(n))+", want "+want)
		}
		c.limits(n, v, at)
	default:
		c.limits(n, v, at)
		if n.format() == manifest.FormatSecret {
			c.wrongType(n, v, at)
		}
	}
}

// secret notes where one stands. A literal on the command line is refused: every
// user of the machine can read it there.
func (c *checker) secret(v string, at path) {
	c.secrets = append(c.secrets, at.clone())
	switch {
	case !isReference(v):
		if commandLine(c.origins.of(at)) {
			c.add(at, "a secret must not stand on the command line, where others can read it; want env:NAME or file:PATH")
		}
	case v == "env:" || v == "file:":
		c.add(at, "names no secret, want env:NAME or file:PATH")
	case strings.IndexByte(v, '=') >= 0 && strings.HasPrefix(v, "env:"):
		c.add(at, "is no name of a variable, want env:NAME")
	}
}

func (c *checker) add(at path, text string) int {
	from := c.origins.of(at)
	if from == "default" {
		from = "the schema's default"
	}
	return c.report(at, text, from)
}

// report returns 1, also for what was found before by another way.
func (c *checker) report(at path, text, from string) int {
	p := Problem{Path: at.String(), Text: text, From: from}
	if c.seen == nil {
		c.seen = map[Problem]bool{}
	}
	if !c.seen[p] {
		c.seen[p] = true
		c.problems.add(p)
	}
	return 1
}

// hidden reports whether a value must not be shown: it is a secret, or stands where
// one should be, as a literal does in the place of a map of secrets.
func (c *checker) hidden(n node) bool {
	seen := map[*jsonschema.Schema]bool{}
	var visit func(*jsonschema.Schema) bool
	visit = func(s *jsonschema.Schema) bool {
		if s == nil || seen[s] {
			return false
		}
		seen[s] = true
		return s.Format == manifest.FormatSecret || visit(c.schema.refs[s]) ||
			slices.ContainsFunc(children(s), func(sub child) bool { return visit(sub.schema) })
	}
	return slices.ContainsFunc(n.may, visit)
}

// checkFormat judges the formats that Outrider gives a meaning; want is what was
// expected of a string that is not one.
func checkFormat(format, s string) (want string, ok bool) {
	var err error
	switch format {
	case manifest.FormatDuration:
		_, err = time.ParseDuration(s)
	case manifest.FormatBytes:
		_, err = humanize.ParseBytes(s)
	case manifest.FormatTime:
		_, err = time.Parse(time.RFC3339Nano, s)
	}
	return formatWords(format), err == nil
}

func formatWords(format string) string {
	switch format {
	case manifest.FormatDuration:
		return "duration such as 1h30m"
	case manifest.FormatBytes:
		return "size such as 64MiB"
	case manifest.FormatTime:
		return "time such as 2006-01-02T15:04:05Z"
	case manifest.FormatSecret:
		return "secret: env:NAME or file:PATH"
	}
	return ""
}
