package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pagesHead stands above the pages of all components.
const pagesHead = `# Components

What each does, takes and gives, made from its schema by ` + "`make pages`" + `; ` + "`outrider describe NAME`" + ` shows the same. A secret is given as a reference, such as ` + "`--token env:SLACK_TOKEN`" + `.
`

// shipped is a component of a plugin of this repository.
type shipped struct {
	Name     string
	Source   string
	Examples []struct{ Doc string }
}

// shippedComponents are all but the tests' own and the examples'.
func shippedComponents(t *testing.T) (all []shipped) {
	t.Helper()
	code, out, errs := ended(t, newWorld(t).cmd("components", "--format", "json"))
	if code != 0 {
		t.Fatal(errs)
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(c shipped) bool {
		return !slices.Contains(shippedPlugins, strings.TrimPrefix(filepath.Base(c.Source), "outrider-plugin-"))
	})
}

// page is a component's, as `outrider describe` has it.
func page(t *testing.T, component string) string {
	t.Helper()
	code, out, errs := ended(t, newWorld(t).cmd("describe", "--format", "markdown", component))
	if code != 0 {
		t.Fatal(errs)
	}
	return out
}

// plugins are the names of all plugins of this repository; one that a user has made
// beside them is not in git.
func plugins(t *testing.T) (all []string) {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "plugins/*/main.go")
	cmd.Dir = root(t)
	mains, err := cmd.Output()
	if err != nil || len(mains) == 0 {
		t.Fatalf("git ls-files: %q, %v", mains, err)
	}
	for main := range strings.FieldsSeq(string(mains)) {
		all = append(all, filepath.Base(filepath.Dir(main)))
	}
	return all
}

// TestEveryPluginIsShipped keeps the list of plugins whole: all but script, whose
// components are a user's.
func TestEveryPluginIsShipped(t *testing.T) {
	for _, name := range plugins(t) {
		if name != "script" && !slices.Contains(shippedPlugins, name) {
			t.Errorf("plugins/%s has no page and no example that runs", name)
		}
	}
}

// TestPluginsAreSmall, whatever their libraries link, such as all services of
// shoutrrr's router.
func TestPluginsAreSmall(t *testing.T) {
	for _, name := range plugins(t) {
		path := filepath.Join(bin, "outrider-plugin-"+name)
		if !slices.Contains(shippedPlugins, name) {
			path = filepath.Join(t.TempDir(), "outrider-plugin-"+name)
			build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "urfave_cli_no_docs,grpcnotrace", "-o", path, module+"plugins/"+name)
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build plugins/%s: %v\n%s", name, err, out)
			}
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s has %d bytes", name, info.Size())
		if info.Size() > 25<<20 {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
	}
}

// TestComponentPages: plugins/README.md is what the schemas say, and every component
// shows an example. OUTRIDER_UPDATE_PAGES=1 writes it anew.
func TestComponentPages(t *testing.T) {
	want := bytes.NewBufferString(pagesHead)
	for _, c := range shippedComponents(t) {
		if len(c.Examples) == 0 {
			t.Errorf("%s has no example", c.Name)
		}
		want.WriteString("\n" + page(t, c.Name))
	}
	file := filepath.Join(root(t), "plugins", "README.md")
	if os.Getenv("OUTRIDER_UPDATE_PAGES") == "1" {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("plugins/README.md is not what the components say; write it with: make pages")
	}
}
