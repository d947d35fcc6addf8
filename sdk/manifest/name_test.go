package manifest

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{"hello.greet", "a.b", "a1.b2", "s3_copy.all_of_it", "a.b.c"} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", ".", "hello", "hello.", ".greet", "a..b", "Hello.greet", "a.B", "1a.b", "a.1b", "_a.b", "a_.b", "a__b.c", "a.b_",
		"a b.c", "a-b.c", "ä.b", "a.b\n", strings.Repeat("a", 60) + "." + strings.Repeat("b", 60),
	} {
		if CheckName(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
