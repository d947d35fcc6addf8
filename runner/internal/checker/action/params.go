package action

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
)

// fill fills in the templates of a step's params.
func (s Step) fill(data Data) ([]byte, error) {
	var tree any
	if err := decode(s.Params, &tree); err != nil {
		return nil, fmt.Errorf("read the params: %w", err)
	}
	filled, err := eachText(tree, "/params", func(at, text string) (string, error) {
		t, err := parse(text)
		if err != nil {
			return "", fmt.Errorf("%s: %w", at, err)
		}
		var out strings.Builder
		if err := t.Execute(&out, data); err != nil {
			return "", fmt.Errorf("%s: %w", at, err)
		}
		return out.String(), nil
	})
	if err != nil {
		return nil, fmt.Errorf("fill in the params: %w", err)
	}
	return json.Marshal(filled)
}

// Check finds what is wrong with the templates of a step before there is an alert: what is
// no template, and fields that no alert has. At is the JSON pointer to the text that is
// wrong, from the step on.
func (s Step) Check() (at string, err error) {
	var tree any
	if err := decode(s.Params, &tree); err != nil {
		return "/params", err
	}
	_, err = eachText(tree, "/params", func(here, text string) (string, error) {
		at = here
		t, err := parse(text)
		if err != nil {
			return "", err
		}
		// With no alert in it most templates fail in some other way.
		err = t.Execute(new(strings.Builder), Data{})
		if err != nil && strings.Contains(err.Error(), "can't evaluate field") {
			return "", err
		}
		return text, nil
	})
	return at, err
}

func parse(text string) (*template.Template, error) {
	return template.New("template").Option("missingkey=error").Parse(text)
}

// eachText is v with each text that holds a template replaced by what do makes of it; at
// is the JSON pointer to it.
func eachText(v any, at string, do func(at, text string) (string, error)) (_ any, err error) {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "{{") {
			return do(at, v)
		}
	case []any:
		for i := range v {
			if v[i], err = eachText(v[i], fmt.Sprintf("%s/%d", at, i), do); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = eachText(v[key], at+"/"+pointer.Replace(key), do); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// decode reads JSON with its numbers as they are written: as a float a long id would be
// another.
func decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}
