package manifest

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

func tokenize(text string) token.Tokens { return lexer.Tokenize(text) }

// yamlDoc is a parsed document with every alias resolved and found to be small
// enough to be written out.
type yamlDoc struct {
	root    ast.Node
	target  map[*ast.AliasNode]ast.Node
	intKeys bool // whole numbers are allowed as keys
}

// member is one key of a mapping and its value.
type member struct {
	key   string
	token *token.Token // of the key
	value ast.Node
}

func newYAMLDoc(root ast.Node) (*yamlDoc, error) {
	d := &yamlDoc{root: root, target: map[*ast.AliasNode]ast.Node{}}
	r := resolver{doc: d, anchors: map[string]anchor{}}
	if _, err := r.cost(root); err != nil {
		return nil, err
	}
	return d, nil
}

// resolver finds what each alias stands for, and what writing it out costs,
// before anything is written.
type resolver struct {
	doc     *yamlDoc
	anchors map[string]anchor
	aliased int // cost of all aliases so far
}

type anchor struct {
	node ast.Node // nil while the anchor's own value is being walked
	cost int
}

// cost walks in document order, as an alias stands for the last anchor of its
// name before it.
func (r *resolver) cost(n ast.Node) (int, error) {
	sum := 1
	add := func(children ...ast.Node) error {
		for _, child := range children {
			c, err := r.cost(child)
			if err != nil {
				return err
			}
			sum += c
		}
		return nil
	}
	switch n := n.(type) {
	case nil:
	case *ast.MappingNode:
		for _, v := range n.Values {
			if err := add(v.Key, v.Value); err != nil {
				return 0, err
			}
		}
	case *ast.MappingValueNode:
		return sum, add(n.Key, n.Value)
	case *ast.SequenceNode:
		return sum, add(n.Values...)
	case *ast.MappingKeyNode:
		return r.cost(n.Value)
	case *ast.TagNode:
		return r.cost(n.Value)
	case *ast.AnchorNode:
		name := n.Name.GetToken().Value
		r.anchors[name] = anchor{}
		c, err := r.cost(n.Value)
		r.anchors[name] = anchor{node: n.Value, cost: c}
		return c, err
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		a, ok := r.anchors[name]
		if !ok {
			return 0, yamlErrorf(n.GetToken(), "", "alias *%s has no anchor before it", name)
		}
		if a.node == nil {
			return 0, yamlErrorf(n.GetToken(), "", "alias *%s stands inside of its own anchor", name)
		}
		if r.aliased += a.cost; r.aliased > maxYAMLAlias {
			return 0, yamlErrorf(n.GetToken(), "", "aliases make the document too large (more than %d nodes)", maxYAMLAlias)
		}
		r.doc.target[n] = a.node
		return a.cost, nil
	default:
		sum += len(n.GetToken().Value) / 64
	}
	return sum, nil
}

// bare takes anchors, aliases and explicit-key marks off a node.
func (d *yamlDoc) bare(n ast.Node) ast.Node {
	for {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.AliasNode:
			n = d.target[v]
		case *ast.MappingKeyNode:
			n = v.Value
		default:
			return n
		}
	}
}

// members lists a mapping's keys in order, those of merged mappings (<<) last.
// ok is false when n is no mapping.
func (d *yamlDoc) members(n ast.Node, path string) (list []member, ok bool, err error) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, false, nil
	}
	var merged []ast.Node
	seen := make(map[string]*token.Token, len(values))
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merged = append(merged, v.Value)
			continue
		}
		key, err := d.key(v.Key, path)
		if err != nil {
			return nil, true, err
		}
		tk := v.Key.GetToken()
		if first := seen[key]; first != nil {
			return nil, true, yamlErrorf(tk, join(path, key), "key given twice, first in line %d", first.Position.Line)
		}
		seen[key] = tk
		list = append(list, member{key, tk, v.Value})
	}
	for _, source := range merged {
		if err := d.merge(&list, seen, source, path); err != nil {
			return nil, true, err
		}
	}
	return list, true, nil
}

