package web

import "testing"

func FuzzParseStatuses(f *testing.F) {
	for _, s := range []string{"2xx", "200,404", "200-299, 5XX", "", "-", "xx", "99999999999-2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseStatuses(text)
		if (err == nil) != (len(s) > 0) {
			t.Errorf("%q: %v, %v", text, s, err)
		}
		for _, r := range s {
			if r[0] < 100 || r[1] > 999 || r[0] > r[1] || !s.Has(r[0]) || !s.Has(r[1]) {
				t.Errorf("%q: %v", text, s)
			}
		}
	})
}
