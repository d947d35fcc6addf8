package dig

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a real Digdag knows and the double does not must be refused by name: a
// test that quietly ran something else would prove nothing.
func TestWhatIsNotInTheDoubleIsRefusedByName(t *testing.T) {
	for text, want := range map[string]string{
		"+a: {td>: x.sql}":                         "+w+a: the operator td> is not in the double",
		"+g: {+a: {td>: q.sql}}":                   "+w+g+a: the operator td> is not in the double",
		"+a: {_type: redshift}":                    "the operator redshift> is not in the double",
		"_error: {mail>: x}\n+a: {echo>: x}":       "+w^error: the operator mail> is not in the double",
		"+a: {sh>: x, ecs: {cluster: y}}":          "+w+a: the directive ecs is not in the double",
		"+a: {loop>: 2, _do: {+b: {mail>: x}}}":    "+w+a^sub+b: the operator mail> is not in the double",
		"+g: {_secrets: {a: b}, +a: {echo>: x}}":   "+w+g: the directive _secrets is not in the double",
		"+a: {sh>: 'x ${secret:k}'}":               "+w+a: sh>: secrets are not in the double",
		"+a:\n  !include : 'b.dig'":                "!include",
		"+a: &x {echo>: x}\n+b:\n  <<: *x":         "line 3: the merge key << is not in the double",
		"+a: {echo>: !!binary aGk=}":               "the tag !!binary is not in the double",
		"+a: {echo>: .inf}":                        ".inf is not in the double",
		"timezone: Nowhere/Land\n+a: {echo>: x}":   "timezone: unknown time zone Nowhere/Land",
		"+a: {sh>: x, _disable: perhaps}":          "+w+a: _disable: expected true or false",
		"_parallel: {limit: many}\n+a: {echo>: x}": "_parallel: expected a whole number",
		"- a list":                            "expected object",
		"+a: 3":                               "+w+a must be an object",
		"_export: 3\n+a: {echo>: x}":          "_export must be an object",
		"+a: {echo>: x}\n---\n+b: {echo>: y}": "one YAML document",
		"+a: {echo>: *nowhere}":               `no anchor "nowhere"`,
	} {
		_, err := Load("w", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestAnchorsAreKnown(t *testing.T) {
	d, err := Load("w", []byte("_export: &e {k: [1]}\n+a: {echo>: x, same: *e}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Config.Object("+a").Object("same").Get("k"); got == nil {
		t.Errorf("the alias is lost: %v", d.Config)
	}
}

func TestExtractStaysInItsFolder(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "in")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*tar.Header{
		{Name: "../out", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "pipe", Typeflag: tar.TypeFifo, Mode: 0o644},
	} {
		if err := Extract(archive(t, h), inside); err == nil {
			t.Errorf("%s went through", h.Name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("a file was written outside of the folder")
	}
	if err := Extract(archive(t, &tar.Header{Name: "./deep/x.sh", Typeflag: tar.TypeReg, Mode: 0o751}), inside); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(inside, "deep", "x.sh"))
	if err != nil || info.Mode() != 0o751 {
		t.Errorf("%v, %v", info, err)
	}
}

func archive(t *testing.T, h *tar.Header) []byte {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}
