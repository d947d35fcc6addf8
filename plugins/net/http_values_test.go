package main

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// The examples of RFC 6901, 5, and what it forbids.
func TestLookUpIsRFC6901(t *testing.T) {
	doc, err := parseJSON([]byte(`{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8, "01": 9, "no": null}`))
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]string{
		"/foo": `["bar","baz"]`, "/foo/0": `"bar"`, "/": "0", "/a~1b": "1", "/c%d": "2", "/e^f": "3",
		"/g|h": "4", `/i\j`: "5", `/k"l`: "6", "/ ": "7", "/m~0n": "8", "/01": "9", "/no": "null",
	} {
		v, err := lookUp(doc, jsontext.Pointer(pointer))
		if got, _ := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", pointer, got, err, want)
		}
	}
	if v, err := lookUp(doc, ""); err != nil || !reflect.DeepEqual(v, doc) {
		t.Errorf("the empty pointer: %v, %v", v, err)
	}
	for _, pointer := range []string{"/none", "/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/-0", "/foo/", "/foo/4294967296", "/foo/bar", "/no/a", "//a"} {
		if v, err := lookUp(doc, jsontext.Pointer(pointer)); err == nil {
			t.Errorf("%s leads to %v", pointer, v)
		}
	}
}

// FuzzValues: whatever the text and the pointer, a value that is found is the one
// that the pointer's names lead to, one by one.
func FuzzValues(f *testing.F) {
	f.Add(`{"foo": ["bar", {"a/b": 1}]}`, "/foo/1/a~1b")
	f.Add(`[[], {"": null}]`, "/1/")
	f.Add(`{"a":1} x`, "")
	f.Add(`{"~1": 1e999}`, "/~01")
	f.Fuzz(func(t *testing.T, text, pointer string) {
		if !jsontext.Pointer(pointer).IsValid() {
			return
		}
		got, err := values([]byte(text), map[string]string{"v": pointer})
		if err != nil {
			return
		}
		tree, err := parseJSON([]byte(text))
		if err != nil {
			t.Fatalf("%q is JSON only the first time: %v", text, err)
		}
		if pointer != "" {
			for token := range strings.SplitSeq(pointer[1:], "/") {
				token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
				if list, ok := tree.([]any); ok {
					i, err := strconv.Atoi(token)
					if err != nil {
						t.Fatalf("%q finds %s by %q", pointer, got["v"], token)
					}
					tree = list[i]
				} else {
					tree = tree.(map[string]any)[token]
				}
			}
		}
		if want, _ := json.Marshal(tree); string(want) != string(got["v"]) {
			t.Errorf("%q in %q is %s, want %s", pointer, text, got["v"], want)
		}
	})
}
