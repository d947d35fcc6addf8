package e2e

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// step is a command of the README and what it prints on stdout.
type step struct{ command, want string }

// steps reads the ```console blocks: "$ " begins a command, the rest is stdout.
func steps(readme string) []step {
	var all []step
	inside := false
	for line := range strings.Lines(readme) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```console"
		case !inside:
		case strings.HasPrefix(line, "$ "):
			all = append(all, step{command: strings.TrimSpace(line[2:])})
		default:
			all[len(all)-1].want += line
		}
	}
	return all
}

// TestReadme runs every command of the README, in its order, in a copy of the
// repository, and compares stdout where the README shows it.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := steps(string(text))
	if len(all) < 5 {
		t.Fatalf("only %d commands found", len(all))
	}
	w := newWorld(t)
	repo := filepath.Join(w.home, "outrider")
	copyRepository(t, repo)
	env := append(w.env(), "GOCACHE="+goenv(t, "GOCACHE"), "GOMODCACHE="+goenv(t, "GOMODCACHE"), "GOFLAGS=-buildvcs=false")
	for _, s := range all {
		cmd := exec.Command("bash", "-c", s.command)
		cmd.Dir, cmd.Env = repo, env
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("$ %s\n%v\n%s%s", s.command, err, out.String(), errs.String())
		}
		if s.want != "" && out.String() != s.want {
			t.Errorf("$ %s\nprinted:\n%sthe README says:\n%s", s.command, out.String(), s.want)
		}
	}
	checkBuilt(t, filepath.Join(repo, "bin"))
}

// checkBuilt looks at what the README's `make build` made: every binary that is
// promised, none of them linked dynamically.
func checkBuilt(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"outrider", "outrider-guard", "outrider-plugin-hello", "outrider-plugin-script", "outrider-plugin-weather"} {
		f, err := elf.Open(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s is linked dynamically", name)
			}
		}
		_ = f.Close()
	}
}

// TestReadmeNamesTheTestCommand keeps .ci/run and the README together.
func TestReadmeNamesTheTestCommand(t *testing.T) {
	for file, want := range map[string]string{"README.md": "```sh\nmake test\n```", ".ci/run": "\nmake test\n"} {
		text, err := os.ReadFile(filepath.Join(root(t), file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not hold %q", file, want)
		}
	}
}

func copyRepository(t *testing.T, to string) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c",
		`git ls-files -z --cached --others --exclude-standard --deduplicate | while IFS= read -r -d '' f; do [ -e "$f" ] && printf '%s\0' "$f"; done | tar -c --null -T - | tar -x -C "$0"`, to)
	cmd.Dir = root(t)
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy the repository: %v\n%s", err, out)
	}
}

func goenv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
