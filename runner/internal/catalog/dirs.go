package catalog

import (
	"path/filepath"
	"runtime"
)

// Where a folder to look into comes from.
const (
	OriginFlag   = "--plugin-dir"
	OriginEnv    = "$OUTRIDER_PLUGIN_PATH"
	OriginBeside = "beside outrider"
	OriginUser   = "user's data folder"
	OriginSystem = "system"
)

// Dir is a folder to look into.
type Dir struct {
	Path   string // absolute
	Origin string // how it came to be looked into
}

// Dirs returns the folders to look into, the first before all others: those of
// --plugin-dir and of OUTRIDER_PLUGIN_PATH, the outrider binary's own, the
// user's and the system's. A relative folder is taken from the current one; the
// current one itself is looked into only when it is named.
func Dirs(flagDirs []string, getenv func(string) string, execDir string) []Dir {
	var dirs []Dir
	seen := map[string]bool{}
	add := func(origin string, paths ...string) {
		for _, p := range paths {
			if p == "" {
				continue
			}
			abs, err := filepath.Abs(p)
			if err != nil {
				abs = filepath.Clean(p)
			}
			if !seen[abs] {
				seen[abs] = true
				dirs = append(dirs, Dir{abs, origin})
			}
		}
	}
	add(OriginFlag, flagDirs...)
	add(OriginEnv, filepath.SplitList(getenv("OUTRIDER_PLUGIN_PATH"))...)
	add(OriginBeside, execDir)
	add(OriginUser, userDir(getenv))
	add(OriginSystem,
		"/usr/local/share/outrider/plugins", "/usr/share/outrider/plugins",
		"/usr/local/lib/outrider/plugins", "/usr/lib/outrider/plugins")
	return dirs
}

// userDir is where a user's own plugins stand.
func userDir(getenv func(string) string) string {
	const below = "outrider/plugins"
	home := getenv("HOME")
	switch data := getenv("XDG_DATA_HOME"); {
	case filepath.IsAbs(data): // a relative one is to be ignored, says the standard
		return filepath.Join(data, below)
	case home == "":
		return ""
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library/Application Support", below)
	default:
		return filepath.Join(home, ".local/share", below)
	}
}
