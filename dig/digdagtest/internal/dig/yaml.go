package dig

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// Parse reads the text of a .dig file. Digdag has its own rules for words
// without quotes: see plain.
func Parse(text []byte) (*conf.Object, error) {
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		return nil, fmt.Errorf("expected one YAML document")
	}
	y := yaml{anchors: map[string]any{}}
	v, err := y.value(f.Docs[0].Body)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*conf.Object)
	if !ok {
		return nil, fmt.Errorf("expected object to load Config but got %s", conf.Text(v))
	}
	return o, nil
}

// yaml turns one document into values.
type yaml struct{ anchors map[string]any }

func (y *yaml) value(n ast.Node) (any, error) {
	switch n := n.(type) {
	case nil:
		return nil, nil
	case *ast.MappingNode:
		return y.object(n.Values)
	case *ast.MappingValueNode:
		return y.object([]*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		list := []any{}
		for _, e := range n.Values {
			v, err := y.value(e)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.StringNode:
		if n.Token.Type == token.StringType {
			return plain(n.Value, n.Token)
		}
		return n.Value, nil
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return plain(n.GetToken().Value, n.GetToken())
	case *ast.AnchorNode:
		v, err := y.value(n.Value)
		y.anchors[n.Name.GetToken().Value] = v
		return v, err
	case *ast.AliasNode:
		v, ok := y.anchors[n.Value.GetToken().Value]
		if !ok {
			return nil, at(n.GetToken(), "no anchor %q before it", n.Value.GetToken().Value)
		}
		return v, nil
	case *ast.TagNode:
		return nil, at(n.Start, "the tag %s is not in the double", n.Start.Value)
	}
	return nil, at(n.GetToken(), "%s is not in the double", n.Type().YAMLName())
}

func (y *yaml) object(entries []*ast.MappingValueNode) (*conf.Object, error) {
	o := conf.New()
	for _, e := range entries {
		var key string
		switch k := e.Key.(type) {
		case *ast.StringNode:
			key = k.Value
		case *ast.MergeKeyNode:
			return nil, at(e.GetToken(), "the merge key << is not in the double")
		case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
			key = k.GetToken().Value
		default:
			return nil, at(e.GetToken(), "a key must be a plain word, not a %s", e.Key.Type().YAMLName())
		}
		if o.Has(key) {
			return nil, at(e.GetToken(), "duplicate key %q", key)
		}
		v, err := y.value(e.Value)
		if err != nil {
			return nil, err
		}
		o.Set(key, v)
	}
	return o, nil
}

// wordRules are Digdag's own: fewer words are numbers or switches than in YAML
// 1.1. A number with a leading zero is octal, 0.5 is a text, and so are times
// (10:00:00), dates, yes, no, on and off.
type wordRules struct{ integer, float *regexp.Regexp }

var rules = sync.OnceValue(func() wordRules {
	return wordRules{
		integer: regexp.MustCompile(`^[-+]?(?:0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$`),
		float:   regexp.MustCompile(`^[-+]?(?:\.[0-9]+|[1-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$`),
	}
})

// plain reads a word that stands without quotes.
func plain(s string, tok *token.Token) (any, error) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil, nil
	case "true", "True":
		return true, nil
	case "false", "False":
		return false, nil
	}
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case ".inf", ".nan":
		return nil, at(tok, "%s is not in the double", s)
	}
	digits := strings.ReplaceAll(strings.TrimPrefix(s, "+"), "_", "")
	if rules().integer.MatchString(s) {
		n, ok := new(big.Int).SetString(digits, 0)
		if !ok {
			return nil, at(tok, "%s is not a number", s)
		}
		return json.Number(n.String()), nil
	}
	if rules().float.MatchString(s) {
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			return nil, at(tok, "%s is not a number", s)
		}
		return conf.Float(f), nil
	}
	return s, nil
}

func at(tok *token.Token, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", tok.Position.Line, fmt.Sprintf(format, args...))
}
