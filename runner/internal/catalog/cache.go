package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// cacheFormat is part of the cache folder's name, so that hosts of different
// versions do not undo each other's work.
const cacheFormat = 1

// record is what is known of one file.
type record struct {
	Key    fileKey `json:"key"`
	SHA256 string  `json:"sha256,omitempty"`
	// Described tells that what the file serves is known: Components, whose
	// manifest is stored under SHA256.
	Described  bool     `json:"described,omitempty"`
	Components []string `json:"components,omitempty"`
	// Program is the path of a script manifest's program, if that is a file.
	Program string `json:"program,omitempty"`
	// Executed tells that the program is run by itself, by no interpreter.
	Executed bool `json:"executed,omitempty"`
	// Error is why the file could not be described.
	Error string `json:"error,omitempty"`
	// fleeting records hold for this process only: the file is so young that a
	// change might not show in its key.
	fleeting bool
}

type index struct {
	Format int               `json:"format"`
	Files  map[string]record `json:"files"`
}

// cache remembers files between runs, if it can, and in this process always. A
// cache that is damaged, foreign or not to be trusted is as good as none.
//
//	DIR/v1/index.json             what is known of each file
//	DIR/v1/manifests/SHA256.json  what the file of that sum serves
type cache struct {
	dir string // empty: this process only

	mu        sync.Mutex
	loaded    bool
	files     map[string]record
	changed   map[string]record // to be saved
	manifests map[string]manifest.Manifest
}

func newCache(dir string) *cache {
	if dir != "" {
		dir = filepath.Join(dir, fmt.Sprintf("v%d", cacheFormat))
	}
	return &cache{
		dir: dir, files: map[string]record{}, changed: map[string]record{}, manifests: map[string]manifest.Manifest{},
	}
}

// load reads the index once. c.mu is held.
func (c *cache) load() {
	if c.loaded {
		return
	}
	c.loaded = true
	if c.dir != "" && !private(c.dir) {
		c.dir = ""
	}
	maps.Copy(c.files, c.readIndex())
}

func (c *cache) readIndex() map[string]record {
	if c.dir == "" {
		return nil
	}
	data, err := os.ReadFile(c.indexPath())
	if err != nil {
		return nil
	}
	var i index
	if json.Unmarshal(data, &i) != nil || i.Format != cacheFormat {
		return nil
	}
	return i.Files
}

func (c *cache) indexPath() string { return filepath.Join(c.dir, "index.json") }

func (c *cache) manifestPath(sum string) string {
	return filepath.Join(c.dir, "manifests", sum+".json")
}

// private makes the folder if need be, and tells whether this user alone may
// write to it: whoever else did could make one plugin look like another.
func private(dir string) bool {
	if os.MkdirAll(filepath.Join(dir, "manifests"), 0o700) != nil {
		return false
	}
	for _, d := range []string{dir, filepath.Join(dir, "manifests")} {
		st, err := stat(d)
		if err != nil || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
			return false
		}
	}
	return true
}

// get returns what is known of the file at path, were it as it was.
func (c *cache) get(path string) (record, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load()
	r, ok := c.files[path]
	return r, ok
}

func (c *cache) put(path string, r record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load()
	c.files[path] = r
	if !r.fleeting {
		c.changed[path] = r
	}
}

// manifest returns what the file of that sum serves.
func (c *cache) manifest(sum string) (manifest.Manifest, bool) {
	c.mu.Lock()
	c.load()
	m, ok := c.manifests[sum]
	dir := c.dir
	c.mu.Unlock()
	if ok || dir == "" || sum == "" {
		return m, ok
	}
	data, err := os.ReadFile(c.manifestPath(sum))
	if err != nil || json.Unmarshal(data, &m) != nil || !whole(m) {
		return manifest.Manifest{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.manifests[sum] = m
	return m, true
}

// whole tells a manifest, which was good when it was stored, from what damage
// may have made of it.
func whole(m manifest.Manifest) bool {
	for _, comp := range m.Components {
		if comp.Name == "" || len(comp.Params) == 0 {
			return false
		}
	}
	return len(m.Components) > 0
}

// putManifest stores the manifest before any record that names it.
func (c *cache) putManifest(sum string, m manifest.Manifest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load()
	c.manifests[sum] = m
	if c.dir == "" {
		return
	}
	if data, err := json.Marshal(m); err == nil {
		_ = writeAtomic(c.manifestPath(sum), data)
	}
}

// lockWait is how long a save waits for another host's. Without the lock one of
// two saves may be lost, which costs asking a plugin again.
const lockWait = 200 * time.Millisecond

// save adds what this process learnt to the index.
func (c *cache) save() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dir == "" || len(c.changed) == 0 {
		return
	}
	defer lockFolder(c.dir)()
	files := c.readIndex()
	if files == nil {
		files = map[string]record{}
	}
	maps.Copy(files, c.changed)
	maps.DeleteFunc(files, func(path string, _ record) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
	})
	data, err := json.Marshal(index{cacheFormat, files})
	if err != nil || writeAtomic(c.indexPath(), data) != nil {
		return
	}
	clear(c.changed)
	c.sweep(files)
}

// lockFolder keeps other hosts from saving until the returned function is called,
// if it gets the lock in time.
func lockFolder(dir string) (unlock func()) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return func() {}
	}
	const pause = time.Millisecond
	for waited := time.Duration(0); waited < lockWait; waited += pause {
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			break
		}
		time.Sleep(pause)
	}
	return func() { _ = f.Close() }
}

// sweep removes manifests that no file has any more, and what killed hosts left
// half-written. What is young may belong to a save that is yet to come.
func (c *cache) sweep(files map[string]record) {
	const spare, age = 100, time.Hour
	used := make(map[string]bool, len(files))
	for _, r := range files {
		used[r.SHA256] = true
	}
	for _, dir := range []string{c.dir, filepath.Join(c.dir, "manifests")} {
		names, err := os.ReadDir(dir)
		if err != nil || len(names) < len(used)+spare {
			continue
		}
		for _, n := range names {
			sum, stored := strings.CutSuffix(n.Name(), ".json")
			if stored && (used[sum] || sum == "index") || n.Name() == "lock" || n.IsDir() {
				continue
			}
			if info, err := n.Info(); err == nil && time.Since(info.ModTime()) > age {
				_ = os.Remove(filepath.Join(dir, n.Name()))
			}
		}
	}
}

// writeAtomic leaves at path either what was there or all of data, as long as
// the machine does not fail: a cache is not worth a wait for the disk.
func writeAtomic(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		_ = f.Close()
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
