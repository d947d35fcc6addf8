package params

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ParseArgs reads the component flags that stand after the component's name.
// help is true if --help or -h is among them; then nothing else counts. Values are
// taken as they are, commas included. Every mistake is reported at once, as
// *Problems.
func ParseArgs(raw json.RawMessage, args []string) (flags []Flag, help bool, err error) {
	before := args
	if i := slices.Index(args, "--"); i >= 0 {
		before = args[:i]
	}
	if slices.Contains(before, "--help") || slices.Contains(before, "-h") {
		return nil, true, nil
	}
	s, err := compile(raw)
	if err != nil {
		return nil, false, err
	}
	p := argParser{specs: s.flags(), args: args}
	p.run()
	if err := p.problems.err(); err != nil {
		return nil, false, err
	}
	return p.flags, false, nil
}

type argParser struct {
	specs    []FlagSpec
	args     []string
	flags    []Flag
	problems Problems
}

func (p *argParser) run() {
	for len(p.args) > 0 {
		arg := p.args[0]
		p.args = p.args[1:]
		switch name, dashes := strings.CutPrefix(arg, "--"); {
		case arg == "--":
			for _, rest := range p.args {
				p.leftover(rest)
			}
			return
		case dashes:
			p.flag(name)
		case len(arg) > 1 && arg[0] == '-':
			name, _, _ := strings.Cut(arg[1:], "=")
			p.add("unknown flag -%s%s", name, p.hint(name))
		default:
			p.leftover(arg)
		}
	}
}

func (p *argParser) flag(arg string) {
	name, value, hasValue := strings.Cut(arg, "=")
	spec, known := p.find(name)
	if !known {
		if positive, ok := strings.CutPrefix(name, "no-"); ok {
			if spec, known = p.find(positive); known && spec.Bool {
				if hasValue {
					p.add("--%s takes no value", name)
				}
				p.flags = append(p.flags, Flag{spec.Name, "false"})
				return
			}
		}
		p.add("unknown flag --%s%s", name, p.hint(name))
		if !hasValue {
			p.skipValue()
		}
		return
	}
	switch {
	case hasValue:
	case spec.Bool:
		value = "true"
	case len(p.args) == 0 || p.isFlag(p.args[0]):
		p.add("--%s needs a value", name)
		return
	default:
		value, p.args = p.args[0], p.args[1:]
	}
	p.flags = append(p.flags, Flag{spec.Name, value})
}

// skipValue passes over what is probably the value of an unknown flag, so that it
// is not called a leftover too.
func (p *argParser) skipValue() {
	if len(p.args) > 0 && !strings.HasPrefix(p.args[0], "-") {
		p.args = p.args[1:]
	}
}

// isFlag keeps a known flag from being swallowed as a value; --x=--y passes it on
// purpose. Other text may begin with dashes.
func (p *argParser) isFlag(arg string) bool {
	name, ok := strings.CutPrefix(arg, "--")
	if !ok {
		return false
	}
	name, _, _ = strings.Cut(name, "=")
	if name == "" {
		return true
	}
	spec, known := p.find(strings.TrimPrefix(name, "no-"))
	if known && strings.HasPrefix(name, "no-") {
		known = spec.Bool
	}
	if !known {
		_, known = p.find(name)
	}
	return known
}

// find takes the exact name first, then the spelling with dashes.
func (p *argParser) find(name string) (FlagSpec, bool) {
	i := slices.IndexFunc(p.specs, func(s FlagSpec) bool { return s.Name == name })
	if i < 0 {
		i = slices.IndexFunc(p.specs, func(s FlagSpec) bool { return s.Flag == name })
	}
	if i < 0 {
		return FlagSpec{}, false
	}
	return p.specs[i], true
}

func (p *argParser) hint(name string) string {
	var names []string
	for _, s := range p.specs {
		names = append(names, "--"+s.Flag)
	}
	if hint := didYouMean("--"+name, names); hint != "" {
		return hint
	}
	return "; see --help, and flags of outrider itself go before the component's name"
}

// leftover does not show what stands behind an equals sign: it may be a secret.
func (p *argParser) leftover(arg string) {
	name, _, assigns := strings.Cut(arg, "=")
	if spec, known := p.find(name); known && assigns {
		p.add("unexpected argument %s; write --%s=VALUE", quote(name+"=…"), spec.Flag)
		return
	}
	if n := len(p.flags); n > 0 && (arg == "true" || arg == "false") {
		if spec, known := p.find(p.flags[n-1].Name); known && spec.Bool {
			p.add("unexpected argument %s; write --%s=%s", quote(arg), spec.Flag, arg)
			return
		}
	}
	if assigns {
		arg = name + "=…"
	}
	p.add("unexpected argument %s; parameters are flags, as in --name VALUE", quote(arg))
}

func (p *argParser) add(format string, args ...any) {
	p.problems.add(Problem{Text: fmt.Sprintf(format, args...)})
}
