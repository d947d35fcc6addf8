package digdagtest

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFind: a real server comes first, from where it is said to be, and the double
// only where there is none and none is asked for.
func TestFind(t *testing.T) {
	bin := t.TempDir()
	put := func(dir, name string) string {
		t.Helper()
		path := filepath.Join(bin, dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	java, script := filepath.Dir(put("java", "java")), put("script", "digdag")
	jar := put("jar", "digdag")
	f, err := os.Create(jar)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	if _, err := z.Create("x.class"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	opened := java + "/java --add-opens java.base/java.lang=ALL-UNNAMED --add-opens java.base/java.time=ALL-UNNAMED -Xmx512m "
	const real, double = "Digdag tests run on a real server (", "Digdag tests run on the double ("
	for name, c := range map[string]struct {
		want, classpath, jar string
		path                 []string
		says, argv, err      string
	}{
		"nothing":                 {says: double + "no real server found)"},
		"nothing, but wanted":     {want: "real", err: "no real Digdag server: set DIGDAG_CLASSPATH or DIGDAG_JAR, or put digdag on PATH"},
		"classpath":               {classpath: "a:b", path: []string{java}, says: real + "DIGDAG_CLASSPATH)", argv: opened + "-cp a:b io.digdag.cli.Main"},
		"jar":                     {want: "real", jar: "/d.jar", path: []string{java}, says: real + "DIGDAG_JAR)", argv: opened + "-jar /d.jar"},
		"both":                    {classpath: "a", jar: "/d.jar", path: []string{java}, says: real + "DIGDAG_CLASSPATH)", argv: opened + "-cp a io.digdag.cli.Main"},
		"no java":                 {jar: "/d.jar", err: "DIGDAG_JAR is there, but no java"},
		"a script on PATH":        {path: []string{filepath.Dir(script)}, says: real + script + ")", argv: script},
		"the release on PATH":     {path: []string{filepath.Dir(jar), java}, says: real + jar + ")", argv: opened + "-jar " + jar},
		"the double, though real": {want: "double", classpath: "a", path: []string{java}, says: double + "as OUTRIDER_TEST_DIGDAG says)"},
		"what is that":            {want: "maybe", err: `must be real, double or unset, not "maybe"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OUTRIDER_TEST_DIGDAG", c.want)
			t.Setenv("DIGDAG_CLASSPATH", c.classpath)
			t.Setenv("DIGDAG_JAR", c.jar)
			t.Setenv("PATH", strings.Join(c.path, string(os.PathListSeparator)))
			kind, err := Find()
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want %s", err, c.err)
				}
				return
			}
			if err != nil || kind.String() != c.says || strings.Join(kind.argv, " ") != c.argv {
				t.Errorf("%s: %q, %v\nwant %s: %q", kind, kind.argv, err, c.says, c.argv)
			}
		})
	}
}
