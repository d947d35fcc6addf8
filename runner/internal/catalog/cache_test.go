package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/catalog"
)

func (w *world) index() string { return filepath.Join(w.cache, "v1/index.json") }

func (w *world) find(c *catalog.Catalog, name string) catalog.Entry {
	w.t.Helper()
	e, err := c.Find(context.Background(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// TestWarmRunsNothing: what is known is neither run nor hashed. That no file is
// hashed shows in a sum that was exchanged in the cache.
func TestWarmRunsNothing(t *testing.T) {
	w := newWorld(t)
	w.plugin("p/outrider-plugin-a", "a.one")
	w.plugin("p/outrider-plugin-b", "b.one", "b.two")
	w.write("p/outrider-plugin-script", "#!/bin/sh\n", 0o755)
	w.write("p/s.component.yml", "name: s.one\ncommand: [cat]\n", 0o644)
	sum := w.find(w.open("p"), "b.two").SHA256
	if got := w.runs(); !slices.Equal(got, []string{"outrider-plugin-a", "outrider-plugin-b"}) {
		t.Fatalf("cold ran %v", got)
	}
	data, err := os.ReadFile(w.index())
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Repeat("0", 64)
	w.write("cache/v1/index.json", strings.ReplaceAll(string(data), sum, other), 0o600)
	manifests := filepath.Join(w.cache, "v1/manifests")
	if err := os.Rename(filepath.Join(manifests, sum+".json"), filepath.Join(manifests, other+".json")); err != nil {
		t.Fatal(err)
	}
	if got := w.find(w.open("p"), "b.two").SHA256; got != other {
		t.Errorf("the file was hashed: %s", got)
	}
	if got := names(w.list(w.open("p"))); got != "a.one b.one b.two s.one" {
		t.Errorf("listed %s", got)
	}
	// Of the manifests only the wanted one is read.
	for _, n := range mustReadDir(t, manifests) {
		if n != other+".json" {
			w.write("cache/v1/manifests/"+n, "damaged", 0o600)
		}
	}
	w.find(w.open("p"), "b.one")
	if got := w.runs(); len(got) != 0 {
		t.Errorf("warm ran %v", got)
	}
}

func mustReadDir(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestChangedFileIsAskedAgain: size and modification time may be as before.
func TestChangedFileIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	path := w.plugin("p/outrider-plugin-x", "x.one")
	script := w.write("p/s.component.yml", "name: s.one\ncommand: [cat]\n", 0o644)
	w.write("p/outrider-plugin-script", "#!/bin/sh\n", 0o755)
	then := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, p := range []string{path, script} {
		if err := os.Chtimes(p, then, then); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(w.list(w.open("p"))); got != "s.one x.one" {
		t.Fatalf("listed %s", got)
	}
	w.plugin("p/outrider-plugin-x", "x.two")
	w.write("p/s.component.yml", "name: s.two\ncommand: [cat]\n", 0o644)
	for _, p := range []string{path, script} {
		if err := os.Chtimes(p, then, then); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(w.list(w.open("p"))); got != "s.two x.two" {
		t.Errorf("listed %s", got)
	}
}

// TestTouchedFileIsOnlyHashed: the same content needs no second run.
func TestTouchedFileIsOnlyHashed(t *testing.T) {
	w := newWorld(t)
	path := w.plugin("p/outrider-plugin-x", "x.one")
	w.list(w.open("p"))
	w.runs()
	if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	w.find(w.open("p"), "x.one")
	if got := w.runs(); len(got) != 0 {
		t.Errorf("ran %v", got)
	}
}

// TestFileThatChangesWhileItIsAsked: an answer of a file that is another one by
// then is not kept for it.
func TestFileThatChangesWhileItIsAsked(t *testing.T) {
	w := newWorld(t)
	w.shell("p/outrider-plugin-x", "echo '# more' >> \"$0\"\necho '{\"components\":[{\"name\":\"x.one\",\"params\":{}}]}'")
	w.list(w.open("p"), [2]string{"p/outrider-plugin-x", "changes while it is read"})
	if data, err := os.ReadFile(w.index()); err == nil && strings.Contains(string(data), "x.one") {
		t.Errorf("the index has it: %s", data)
	}
}

// TestDamagedCacheIsRebuilt: whatever the cache holds, the answers are right.
func TestDamagedCacheIsRebuilt(t *testing.T) {
	w := newWorld(t)
	w.plugin("p/outrider-plugin-a", "a.one")
	w.plugin("p/outrider-plugin-b", "b.one")
	w.list(w.open("p"))
	good, err := os.ReadFile(w.index())
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *rapid.T, what string) {
		if e, err := w.open("p").Find(context.Background(), "b.one"); err != nil || e.Component.Doc != "Does b.one." {
			t.Fatalf("%s: found %+v, %v", what, e, err)
		}
		if entries, problems := w.open("p").List(context.Background()); names(entries) != "a.one b.one" || len(problems) > 0 {
			t.Fatalf("%s: listed %s, %v", what, names(entries), problems)
		}
	}
	manifests := filepath.Join(w.cache, "v1/manifests")
	rapid.Check(t, func(t *rapid.T) {
		damage := func(path string) string {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			kind := rapid.SampledFrom([]string{"cut", "other", "empty", "gone", "null"}).Draw(t, "kind")
			switch kind {
			case "cut":
				data = data[:rapid.IntRange(0, len(data)-1).Draw(t, "at")]
			case "other":
				data = rapid.SliceOf(rapid.Byte()).Draw(t, "data")
			case "empty":
				data = nil
			case "null":
				data = []byte("null")
			case "gone":
				_ = os.Remove(path)
				return kind
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return kind
		}
		if rapid.Bool().Draw(t, "index") {
			check(t, "index "+damage(w.index()))
		}
		if rapid.Bool().Draw(t, "manifest") {
			entries, err := os.ReadDir(manifests)
			if err != nil {
				t.Fatal(err)
			}
			check(t, "manifest "+damage(filepath.Join(manifests, rapid.SampledFrom(entries).Draw(t, "of").Name())))
		}
	})
	for name, data := range map[string]string{
		"other format": strings.Replace(string(good), `"format":1`, `"format":2`, 1),
		"no files":     `{"format":1}`,
		"other types":  `{"format":1,"files":[]}`,
	} {
		w.write("cache/v1/index.json", data, 0o600)
		w.runs()
		if got := names(w.list(w.open("p"))); got != "a.one b.one" {
			t.Errorf("%s: listed %s", name, got)
		}
		var fresh struct {
			Format int
			Files  map[string]any
		}
		text, _ := os.ReadFile(w.index())
		if err := json.Unmarshal(text, &fresh); err != nil || fresh.Format != 1 || len(fresh.Files) != 2 {
			t.Errorf("%s: was not rebuilt: %s, %v", name, text, err)
		}
	}
}

func TestCacheIsPrivate(t *testing.T) {
	w := newWorld(t)
	w.plugin("p/outrider-plugin-x", "x.one")
	w.list(w.open("p"))
	err := filepath.WalkDir(w.cache, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestForeignCacheIsNotTrusted: where others may write nothing is believed.
func TestForeignCacheIsNotTrusted(t *testing.T) {
	for _, dir := range []string{"v1", "v1/manifests"} {
		w := newWorld(t)
		w.plugin("p/outrider-plugin-x", "x.one")
		w.list(w.open("p"))
		w.runs()
		if err := os.Chmod(filepath.Join(w.cache, dir), 0o770); err != nil {
			t.Fatal(err)
		}
		w.find(w.open("p"), "x.one")
		if got := w.runs(); len(got) != 1 {
			t.Errorf("%s: ran %v", dir, got)
		}
	}
}

// TestWithoutCache: no folder, or none that can be written, is no hindrance, and
// within one process nothing is asked twice.
func TestWithoutCache(t *testing.T) {
	for _, dir := range []string{"", "file/below", "/proc/outrider"} {
		w := newWorld(t)
		w.plugin("p/outrider-plugin-x", "x.one")
		w.write("file", "", 0o644)
		o := w.options("p")
		if o.CacheDir = dir; dir == "file/below" {
			o.CacheDir = filepath.Join(w.root, dir)
		}
		c := catalog.Open(o)
		w.find(c, "x.one")
		if got := names(w.list(c)); got != "x.one" {
			t.Errorf("%q: listed %s", dir, got)
		}
		if got := w.runs(); len(got) != 1 {
			t.Errorf("%q: ran %v", dir, got)
		}
	}
}

// TestCacheIsShared: what one host saves does not undo what another did.
func TestCacheIsShared(t *testing.T) {
	w := newWorld(t)
	w.plugin("a/outrider-plugin-x", "x.one")
	w.plugin("b/outrider-plugin-y", "y.one")
	a, b := w.open("a"), w.open("b")
	w.list(a)
	w.list(b)
	w.plugin("b/outrider-plugin-z", "z.one")
	w.list(b)
	data, err := os.ReadFile(w.index())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.one", "y.one", "z.one"} {
		if !strings.Contains(string(data), name) {
			t.Errorf("the index lost %s: %s", name, data)
		}
	}
}

// TestNewPluginBeforeAKnownOne: what is known must not hide what comes first.
func TestNewPluginBeforeAKnownOne(t *testing.T) {
	w := newWorld(t)
	w.plugin("b/outrider-plugin-x", "x.one")
	w.write("a/README", "", 0o644)
	w.list(w.open("a", "b"))
	first := w.plugin("a/outrider-plugin-x", "x.one")
	if e := w.find(w.open("a", "b"), "x.one"); e.Source != first {
		t.Errorf("found %s", e.Source)
	}
	w.plugin("c/outrider-plugin-z", "z.one")
	w.runs()
	w.find(w.open("a", "b", "c"), "x.one")
	if got := w.runs(); len(got) > 0 {
		t.Errorf("what comes later was run: %v", got)
	}
}

// TestCacheForgets: files that are gone leave the index.
func TestCacheForgets(t *testing.T) {
	w := newWorld(t)
	path := w.plugin("p/outrider-plugin-x", "x.one")
	w.list(w.open("p"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.plugin("p/outrider-plugin-y", "y.one")
	w.list(w.open("p"))
	if data, _ := os.ReadFile(w.index()); strings.Contains(string(data), "x.one") {
		t.Errorf("the index still has %s", data)
	}
}

// TestCacheIsSwept: manifests of files that are gone do not pile up, and what a
// killed host left half-written goes too.
func TestCacheIsSwept(t *testing.T) {
	w := newWorld(t)
	w.plugin("p/outrider-plugin-x", "x.one")
	w.list(w.open("p"))
	old := time.Now().Add(-2 * time.Hour)
	for i := range 200 {
		for _, p := range []string{w.write(fmt.Sprintf("cache/v1/manifests/%064d.json", i), "{}", 0o600), w.write(fmt.Sprintf("cache/v1/index.json.%d.tmp", i), "{", 0o600)} {
			if err := os.Chtimes(p, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.plugin("p/outrider-plugin-y", "y.one")
	w.list(w.open("p"))
	if got := mustReadDir(t, filepath.Join(w.cache, "v1/manifests")); len(got) != 2 {
		t.Errorf("%d manifests", len(got))
	}
	if got := mustReadDir(t, filepath.Join(w.cache, "v1")); !slices.Equal(got, []string{"index.json", "lock", "manifests"}) {
		t.Errorf("the cache has %v", got)
	}
	w.runs()
	if got := names(w.list(w.open("p"))); got != "x.one y.one" || len(w.runs()) > 0 {
		t.Errorf("listed %s", got)
	}
}
