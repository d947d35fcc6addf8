package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/sdk/manifest"
)

const (
	pluginPrefix = "outrider-plugin-"
	// scriptPlugin serves script manifests, and nothing by itself.
	scriptPlugin = pluginPrefix + "script"
)

// candidate is a file that by its name defines components.
type candidate struct {
	path   string
	script bool // a script manifest; else an executable
	key    fileKey
	// err is why the file is not used, known without reading it. With
	// folderRefused it is its folder's fault.
	err           error
	folderRefused bool
}

// scanned is what stands in the folders, in the order in which it counts.
type scanned struct {
	candidates []*candidate
	problems   []Problem // of the folders
	// server is the plugin that serves script manifests, nil without one.
	server *candidate
}

// scan looks at names and attributes only.
func scan(dirs []Dir) *scanned {
	s := &scanned{}
	type id struct{ dev, ino uint64 }
	folders, files := map[id]bool{}, map[id]bool{}
	for _, dir := range dirs {
		st, err := stat(dir.Path)
		if err != nil {
			// Folders that nobody asked for need not be there.
			if !errors.Is(err, fs.ErrNotExist) || dir.Origin == OriginFlag || dir.Origin == OriginEnv {
				s.problems = append(s.problems, Problem{dir.Path, fmt.Errorf("look for plugins (%s): %w", dir.Origin, err)})
			}
			continue
		}
		if folder := (id{uint64(st.Dev), st.Ino}); folders[folder] {
			continue // by another name
		} else {
			folders[folder] = true
		}
		names, err := os.ReadDir(dir.Path)
		if err != nil {
			s.problems = append(s.problems, Problem{dir.Path, fmt.Errorf("look for plugins (%s): %w", dir.Origin, unwrapped(err))})
			continue
		}
		refused := st.Mode&0o002 != 0 // by a sticky one too: what is there may be anyone's
		count := 0
		for _, n := range names {
			cand := look(filepath.Join(dir.Path, n.Name()))
			if cand == nil {
				continue
			}
			count++
			if refused {
				cand.err, cand.folderRefused = fmt.Errorf("folder %s: %w", dir.Path, errWorldWritable), true
			}
			if file := (id{cand.key.Dev, cand.key.Ino}); cand.err == nil {
				if files[file] && !cand.script {
					continue // a link to what was found before
				}
				files[file] = true
			}
			if n.Name() == scriptPlugin && cand.err == nil {
				if s.server == nil {
					s.server = cand
				}
				continue
			}
			s.candidates = append(s.candidates, cand)
		}
		if refused && count > 0 {
			s.problems = append(s.problems, Problem{dir.Path, fmt.Errorf("%w; it has %d plugins and manifests", errWorldWritable, count)})
		}
	}
	return s
}

// look returns nil when the name is of no plugin and of no manifest.
func look(path string) *candidate {
	name := filepath.Base(path)
	script := strings.HasSuffix(name, manifest.ScriptSuffix) && !strings.HasPrefix(name, ".")
	if !script && (!strings.HasPrefix(name, pluginPrefix) || name == pluginPrefix) {
		return nil
	}
	cand := &candidate{path: path, script: script}
	st, err := stat(path)
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			err = errors.New("is a link to nothing")
		}
		cand.err = err
		return cand
	}
	cand.key = keyOf(st)
	cand.err = usable(st, !script)
	return cand
}
