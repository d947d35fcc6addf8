package rest

import (
	"encoding/json"
	"errors"
	"strings"
)

// Endpoints is one URL, or a list of servers on one database, as a parameter.
type Endpoints []string

// UnmarshalJSON takes a string, which may hold several with spaces or commas between,
// or a list of strings.
func (e *Endpoints) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*e = SplitEndpoints(one)
		return nil
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		return errors.New("want a URL, or a list of URLs")
	}
	*e = list
	return nil
}

// SplitEndpoints reads URLs with spaces or commas between.
func SplitEndpoints(urls string) Endpoints {
	return strings.FieldsFunc(urls, func(r rune) bool { return strings.ContainsRune(", \t\n", r) })
}
