package cli

import (
	"fmt"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/params"
)

func (a *app) completion() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for bash, zsh or fish",
		ArgsUsage: "bash | zsh | fish",
		Description: "  bash:  source <(outrider completion bash)\n" +
			"  zsh:   source <(outrider completion zsh)\n" +
			"  fish:  outrider completion fish | source",
		Action: func(c *cli.Context) error {
			got, err := term.Args(c, 1, 1, "the shell (bash, zsh or fish)")
			if err != nil {
				return err
			}
			script, ok := completionScripts()[got[0]]
			if !ok {
				return term.Usage("no completion for %q: want bash, zsh or fish", got[0])
			}
			_, err = fmt.Fprint(a.Out, script)
			return term.Undeliverable(err)
		},
	}
}

// completionScripts ask `outrider __complete WORDS…` for one candidate a line, the
// last word being the one under the cursor. No candidates: complete file names.
func completionScripts() map[string]string {
	return map[string]string{
		"bash": `_outrider() {
  local IFS=$'\n' words
  COMPREPLY=()
  words=("${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=($("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null))
}
complete -o default -F _outrider outrider
`,
		"zsh": `#compdef outrider
_outrider() {
  local -a found
  found=("${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "${found[1]}" ]]; then compadd -a found; else _files; fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _outrider outrider
`,
		"fish": `function __outrider_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] __complete $words[2..-1] 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c outrider -f -a '(__outrider_complete)'
`,
	}
}

// complete answers the completion scripts. It never fails: a completion that
// prints errors is worse than none.
func (a *app) complete() *cli.Command {
	return &cli.Command{
		Name: "__complete", Hidden: true, SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			words := c.Args().Slice()
			if len(words) == 0 {
				words = []string{""}
			}
			cur := words[len(words)-1]
			for _, s := range a.candidates(c, words[:len(words)-1], cur) {
				if strings.HasPrefix(s, cur) {
					fmt.Fprintln(a.Out, s)
				}
			}
			return nil
		},
	}
}

// candidates returns what may stand where cur is, after words.
func (a *app) candidates(c *cli.Context, words []string, cur string) []string {
	root := c.App
	if len(words) == 0 {
		var names []string
		for _, cmd := range root.Commands {
			if !internal(cmd) {
				names = append(names, cmd.Name)
			}
		}
		return names
	}
	cmd := root.Command(words[0])
	if cmd == nil {
		return nil
	}
	words = words[1:]
	if len(cmd.Subcommands) > 0 && len(words) > 0 {
		if sub := cmd.Command(words[0]); sub != nil {
			cmd, words = sub, words[1:]
		}
	}
	flags := flagKinds(cmd)
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		name, _, valued := strings.Cut(strings.TrimLeft(words[0], "-"), "=")
		takes := flags[name] && !valued
		words = words[1:]
		if takes && len(words) == 0 {
			return hostValues()[name]
		}
		if takes {
			words = words[1:]
		}
	}
	if len(words) == 0 && strings.HasPrefix(cur, "-") {
		return dashed(flags)
	}
	switch cmd.Name {
	case "run":
		if len(words) == 0 {
			return a.componentNames(c)
		}
		return a.componentWords(c, words, cur)
	case "describe":
		return a.componentNames(c)
	case "help":
		return append(a.candidates(c, nil, cur), "all")
	case "completion":
		return []string{"bash", "zsh", "fish"}
	}
	var subs []string
	for _, s := range cmd.Subcommands {
		subs = append(subs, s.Name)
	}
	return subs
}

// flagKinds maps a command's flags to whether each takes a value.
func flagKinds(cmd *cli.Command) map[string]bool {
	kinds := map[string]bool{"help": false}
	for _, f := range cmd.Flags {
		_, isBool := f.(*cli.BoolFlag)
		for _, n := range f.Names() {
			kinds[n] = !isBool
		}
	}
	return kinds
}

func dashed(flags map[string]bool) []string {
	var out []string
	for n := range flags {
		out = append(out, "--"+n)
	}
	return out
}

func hostValues() map[string][]string {
	var states []string
	for _, s := range allStates() {
		states = append(states, string(s))
	}
	return map[string][]string{
		"log-format": {"text", "json"},
		"log-level":  {"trace", "debug", "info", "warn", "error"},
		"format":     {"text", "table", "json", "ndjson", "csv"},
		"state":      states,
	}
}

func (a *app) componentNames(c *cli.Context) []string {
	o, err := a.open(setup{})
	if err != nil {
		return nil
	}
	entries, _ := o.catalog.List(c.Context)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Component.Name
	}
	return names
}

// componentWords completes the flags of the component words[0] and their values.
func (a *app) componentWords(c *cli.Context, words []string, cur string) []string {
	o, err := a.open(setup{})
	if err != nil {
		return nil
	}
	e, err := o.catalog.Find(c.Context, words[0])
	if err != nil {
		return nil
	}
	specs, err := params.FlagsOf(e.Component.Params)
	if err != nil {
		return nil
	}
	last := words[len(words)-1]
	for _, s := range specs {
		if last == "--"+s.Flag || last == "--"+s.Name {
			if !s.Bool {
				return s.Enum
			}
		}
	}
	if !strings.HasPrefix(cur, "-") {
		return nil
	}
	out := []string{"--help"}
	for _, s := range specs {
		out = append(out, "--"+s.Flag)
	}
	return out
}
