package interp

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// place is somewhere that interpreters stand. Its candidates are in the order
// in which they are preferred.
type place struct {
	name       string
	candidates []string
}

// places lists, in the order of preference: a virtual environment beside the
// manifest, since it stands there for this script; PATH, what the user gets
// when they type the name; the folders of version managers, newest first,
// since a scheduler's PATH seldom has them.
func places(r Requirement, dir string, getenv func(string) string) []place {
	names := names(r)
	var out []place
	for _, venv := range []string{".venv", "venv"} {
		bin := filepath.Join(dir, venv, "bin")
		out = append(out, place{name: bin, candidates: among(names, []string{bin})})
	}
	path := searchPath(getenv)
	out = append(out, place{
		name:       "PATH (" + strings.Join(path, string(filepath.ListSeparator)) + ")",
		candidates: among(names, path),
	})
	for _, pattern := range managed(r.Family(), path, getenv) {
		out = append(out, place{name: pattern, candidates: newestFirst(names, pattern)})
	}
	return out
}

// names lists the file names, patterns among them, under which the interpreter
// goes, the preferred first: what is called python may be Python 2.
func names(r Requirement) []string {
	switch r.name {
	case "python":
		return []string{"python3", "python", "python3.[0-9]", "python3.[0-9][0-9]"}
	case "python3":
		return []string{"python3", "python3.[0-9]", "python3.[0-9][0-9]"}
	case "node":
		return []string{"node", "nodejs"}
	case "ruby", "php", "lua":
		return []string{r.name, r.name + "[0-9].[0-9]"}
	default:
		return []string{r.name}
	}
}

// searchPath returns the absolute folders of PATH; a relative one depends on
// the folder one happens to stand in, so it is passed over.
func searchPath(getenv func(string) string) []string {
	return slices.DeleteFunc(filepath.SplitList(getenv("PATH")), func(d string) bool { return !filepath.IsAbs(d) })
}

// among returns the programs of these names in the folders: what any folder
// has under the first name goes before the second name. Several matches of a
// pattern in one folder are sorted newest first.
func among(names, dirs []string) []string {
	var out []string
	for _, name := range names {
		for _, dir := range dirs {
			out = append(out, byVersion(executables(filepath.Join(escape(dir), name)), filepath.Base)...)
		}
	}
	return out
}

// managed returns the patterns of the folders in which version managers keep
// this family's programs. Their roots come from their own variables, from the
// home folder and from their shims on PATH.
func managed(family string, path []string, getenv func(string) string) []string {
	var manager, variable, versions string
	switch family {
	case "python":
		manager, variable, versions = "pyenv", "PYENV_ROOT", "versions"
	case "ruby":
		manager, variable, versions = "rbenv", "RBENV_ROOT", "versions"
	case "node":
		manager, variable, versions = "nvm", "NVM_DIR", "versions/node"
	default:
		return nil
	}
	roots := []string{getenv(variable)}
	if home := getenv("HOME"); home != "" {
		roots = append(roots, filepath.Join(home, "."+manager))
	}
	for _, dir := range path {
		if isShims(dir) {
			roots = append(roots, filepath.Dir(dir))
		}
	}
	var out []string
	for _, root := range roots {
		if !filepath.IsAbs(root) {
			continue
		}
		if pattern := filepath.Join(escape(root), versions, "*", "bin"); !slices.Contains(out, pattern) {
			out = append(out, pattern)
		}
	}
	return out
}

// newestFirst returns one program, of the first name that is there, from each
// folder of the pattern versions/*/bin.
func newestFirst(names []string, pattern string) []string {
	dirs, _ := filepath.Glob(pattern) // the pattern is ours and well formed
	var out []string
	for _, dir := range byVersion(dirs, func(d string) string { return filepath.Base(filepath.Dir(d)) }) {
		if found := among(names, []string{dir}); len(found) > 0 {
			out = append(out, found[0])
		}
	}
	return out
}

// byVersion sorts paths by the version in the named part of each, newest
// first; one without a version goes last.
func byVersion(paths []string, part func(string) string) []string {
	slices.SortStableFunc(paths, func(a, b string) int {
		va, vb := parseVersion(part(a)), parseVersion(part(b))
		switch {
		case va != nil && vb != nil:
			return vb.Compare(va)
		case va == nil && vb == nil:
			return cmp.Compare(a, b)
		case va == nil:
			return 1
		default:
			return -1
		}
	})
	return paths
}

// executables returns the matches of pattern that could be run.
func executables(pattern string) []string {
	matches, _ := filepath.Glob(pattern) // the pattern is ours and well formed
	return slices.DeleteFunc(matches, func(p string) bool {
		info, err := os.Stat(p)
		return err != nil || info.IsDir() || info.Mode()&0o111 == 0
	})
}

// isShims reports whether dir holds the shims of a version manager (pyenv,
// rbenv, asdf, mise): a shim may stand for a program that is not there.
func isShims(dir string) bool { return filepath.Base(dir) == "shims" }

// escape makes a folder's name safe inside a pattern.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
