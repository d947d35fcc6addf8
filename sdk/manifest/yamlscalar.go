package manifest

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// scalar writes a leaf as JSON.
func (d *yamlDoc) scalar(n ast.Node, path string) ([]byte, error) {
	switch n := n.(type) {
	case nil:
		return []byte("null"), nil
	case *ast.LiteralNode:
		return appendText(nil, n.Value.Value, n.GetToken(), path)
	case *ast.StringNode:
		if n.Token.Type != token.StringType { // quoted
			return appendText(nil, n.Value, n.Token, path)
		}
		return plain(n.Value, n.Token, path)
	case *ast.TagNode:
		return d.tagged(n, path)
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return plain(n.GetToken().Value, n.GetToken(), path)
	}
	return nil, yamlErrorf(n.GetToken(), path, "%s is not allowed here", strings.ToLower(n.Type().YAMLName()))
}

// tagged knows !!str alone: any other tag is a promise that JSON cannot keep.
func (d *yamlDoc) tagged(n *ast.TagNode, path string) ([]byte, error) {
	value := d.bare(n.Value)
	if n.Start.Value == "!!str" && n.Directive == nil {
		switch value.(type) {
		case nil, *ast.NullNode:
			return []byte(`""`), nil
		case *ast.StringNode, *ast.LiteralNode:
			return d.quoted(value, path)
		case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
			return appendText(nil, value.GetToken().Value, n.Start, path)
		}
	}
	return nil, yamlErrorf(n.Start, path, "the tag %s is not understood", shorten(n.Start.Value))
}

func (d *yamlDoc) quoted(n ast.Node, path string) ([]byte, error) {
	if s, ok := n.(*ast.StringNode); ok {
		return appendText(nil, s.Value, s.Token, path)
	}
	return d.scalar(n, path)
}

// plain reads an unquoted word as YAML 1.2 does (the core schema): null, true,
// false, numbers; all else is text. yes, no, on and off are text.
func plain(s string, at *token.Token, path string) ([]byte, error) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return []byte("null"), nil
	case "true", "True", "TRUE":
		return []byte("true"), nil
	case "false", "False", "FALSE":
		return []byte("false"), nil
	}
	switch strings.TrimLeft(s, "+-") {
	case ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN":
		return nil, yamlErrorf(at, path, "%s is no number that JSON knows", s)
	}
	number, ok := number(s)
	if !ok {
		return appendText(nil, s, at, path)
	}
	if number == "" {
		return nil, yamlErrorf(at, path, "%s may be octal or decimal: write it without the leading zero, as 0o… or in quotes", shorten(s))
	}
	return []byte(number), nil
}

// number writes a YAML number as a JSON number, digit for digit. It is empty
// for a number with a leading zero, which YAML 1.1 and 1.2 read differently.
func number(s string) (string, bool) {
	for prefix, base := range map[string]int{"0o": 8, "0x": 16} {
		if digits, ok := strings.CutPrefix(s, prefix); ok && digits != "" && !strings.ContainsAny(digits, "+-_") {
			if n, ok := new(big.Int).SetString(digits, base); ok {
				return n.String(), true
			}
		}
	}
	sign, rest := "", s
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		sign, rest = strings.TrimPrefix(rest[:1], "+"), rest[1:]
	}
	whole, rest := digits(rest)
	fraction := ""
	if strings.HasPrefix(rest, ".") {
		fraction, rest = digits(rest[1:])
		if fraction == "" {
			fraction = "0"
			if whole == "" {
				return "", false
			}
		}
	}
	if whole == "" && fraction == "" {
		return "", false
	}
	exponent := ""
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		mark, after := "e", rest[1:]
		if after != "" && (after[0] == '-' || after[0] == '+') {
			mark, after = mark+after[:1], after[1:]
		}
		exponent, rest = digits(after)
		if exponent == "" {
			return "", false
		}
		exponent = mark + exponent
	}
	if rest != "" {
		return "", false
	}
	if len(whole) > 1 && whole[0] == '0' {
		return "", true
	}
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction + exponent, true
}

// digits cuts the leading decimal digits off s.
func digits(s string) (head, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

// show writes a value for a message: its JSON, or what kind it is when long.
func (d *yamlDoc) show(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	default:
		text, err := d.scalar(n, "")
		if err != nil {
			return shorten(n.GetToken().Value)
		}
		return shorten(string(text))
	}
}

// shorten keeps a message to one line.
func shorten(s string) string {
	const most = 60
	s = strings.ToValidUTF8(s, "\ufffd")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	if strings.ContainsAny(s, "\n\t") {
		return fmt.Sprintf("%q", s)
	}
	return s
}