// merge adds the members of a merged mapping, or of a list of them, that are
// not there yet.
func (d *yamlDoc) merge(list *[]member, seen map[string]*token.Token, source ast.Node, path string) error {
	bare := d.bare(source)
	if seq, ok := bare.(*ast.SequenceNode); ok {
		for _, n := range seq.Values {
			if _, nested := d.bare(n).(*ast.SequenceNode); nested {
				return yamlErrorf(n.GetToken(), path, "<< takes a mapping or a list of mappings")
			}
			if err := d.merge(list, seen, n, path); err != nil {
				return err
			}
		}
		return nil
	}
	more, ok, err := d.members(bare, path)
	if err != nil {
		return err
	}
	if !ok {
		return yamlErrorf(source.GetToken(), path, "<< takes a mapping or a list of mappings")
	}
	for _, m := range more {
		if seen[m.key] == nil {
			seen[m.key] = m.token
			*list = append(*list, m)
		}
	}
	return nil
}

// key is the text of a mapping's key.
func (d *yamlDoc) key(n ast.Node, path string) (string, error) {
	n = d.bare(n)
	text, err := d.scalar(n, path)
	if err != nil {
		return "", err
	}
	switch {
	case len(text) > 0 && text[0] == '"':
		var key string
		err := json.Unmarshal(text, &key)
		return key, err
	case d.intKeys && len(text) > 0 && strings.Trim(string(text), "-0123456789") == "":
		return string(text), nil
	}
	return "", yamlErrorf(n.GetToken(), path, "a key must be a string, not %s; write it in quotes", d.show(n))
}

// json writes the document as compact JSON.
func (d *yamlDoc) json() (json.RawMessage, error) {
	return d.append(nil, d.root, "", 0)
}

func (d *yamlDoc) append(b []byte, n ast.Node, path string, depth int) ([]byte, error) {
	n = d.bare(n)
	if depth > maxYAMLDepth {
		return nil, tooDeep(n.GetToken())
	}
	members, ok, err := d.members(n, path)
	if err != nil {
		return nil, err
	}
	if ok {
		b = append(b, '{')
		for i, m := range members {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendText(b, m.key, m.token, path); err != nil {
				return nil, err
			}
			b = append(b, ':')
			if b, err = d.append(b, m.value, join(path, m.key), depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	if seq, ok := n.(*ast.SequenceNode); ok {
		b = append(b, '[')
		for i, v := range seq.Values {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = d.append(b, v, index(path, i), depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	text, err := d.scalar(n, path)
	return append(b, text...), err
}

func join(path, key string) string {
	if strings.ContainsAny(key, ".[] \t\n\"") || key == "" {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func appendText(b []byte, s string, at *token.Token, path string) ([]byte, error) {
	b, err := jsontext.AppendQuote(b, s)
	if err != nil {
		return nil, yamlErrorf(at, path, "text that is not UTF-8 is not allowed")
	}
	return b, nil
}

// place is where a JSON pointer leads.
type place struct {
	key   *token.Token // of the key, or of the value where there is none
	value *token.Token
	node  ast.Node
	path  string
}

// locate follows a JSON pointer as far as it leads.
func (d *yamlDoc) locate(p jsontext.Pointer) place {
	node := d.bare(d.root)
	at := place{key: startOf(node), value: startOf(node), node: node}
	for tok := range p.Tokens() {
		if seq, ok := node.(*ast.SequenceNode); ok {
			i, err := strconv.Atoi(tok)
			if err != nil || i < 0 || i >= len(seq.Values) {
				return at
			}
			node = d.bare(seq.Values[i])
			at = place{key: startOf(node), value: startOf(node), node: node, path: index(at.path, i)}
			continue
		}
		members, _, _ := d.members(node, "")
		found := false
		for _, m := range members {
			if m.key == tok {
				node = d.bare(m.value)
				at = place{key: m.token, value: startOf(node), node: node, path: join(at.path, m.key)}
				if at.value == nil || at.value.Position.Line < m.token.Position.Line {
					at.value = m.token
				}
				found = true
				break
			}
		}
		if !found {
			return at
		}
	}
	return at
}

// startOf is the first token of a node: a block mapping's own is its colon.
func startOf(n ast.Node) *token.Token {
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return n.GetToken()
}
