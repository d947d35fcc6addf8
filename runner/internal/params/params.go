package params

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/outrider-run/outrider/sdk/protocol"
)

// Sources are what a caller said; all of it is optional.
type Sources struct {
	// File is the content of the params file or of stdin; nil if there is none.
	File []byte
	// FileName is the file's name, by whose extension it is read; "" or "-" is stdin.
	FileName string
	// Templated: File is JSON whose texts an engine's templates have filled in, which
	// make a text of whatever they are given. One stands for the value that it spells
	// where the schema wants no text. FileName is then the name of its place.
	Templated bool
	// Sets are the values of --set, such as retry.max=5.
	Sets []string
	// Flags are the component flags, as ParseArgs returns them.
	Flags []Flag
}

func (s Sources) name() string {
	if s.FileName == "" || s.FileName == "-" {
		return "stdin"
	}
	return s.FileName
}

// Flag is one component flag.
type Flag struct {
	Name  string // the property that it sets
	Value string
}

// Resolved is a complete, valid set of parameters.
type Resolved struct {
	// JSON holds the parameters, compact and with sorted keys. Secrets are the
	// references as they were given, but a literal from a file stands here too:
	// use Redacted for whatever is kept or shown.
	JSON json.RawMessage

	schema  *schema
	tree    map[string]any
	origins origins
	secrets []path
}

// Merge lays the sources over each other, fills in defaults and checks the
// outcome against the schema. An error of the caller's making is a *Problems;
// any other error means that the schema itself is no good.
func Merge(raw json.RawMessage, from Sources) (Resolved, error) {
	s, err := compile(raw)
	if err != nil {
		return Resolved{}, err
	}
	m := merger{schema: s, origins: origins{}, problems: new(Problems)}
	m.read(from)
	m.set(from.Sets)
	m.flags(from.Flags)
	if err := m.problems.err(); err != nil {
		return Resolved{}, err
	}
	if err := m.defaults(s.top(), m.tree, newPath()); err != nil {
		return Resolved{}, err
	}
	c := checker{schema: s, origins: m.origins, problems: m.problems}
	if err := c.check(m.tree); err != nil {
		return Resolved{}, err
	}
	if err := m.problems.err(); err != nil {
		return Resolved{}, err
	}
	text, err := encode(m.tree)
	if err != nil {
		return Resolved{}, err
	}
	return Resolved{JSON: text, schema: s, tree: m.tree, origins: m.origins, secrets: c.secrets}, nil
}

// encode refuses parameters that would not fit into one message to the plugin.
func encode(tree map[string]any) (json.RawMessage, error) {
	text, err := appendJSON(nil, tree)
	if err != nil {
		return nil, fmt.Errorf("write the parameters as JSON: %w", err)
	}
	if len(text) > protocol.MaxParams {
		return nil, &Problems{List: []Problem{{
			Text: fmt.Sprintf("all of them are %s, more than the %s that parameters may have", size(len(text)), size(protocol.MaxParams)),
		}}}
	}
	return text, nil
}

// Redacted is JSON with every literal secret masked: fit for a record.
func (r Resolved) Redacted() json.RawMessage {
	tree := clone(r.tree).(map[string]any)
	for _, p := range r.secrets {
		if s, _ := get(tree, p).(string); !isReference(s) {
			replace(tree, p, mask)
		}
	}
	text, err := appendJSON(nil, tree)
	if err != nil { // what JSON was made from cannot fail now
		return json.RawMessage("{}")
	}
	return text
}

// origins remember where values came from, by rendered path: an entry speaks for
// its path and all below that has no entry of its own.
type origins map[string]string

// put makes from the origin of p and of everything in it.
func (o origins) put(p path, from string) {
	at := p.String()
	for old := range o {
		if rest, ok := strings.CutPrefix(old, at); ok && (at == "" || rest != "" && (rest[0] == '.' || rest[0] == '[')) {
			delete(o, old)
		}
	}
	o[at] = from
}

// of finds the entry closest to p.
func (o origins) of(p path) string {
	for i := len(p); i >= 0; i-- {
		if from, ok := o[p[:i].String()]; ok {
			return from
		}
	}
	return ""
}

func commandLine(from string) bool { return strings.HasPrefix(from, "--") }
