package interp

import (
	"strings"
	"testing"
)

func TestParseAndAccept(t *testing.T) {
	for _, tt := range []struct {
		requirement, version string
		want                 bool
	}{
		{"python>=3.11", "Python 3.11.0", true},
		{"python>=3.11", "Python 3.9.18", false}, // not compared as text
		{"python >= 3.11, < 3.13", "Python 3.12.7", true},
		{"python>=3.11,<3.13", "Python 3.13.0", false},
		{"python 3.11", "Python 3.11.9", true},
		{"python 3.11", "Python 3.12.0", false},
		{"python@3.11", "Python 3.11.2", true},
		{"python~3.11", "Python 3.12.0", false},
		{"python>=3.14", "Python 3.14.0rc1", true},
		{"python<3.14", "Python 3.14.0rc1", false},
		{"node^20", "v20.20.2", true},
		{"node^20", "v22.0.0", false},
		{"node 18.x || >=20", "v19.0.0", false},
		{"node 18.x || >=20", "v22.3.1-nightly", true},
		{"ruby>=3.1", "ruby 3.3.8 (2025-04-09 revision b200bad6cd) [x86_64-linux-gnu]", true},
		{"bash>=5", "GNU bash, version 5.2.37(1)-release (x86_64-pc-linux-gnu)", true},
		{"perl>=5.30", "\nThis is perl 5, version 40, subversion 1 (v5.40.1) built for x86_64", true},
		{"Rscript>=4", "Rscript (R) version 4.4.1 (2024-06-14)", true},
	} {
		r, err := Parse(tt.requirement)
		if err != nil {
			t.Errorf("%s: %v", tt.requirement, err)
			continue
		}
		v := parseVersion(tt.version)
		if v == nil {
			t.Errorf("%q: no version read", tt.version)
			continue
		}
		if err := r.accepts(v); (err == nil) != tt.want {
			t.Errorf("%s accepts %s: %v, want %v", r, v, err, tt.want)
		}
	}
}

func TestParseRefusesWithAnExample(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "has no name",
		" >=3":             "has no name",
		"python>=three":    `version constraint ">=three" is not understood`,
		"python=>3.11,":    "is not understood",
		"/usr/bin/python3": "is a path",
	} {
		_, err := Parse(in)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ">=3.11") {
			t.Errorf("%q: got %v, want %q and an example", in, err, want)
		}
	}
}

func TestFamily(t *testing.T) {
	for in, want := range map[string]string{"python3.11": "python", "python": "python", "nodejs": "node", "sh": "sh", "7": "7"} {
		if r, err := Parse(in); err != nil || r.Family() != want {
			t.Errorf("%s: family %s, %v; want %s", in, r.Family(), err, want)
		}
	}
}

func TestTextWithoutAVersion(t *testing.T) {
	for _, in := range []string{"", "Illegal option --", "3", "99999999999999999999999.1"} {
		if v := parseVersion(in); v != nil {
			t.Errorf("%q: read %s", in, v)
		}
	}
}
