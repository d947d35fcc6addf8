package digdagtest

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Kind is which Digdag a test runs on: its command line up to `server`.
type Kind struct {
	Real   bool
	Origin string   // where it comes from, for people
	argv   []string // empty for the double, which is built when needed
}

// String is the line that says on what the tests ran.
func (k Kind) String() string {
	if k.Real {
		return "Digdag tests run on a real server (" + k.Origin + ")"
	}
	return "Digdag tests run on the double (" + k.Origin + ")"
}

// Find says which Digdag there is, from the environment alone.
func Find() (Kind, error) {
	want := os.Getenv("OUTRIDER_TEST_DIGDAG")
	if want == "double" {
		return Kind{Origin: "as OUTRIDER_TEST_DIGDAG says"}, nil
	}
	if want != "" && want != "real" {
		return Kind{}, fmt.Errorf("OUTRIDER_TEST_DIGDAG must be real, double or unset, not %q", want)
	}
	k, err := findReal()
	if err == nil && !k.Real && want == "real" {
		err = errors.New("no real Digdag server: set DIGDAG_CLASSPATH or DIGDAG_JAR, or put digdag on PATH")
	}
	return k, err
}

func findReal() (Kind, error) {
	if cp := os.Getenv("DIGDAG_CLASSPATH"); cp != "" {
		return javaKind("DIGDAG_CLASSPATH", "-cp", cp, "io.digdag.cli.Main")
	}
	if jar := os.Getenv("DIGDAG_JAR"); jar != "" {
		return javaKind("DIGDAG_JAR", "-jar", jar)
	}
	path, err := exec.LookPath("digdag")
	if err != nil {
		return Kind{Origin: "no real server found"}, nil
	}
	if path, err = filepath.Abs(path); err != nil {
		return Kind{}, err
	}
	// The release is a jar behind a shell script that passes flags which Java 13
	// and later refuse: leave the script out.
	if z, err := zip.OpenReader(path); err == nil {
		if err := z.Close(); err != nil {
			return Kind{}, err
		}
		return javaKind(path, "-jar", path)
	}
	return Kind{Real: true, Origin: path, argv: []string{path}}, nil
}

// javaKind is the command line that a server needs on Java 17 and later:
// without the first open it does not start, without the second it does not
// understand durations.
func javaKind(origin string, args ...string) (Kind, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return Kind{}, fmt.Errorf("%s is there, but no java: %w", origin, err)
	}
	argv := []string{java, "--add-opens", "java.base/java.lang=ALL-UNNAMED", "--add-opens", "java.base/java.time=ALL-UNNAMED", "-Xmx512m"}
	return Kind{Real: true, Origin: origin, argv: append(argv, args...)}, nil
}
