package client

import (
	"cmp"
	"fmt"
	"strings"
)

// ID is a number that Digdag gives out, in decimal. The server writes it as a
// string and takes a string or a number; "" stands for null. Ids of one kind grow,
// but for a server that forgot all (in memory), which begins again at 1.
type ID string

// Valid reports whether it is a number in decimal, and so may be in a request.
func (id ID) Valid() bool {
	return id != "" && len(id) <= 19 && strings.Trim(string(id), "0123456789") == ""
}

// Compare orders ids as the numbers that they are: 9 comes before 10.
func (id ID) Compare(other ID) int {
	a, b := strings.TrimLeft(string(id), "0"), strings.TrimLeft(string(other), "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// UnmarshalJSON takes a string or a number of digits, and null for "".
func (id *ID) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text == "null" {
		*id = ""
		return nil
	}
	if len(text) > 1 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	if !ID(text).Valid() {
		return fmt.Errorf("%.40s is no id", data)
	}
	*id = ID(text)
	return nil
}
