package params

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/protocol"
)

// decodeSource reads a params file or stdin into a tree: map[string]any, []any,
// string, bool, nil, int64, uint64, float64, and json.Number for a whole number
// that fits none of these.
func decodeSource(data []byte, name string) (map[string]any, error) {
	if len(data) > protocol.MaxParams {
		return nil, fmt.Errorf("%s: is %s, more than the %s that parameters may have", name, size(len(data)), size(protocol.MaxParams))
	}
	data, err := trimBOM(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%s: is empty, want a JSON or YAML object", name)
	}
	yaml := isYAML(name, data)
	if yaml {
		text, err := manifest.YAMLToJSON(data)
		if err != nil {
			return nil, yamlError(name, data, err)
		}
		data = text
		if string(data) == "null" { // comments alone
			return map[string]any{}, nil
		}
		if len(data) > protocol.MaxParams {
			return nil, fmt.Errorf("%s: is %s as JSON, more than the %s that parameters may have", name, size(len(data)), size(protocol.MaxParams))
		}
	}
	v, err := decodeJSON(data)
	if err != nil {
		var at *positionError
		if errors.As(err, &at) && !yaml {
			line, column := position(data, at.offset)
			return nil, fmt.Errorf("%s:%d:%d: %w", name, line, column, err)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: holds %s, want an object", name, describe(v, false))
	}
	return object, nil
}

// isYAML goes by the extension; without a telling one, what opens with a brace
// is JSON.
func isYAML(name string, data []byte) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
		return false
	case ".yml", ".yaml":
		return true
	}
	return !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
}

func trimBOM(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) {
		return nil, errors.New("is UTF-16, want UTF-8")
	}
	return bytes.TrimPrefix(data, []byte("\uFEFF")), nil
}

// yamlError words an error of the YAML reader without the text that it stumbled
// over, which may be a secret.
func yamlError(name string, data []byte, err error) error {
	var at *manifest.YAMLError
	if !errors.As(err, &at) {
		return fmt.Errorf("%s: cannot be read as YAML", name)
	}
	text, _, _ := strings.Cut(at.Msg, " (at ")
	if word := wordAt(data, at.Line, at.Column); !strings.HasPrefix(strings.TrimLeft(word, "+-"), ".") { // .nan may be shown
		if n := commonPrefix(word, text); n > 3 {
			text = "the value" + strings.TrimPrefix(text[n:], "…")
		}
	}
	if at.Path != "" {
		text = at.Path + ": " + text
	}
	if at.Line == 0 {
		return fmt.Errorf("%s: %s", name, text)
	}
	return fmt.Errorf("%s:%d:%d: %s", name, at.Line, at.Column, text)
}

// wordAt is the rest of a line from a column.
func wordAt(data []byte, line, column int) string {
	lines := strings.Split(string(data), "\n")
	if line < 1 || line > len(lines) || column < 1 || column > len(lines[line-1]) {
		return ""
	}
	return lines[line-1][column-1:]
}

func commonPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func size(n int) string { return humanize.Comma(int64(n)) + " bytes" }
