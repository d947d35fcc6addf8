package scaffold

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func checkout(t *testing.T) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root := Checkout(wd)
	if root == "" {
		t.Fatal("the test stands in no checkout")
	}
	return root
}

// TestNewPluginBuildsAndConforms makes a module of its own, offline.
func TestNewPluginBuildsAndConforms(t *testing.T) {
	dir := t.TempDir()
	w, err := New(Plugin{Name: "weather", Dir: dir, SDK: checkout(t)})
	if err != nil {
		t.Fatal(err)
	}
	if !w.OwnModule || !slices.Equal(w.Files, []string{"main.go", "main_test.go", "go.mod", "go.sum"}) {
		t.Fatalf("wrote %+v", w)
	}
	for _, args := range [][]string{{"build", "./..."}, {"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = w.Dir
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
	}
}

func TestNewPluginInSomebodysModuleAddsNone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.org/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sub := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := New(Plugin{Name: "weather", Dir: sub})
	if err != nil || w.OwnModule || w.InOutrider || w.Dir != filepath.Join(sub, "outrider-plugin-weather") {
		t.Fatalf("wrote %+v, %v", w, err)
	}
}

func TestNewPluginOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "outrider-plugin-weather")
	if err := os.Mkdir(taken, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := New(Plugin{Name: "weather", Dir: dir, Version: "v1.0.0"})
	if err == nil || !strings.Contains(err.Error(), taken+" is there already") {
		t.Fatalf("error %v", err)
	}
	if left, _ := os.ReadDir(taken); len(left) != 0 {
		t.Fatalf("wrote %v", left)
	}
}

func TestNewPluginRefusesBadNames(t *testing.T) {
	for _, name := range []string{"", "Weather", "a-b", "a.b", "../x", "1a", "a b", "ä"} {
		if _, err := New(Plugin{Name: name, Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "plugin name") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}
