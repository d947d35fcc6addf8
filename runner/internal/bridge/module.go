package bridge

import (
	"path/filepath"
	"strings"
	"unicode"
)

// Module finds the file in the project that Digdag's own py> or rb> would call
// Command in; "" where there is none. exists tells whether a file is there.
func (c Call) Module(exists func(path string) bool) string {
	for _, path := range c.candidates() {
		if exists(path) {
			return path
		}
	}
	return ""
}

func (c Call) candidates() []string {
	parts := strings.Split(c.Command, ".")
	var paths []string
	if c.Language == Ruby {
		for _, name := range []string{c.Require, snake(strings.Join(parts[:len(parts)-1], "/")), snake(parts[0])} {
			if name != "" {
				paths = append(paths, strings.TrimSuffix(name, ".rb")+".rb")
			}
		}
		return paths
	}
	// package.module.function, package.module.Class.method, and a package's own.
	for n := len(parts) - 1; n > 0; n-- {
		path := filepath.Join(parts[:n]...)
		paths = append(paths, path+".py", filepath.Join(path, "__init__.py"))
	}
	return paths
}

// snake is the file name that Ruby code has by custom: my_job/loader for
// MyJob::Loader.
func snake(name string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(strings.TrimPrefix(name, "::"), "::", "/") {
		if unicode.IsUpper(r) && b.Len() > 0 && !strings.HasSuffix(b.String(), "/") {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
