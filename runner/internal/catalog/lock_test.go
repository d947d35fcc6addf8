package catalog_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/catalog"
)

// locked is a machine with a plugin and a script, and its lock file.
func locked(t *testing.T) (*world, catalog.LockFile) {
	w := newWorld(t)
	w.plugin("p/outrider-plugin-x", "x.one", "x.two")
	w.shell("p/outrider-plugin-script", "exit 1")
	w.write("p/s.component.yml", "name: s.one\ninterpreter: sh\ncommand: [s.sh]\n", 0o644)
	w.write("p/s.sh", "echo\n", 0o644)
	w.write("p/q.component.yml", "name: q.one\ncommand: [cat]\n", 0o644)
	l, err := w.open("p").Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return w, l
}

func TestLock(t *testing.T) {
	w, l := locked(t)
	var paths []string
	for _, f := range l.Files {
		paths = append(paths, strings.TrimPrefix(f.Path, w.root+"/p/")+" "+strings.Join(f.Components, ","))
		if len(f.SHA256) != 64 {
			t.Errorf("%+v", f)
		}
	}
	want := []string{"outrider-plugin-script ", "outrider-plugin-x x.one,x.two", "q.component.yml q.one", "s.component.yml s.one", "s.sh "}
	if !slices.Equal(paths, want) {
		t.Errorf("locked %q", paths)
	}
	path := filepath.Join(w.root, "etc/plugins.lock")
	if err := l.Write(path); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(path)
	again, err := w.open("p").Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Write(path); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(path); string(first) != string(second) {
		t.Errorf("first\n%s\nthen\n%s", first, second)
	}
	read, err := catalog.ReadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := w.open("p").Verify(context.Background(), *read); err != nil || len(d) > 0 {
		t.Errorf("differences %v, %v", d, err)
	}
	if got := mustReadDir(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

func TestReadLockRefuses(t *testing.T) {
	w := newWorld(t)
	for in, want := range map[string]string{
		"":                                 "EOF",
		`{"format":1,"files":[]`:           "unexpected EOF",
		`{"format":2,"files":[]}`:          "its format is 2, this outrider knows 1",
		`{"files":[]}`:                     "its format is 0",
		`{"format":1,"files":[],"more":1}`: `unknown field "more"`,
		`{"format":1,"files":[]}{}`:        "something follows",
	} {
		path := w.write("lock", in, 0o644)
		if _, err := catalog.ReadLock(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) && in != "" {
			t.Errorf("%q: got %v, want %s", in, err, want)
		}
	}
	if _, err := catalog.ReadLock(filepath.Join(w.root, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestVerify: every difference is told, and what differs is not run.
func TestVerify(t *testing.T) {
	w, l := locked(t)
	was := map[string]string{}
	for _, f := range l.Files {
		was[filepath.Base(f.Path)] = f.SHA256
	}
	w.runs()
	w.plugin("p/outrider-plugin-x", "x.one")
	w.write("p/s.sh", "rm -rf /\n", 0o644)
	w.plugin("p/outrider-plugin-new", "new.one")
	w.write("p/n.component.yml", "name: n.one\ninterpreter: sh\ncommand: [n.sh]\n", 0o644)
	if err := os.Remove(filepath.Join(w.root, "p/q.component.yml")); err != nil {
		t.Fatal(err)
	}
	got, err := w.open("p").Verify(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"n.component.yml: not in the lock file; it has sha256 ",
		"n.sh: missing; not in the lock file",
		"outrider-plugin-new: not in the lock file; it has sha256 ",
		"outrider-plugin-x: changed; locked with sha256 " + was["outrider-plugin-x"] + ", found ",
		"q.component.yml: missing; locked with sha256 " + was["q.component.yml"],
		"s.sh: changed; locked with sha256 " + was["s.sh"] + ", found ",
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i, d := range got {
		if !strings.HasPrefix(d.Error(), w.root+"/p/"+want[i]) {
			t.Errorf("got %s, want %s", d, want[i])
		}
	}
	if got := w.runs(); len(got) > 0 {
		t.Errorf("ran %v", got)
	}
}

func TestCheckEntry(t *testing.T) {
	tests := []struct {
		name, component, change string
		want                    string // of the error; empty: none
	}{
		{"nothing", "s.one", "", ""},
		{"plugin", "x.one", "outrider-plugin-x", "changed"},
		{"manifest", "s.one", "s.component.yml", "changed"},
		{"program", "s.one", "s.sh", "changed"},
		{"script plugin", "q.one", "outrider-plugin-script", "changed"},
		{"another's", "q.one", "s.sh", ""},
		{"program gone", "s.one", "-s.sh", "missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, l := locked(t)
			c := w.open("p")
			e := w.find(c, tt.component)
			if gone, ok := strings.CutPrefix(tt.change, "-"); ok {
				if err := os.Remove(filepath.Join(w.root, "p", gone)); err != nil {
					t.Fatal(err)
				}
				tt.change = gone
			} else if tt.change != "" {
				f, err := os.OpenFile(filepath.Join(w.root, "p", tt.change), os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteString("\n"); err != nil {
					t.Fatal(err)
				}
				_ = f.Close()
			}
			err := c.CheckEntry(e, l)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var d *catalog.Difference
			if !errors.As(err, &d) || d.Path != filepath.Join(w.root, "p", tt.change) || len(d.Locked) != 64 || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v", err)
			}
			if tt.want == "changed" && (len(d.Found) != 64 || d.Found == d.Locked || !strings.Contains(err.Error(), d.Found) || !strings.Contains(err.Error(), d.Locked)) {
				t.Errorf("got %+v", d)
			}
		})
	}
}

func TestCheckEntryNotInTheLockFile(t *testing.T) {
	w, l := locked(t)
	w.plugin("p/outrider-plugin-new", "new.one")
	c := w.open("p")
	var d *catalog.Difference
	if err := c.CheckEntry(w.find(c, "new.one"), l); !errors.As(err, &d) || d.Locked != "" || len(d.Found) != 64 {
		t.Errorf("got %v", err)
	}
}

// TestCheckEntryIsCached: sums of files that have not changed are not made anew;
// it shows in a sum that was exchanged in the cache.
func TestCheckEntryIsCached(t *testing.T) {
	w, l := locked(t)
	c := w.open("p")
	e := w.find(c, "s.one")
	if err := c.CheckEntry(e, l); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(w.index())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range l.Files {
		if f.Path == e.Program {
			w.write("cache/v1/index.json", strings.ReplaceAll(string(data), f.SHA256, strings.Repeat("0", 64)), 0o600)
		}
	}
	var d *catalog.Difference
	if err := w.open("p").CheckEntry(e, l); !errors.As(err, &d) || d.Found != strings.Repeat("0", 64) {
		t.Errorf("the program was hashed: %v", err)
	}
}

// TestLockedCatalogRunsNothingElse: a catalogue that has a lock file does not
// even ask a plugin that differs from it.
func TestLockedCatalogRunsNothingElse(t *testing.T) {
	for _, cached := range []bool{true, false} {
		w, l := locked(t)
		o := w.options("p")
		o.Lock = &l
		if !cached {
			o.CacheDir = filepath.Join(w.root, "other")
		}
		if got := names(w.list(catalog.Open(o))); got != "q.one s.one x.one x.two" {
			t.Errorf("listed %s", got)
		}
		w.runs()
		w.plugin("p/outrider-plugin-x", "x.one", "x.more")
		w.plugin("p/outrider-plugin-new", "new.one")
		w.write("p/s.sh", "other\n", 0o644)
		c := catalog.Open(o)
		entries := w.list(c,
			[2]string{"p/outrider-plugin-x", "changed; locked with sha256 "},
			[2]string{"p/outrider-plugin-new", "not in the lock file"},
			[2]string{"p/s.component.yml", "s.sh: changed; locked with sha256 "})
		if got := names(entries); got != "q.one" {
			t.Errorf("listed %s", got)
		}
		for _, name := range []string{"x.one", "x.two", "s.one"} {
			var d *catalog.Difference
			if _, err := c.Find(context.Background(), name); !errors.As(err, &d) || len(d.Locked) != 64 || len(d.Found) != 64 {
				t.Errorf("%s: got %v", name, err)
			}
		}
		var miss *catalog.NotFound
		if _, err := c.Find(context.Background(), "new.one"); !errors.As(err, &miss) || !strings.Contains(err.Error(), "not in the lock file") {
			t.Errorf("got %v", err)
		}
		if got := w.runs(); len(got) > 0 {
			t.Errorf("ran %v", got)
		}
		// Without the lock file all of it is used again.
		if got := names(w.list(w.open("p"))); got != "new.one q.one s.one x.more x.one" {
			t.Errorf("listed %s", got)
		}
	}
}
