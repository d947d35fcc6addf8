package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompletionInRealShells asks each shell what it would offer.
func TestCompletionInRealShells(t *testing.T) {
	w := newWorld(t)
	for shell, script := range map[string]string{
		"bash": `source <(outrider completion bash)
			ask() { COMP_WORDS=(outrider "$@"); COMP_CWORD=$#; _outrider; printf '%s\n' "${COMPREPLY[@]}"; }
			ask run hel; ask run hello.greet --na; ask run probe.end --kind perm`,
		"zsh": `compdef() { : }
			source <(outrider completion zsh)
			compadd() { print -rl -- ${(P)2} }
			ask() { words=(outrider "$@"); CURRENT=$#words; _outrider; }
			ask run hel; ask run hello.greet --na; ask run probe.end --kind perm`,
		"fish": `outrider completion fish | source
			complete -C 'outrider run hel'
			complete -C 'outrider run hello.greet --na'
			complete -C 'outrider run probe.end --kind perm'`,
	} {
		t.Run(shell, func(t *testing.T) {
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Fatalf("%s is missing (make deps installs it): %v", shell, err)
			}
			cmd := exec.Command(program, "-c", script)
			for _, kv := range w.env() {
				if path, ok := strings.CutPrefix(kv, "PATH="); ok {
					kv = "PATH=" + bin + string(filepath.ListSeparator) + path
				}
				cmd.Env = append(cmd.Env, kv)
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got, want := strings.TrimSpace(string(out)), "hello.greet\n--name\npermanent"; got != want {
				t.Errorf("offered:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
