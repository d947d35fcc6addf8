package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// bin is the folder with outrider and the plugins that the job needs; empty when
// tests run on Go alone.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		os.Exit(m.Run())
	}
	code, err := withBinaries(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func withBinaries(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "etl")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for name, pkg := range map[string]string{"outrider": "runner/cmd/outrider", "outrider-plugin-script": "plugins/script", "outrider-plugin-etl": "examples/etl"} {
		cmd := exec.Command("go", "build", "-tags", "urfave_cli_no_docs,grpcnotrace", "-o", filepath.Join(dir, name), "github.com/outrider-run/outrider/"+pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	bin = dir
	return run(), nil
}

// component is the plugin that serves one component of the job.
func component(t *testing.T, name string) *sdktest.Binary {
	t.Helper()
	if bin == "" {
		t.Skip("needs python3")
	}
	manifest, err := filepath.Abs(name + ".component.yml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(manifest); err != nil {
		return &sdktest.Binary{Path: filepath.Join(bin, "outrider-plugin-etl")}
	}
	return &sdktest.Binary{Path: filepath.Join(bin, "outrider-plugin-script"), Args: []string{"--manifest", manifest}}
}

func write(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
