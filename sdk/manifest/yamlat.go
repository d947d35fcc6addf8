package manifest

import "github.com/go-json-experiment/json/jsontext"

// YAMLErrorAt says what is wrong with the value to which a JSON pointer leads in a
// document that DecodeYAML has taken: where it stands, what it is, and why. What the
// document does not have is told at the mapping or list that lacks it.
func YAMLErrorAt(data []byte, pointer, why string) *YAMLError {
	doc, err := parseYAML(data)
	if err != nil || doc == nil {
		return &YAMLError{Msg: why}
	}
	doc.intKeys = true
	p := jsontext.Pointer(pointer)
	place := doc.locate(p)
	if around := doc.locate(p.Parent()); p != "" && around.path == place.path {
		return yamlErrorf(around.key, join(around.path, p.LastToken()), "missing: %s", why)
	}
	return yamlErrorf(place.value, place.path, "%s: %s", doc.show(place.node), why)
}
