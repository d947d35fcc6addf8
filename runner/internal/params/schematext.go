package params

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"
)

// parseSchema reads a schema in one pass. The library's own reader takes several
// for every level, which costs a run more than its parameters do, rounds large
// numbers and forgets the order of properties.
func parseSchema(raw json.RawMessage) (*jsonschema.Schema, error) {
	d := newDecoder(raw)
	s := new(jsonschema.Schema)
	if err := d.schema(s); err != nil {
		return nil, err
	}
	return s, d.end()
}

func (d *decoder) schema(s *jsonschema.Schema) error {
	switch d.json.PeekKind() {
	case 't':
		return d.json.SkipValue()
	case 'f':
		s.Not = &jsonschema.Schema{}
		return d.json.SkipValue()
	case '{':
		return d.members(func(keyword string) error { return within(keyword, d.keyword(keyword, s)) })
	}
	return errors.New("want a schema, which is an object or a boolean")
}

func within(key string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", key, err)
	}
	return err
}

// keyword reads the value of one into where the library expects it. What judges
// nothing is passed over.
func (d *decoder) keyword(keyword string, s *jsonschema.Schema) error {
	if (keyword == formatMinimum || keyword == formatMaximum) && d.json.PeekKind() == '"' {
		var text string
		if err := scalar(d, &text); err != nil {
			return err
		}
		if s.Extra == nil {
			s.Extra = map[string]any{}
		}
		s.Extra[keyword] = text
		return nil
	}
	switch to := place(keyword, s, d.json.PeekKind() == '[').(type) {
	case *json.RawMessage:
		raw, err := d.json.ReadValue()
		*to = append(json.RawMessage(nil), raw...)
		return err
	case **any:
		*to = new(any)
		v, err := d.value()
		**to = plain(v)
		return err
	case *string:
		return scalar(d, to)
	case *bool:
		return scalar(d, to)
	case *[]any:
		err := scalar(d, to)
		*to, _ = plain(*to).([]any)
		return err
	case *[]string:
		return d.words(to)
	case **float64:
		return d.number(to)
	case **int:
		return d.count(to)
	case **jsonschema.Schema:
		*to = new(jsonschema.Schema)
		return d.schema(*to)
	case *[]*jsonschema.Schema:
		return d.items(func() error {
			*to = append(*to, new(jsonschema.Schema))
			return d.schema((*to)[len(*to)-1])
		})
	case *map[string]*jsonschema.Schema:
		*to = map[string]*jsonschema.Schema{}
		return d.members(func(key string) error {
			if to == &s.Properties {
				s.PropertyOrder = append(s.PropertyOrder, key)
			}
			(*to)[key] = new(jsonschema.Schema)
			return within(key, d.schema((*to)[key]))
		})
	case *map[string][]string:
		*to = map[string][]string{}
		return d.members(func(key string) error {
			var words []string
			err := d.words(&words)
			(*to)[key] = words
			return err
		})
	}
	return d.json.SkipValue()
}

// place is where the value of a keyword belongs; nil if it judges nothing.
func place(keyword string, s *jsonschema.Schema, list bool) any {
	switch keyword {
	case "$id":
		return &s.ID
	case "$schema":
		return &s.Schema
	case "$ref":
		return &s.Ref
	case "$dynamicRef":
		return &s.DynamicRef
	case "$defs":
		return &s.Defs
	case "definitions":
		return &s.Definitions
	case "description":
		return &s.Description
	case "format":
		return &s.Format
	case "default":
		return &s.Default
	case "type":
		if list {
			return &s.Types
		}
		return &s.Type
	case "enum":
		return &s.Enum
	case "const":
		return &s.Const
	case "multipleOf":
		return &s.MultipleOf
	case "minimum":
		return &s.Minimum
	case "maximum":
		return &s.Maximum
	case "exclusiveMinimum":
		return &s.ExclusiveMinimum
	case "exclusiveMaximum":
		return &s.ExclusiveMaximum
	case "minLength":
		return &s.MinLength
	case "maxLength":
		return &s.MaxLength
	case "pattern":
		return &s.Pattern
	case "prefixItems":
		return &s.PrefixItems
	case "items":
		return &s.Items
	case "contains":
		return &s.Contains
	case "unevaluatedItems":
		return &s.UnevaluatedItems
	case "minItems":
		return &s.MinItems
	case "maxItems":
		return &s.MaxItems
	case "minContains":
		return &s.MinContains
	case "maxContains":
		return &s.MaxContains
	case "uniqueItems":
		return &s.UniqueItems
	case "properties":
		return &s.Properties
	case "patternProperties":
		return &s.PatternProperties
	case "additionalProperties":
		return &s.AdditionalProperties
	case "unevaluatedProperties":
		return &s.UnevaluatedProperties
	case "propertyNames":
		return &s.PropertyNames
	case "required":
		return &s.Required
	case "minProperties":
		return &s.MinProperties
	case "maxProperties":
		return &s.MaxProperties
	case "dependentRequired":
		return &s.DependentRequired
	case "dependentSchemas":
		return &s.DependentSchemas
	case "allOf":
		return &s.AllOf
	case "anyOf":
		return &s.AnyOf
	case "oneOf":
		return &s.OneOf
	case "not":
		return &s.Not
	case "if":
		return &s.If
	case "then":
		return &s.Then
	case "else":
		return &s.Else
	}
	return nil
}

// scalar reads a value that must be a T.
func scalar[T any](d *decoder, to *T) error {
	v, err := d.value()
	if err != nil {
		return err
	}
	t, ok := v.(T)
	if !ok {
		return fmt.Errorf("got %s, want %s", describe(v, false), typeOf(any(*to)))
	}
	*to = t
	return nil
}

func (d *decoder) words(to *[]string) error {
	*to = []string{}
	return d.items(func() error {
		var word string
		err := scalar(d, &word)
		*to = append(*to, word)
		return err
	})
}

func (d *decoder) number(to **float64) error {
	v, err := d.value()
	if err != nil {
		return err
	}
	f, ok := plainNumber(v)
	if !ok {
		return fmt.Errorf("got %s, want number", describe(v, false))
	}
	*to = &f
	return nil
}

func (d *decoder) count(to **int) error {
	v, err := d.value()
	if err != nil {
		return err
	}
	f, ok := plainNumber(v)
	if n := int(f); ok && n >= 0 && float64(n) == f {
		*to = &n
		return nil
	}
	return fmt.Errorf("got %s, want a whole number from 0", describe(v, false))
}

func plainNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}
