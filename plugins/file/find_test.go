package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// names are the files that match below dir, relative to it.
func names(t *testing.T, d disk, dir, glob string) []string {
	t.Helper()
	f, err := look1(t, d, dir, glob)
	ok(t, err)
	if f.problems != nil {
		t.Errorf("%s: problems %v", glob, f.problems)
	}
	return relative(t, dir, f)
}

func look1(t *testing.T, d disk, dir, glob string) (found, error) {
	t.Helper()
	ok(t, checkPattern(glob))
	p, err := parsePattern(filepath.Join(dir, glob))
	ok(t, err)
	return find(t.Context(), d, p)
}

func relative(t *testing.T, dir string, f found) []string {
	t.Helper()
	var out []string
	for _, path := range slices.Sorted(maps.Keys(f.files)) {
		name, err := filepath.Rel(dir, path)
		ok(t, err)
		out = append(out, name)
	}
	return out
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.csv", "b.csv", "c.txt", ".part.csv", "d/a.csv", "d/e/a.csv", ".hidden/a.csv", "[x].csv", "two\nlines.csv", "bad\xff.csv", "bad\xff/a.csv"} {
		write(t, dir, name, "x")
	}
	ok(t, os.Mkdir(filepath.Join(dir, "folder.csv"), 0o755))
	ok(t, syscall.Mkfifo(filepath.Join(dir, "pipe.csv"), 0o600))
	ok(t, os.Symlink("a.csv", filepath.Join(dir, "link.csv")))
	ok(t, os.Symlink("nowhere", filepath.Join(dir, "dangling.csv")))
	for glob, want := range map[string][]string{
		"*.csv":         {"[x].csv", "a.csv", "b.csv", "bad\xff.csv", "link.csv", "two\nlines.csv"},
		"a.csv":         {"a.csv"},
		"{a,b,*}.txt":   {"c.txt"},
		"{a,b,[a-b]}.*": {"a.csv", "b.csv"},
		`\[x\].csv`:     {"[x].csv"},
		"*/a.csv":       {"bad\xff/a.csv", "d/a.csv"},
		"**/a.csv":      {"a.csv", "bad\xff/a.csv", "d/a.csv", "d/e/a.csv"},
		".*.csv":        {".part.csv"},
		".hidden/*":     {".hidden/a.csv"},
		"bad?.csv":      {"bad\xff.csv"},
		"a.csv/*":       nil,
		"none/**":       nil,
		"":              nil,
	} {
		if got := names(t, osDisk{}, dir, glob); !slices.Equal(got, want) {
			t.Errorf("%s: found %q, want %q", glob, got, want)
		}
	}
}

func TestARelativeGlobBeginsInTheCurrentFolder(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "sub/a.csv", "x")
	t.Chdir(filepath.Join(dir, "sub"))
	for _, glob := range []string{"*.csv", "a.csv", "../*/a.csv", "./a.c?v"} {
		p, err := parsePattern(glob)
		ok(t, err)
		f, err := find(t.Context(), osDisk{}, p)
		ok(t, err)
		if _, there := f.files[path]; !there || len(f.files) != 1 {
			t.Errorf("%s: found %v, want %s", glob, f.files, path)
		}
	}
}

func TestLinksInALoopEnd(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "d/a.csv", "x")
	for _, link := range []string{"d/up", "d/again"} { // two: each way twice at each step
		ok(t, os.Symlink("..", filepath.Join(dir, link)))
	}
	ok(t, os.Symlink("d", filepath.Join(dir, "latest")))
	ok(t, os.Symlink("self", filepath.Join(dir, "self")))
	if got, want := names(t, osDisk{}, dir, "**/*.csv"), []string{"d/a.csv"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	// A pattern without ** goes through links, and no deeper than it is long.
	f, err := look1(t, osDisk{}, dir, "*/*.csv")
	ok(t, err)
	if got, want := relative(t, dir, f), []string{"d/a.csv", "latest/a.csv"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if len(f.problems) != 1 || !errors.Is(f.problems[0], syscall.ELOOP) && !strings.Contains(f.problems[0].Error(), "levels of symbolic links") {
		t.Errorf("problems %v, want the link to itself", f.problems)
	}
}

// hookedDisk calls after each listing what happens between it and the next look.
type hookedDisk struct {
	osDisk
	listed func(dir string)
}

func (d hookedDisk) ReadDir(path string) ([]fs.DirEntry, error) {
	entries, err := d.osDisk.ReadDir(path)
	d.listed(path)
	return entries, err
}

func TestAFileThatVanishesAfterItWasListedIsNone(t *testing.T) {
	dir := t.TempDir()
	gone := write(t, dir, "a.csv", "x")
	write(t, dir, "b.csv", "x")
	write(t, dir, "sub/c.csv", "x")
	listed := 0
	d := hookedDisk{listed: func(string) {
		listed++
		_ = os.Remove(gone)
		_ = os.RemoveAll(filepath.Join(dir, "sub"))
	}}
	if got, want := names(t, d, dir, "**/*.csv"), []string{"b.csv"}; !slices.Equal(got, want) || listed == 0 {
		t.Errorf("found %q after %d listings, want %q", got, listed, want)
	}
}

func TestALookEndsWhenItIsCancelled(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/1.csv", "b/1.csv", "c/1.csv"} {
		write(t, dir, name, "x")
	}
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	listed := 0
	d := hookedDisk{listed: func(string) {
		listed++
		cancel(enough)
	}}
	p, err := parsePattern(dir + "/**/*.csv")
	ok(t, err)
	if _, err := find(ctx, d, p); !errors.Is(err, enough) || listed != 1 {
		t.Errorf("%v after %d listings, want the cause after one", err, listed)
	}
}

func TestOnlySomeProblemsAreKept(t *testing.T) {
	l := &look{}
	for i := range 4 * maxProblems {
		l.note("reading a folder", &fs.PathError{Op: "open", Path: "a\nb" + strings.Repeat("x", i/2), Err: syscall.EACCES})
	}
	if len(l.found.problems) != maxProblems || l.found.problems[0].Error() != `reading a folder: open "a\nb": permission denied` || l.found.problems[1].Error() == l.found.problems[0].Error() {
		t.Errorf("%q", l.found.problems)
	}
}

func TestBadPatterns(t *testing.T) {
	for _, glob := range []string{"[", "{a", `a\`, "a\x00b"} {
		if err := checkPattern(glob); err == nil {
			t.Errorf("%q passes", glob)
		}
	}
}

func FuzzPattern(f *testing.F) {
	dir := f.TempDir()
	for _, name := range []string{"a", "b", "sub"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "deep"), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "deep", "x.csv"), []byte("x"), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, glob string) {
		if checkPattern(glob) != nil || strings.Contains(glob, "..") || strings.Count(glob, "*") > 6 {
			return // .. leads out of the small tree, many ** take their time
		}
		p, err := parsePattern(dir + "/" + glob)
		ok(t, err)
		found, err := find(t.Context(), osDisk{}, p)
		if err != nil {
			t.Fatalf("%q: %v", glob, err)
		}
		for path, info := range found.files {
			if !filepath.IsAbs(path) || !info.Mode().IsRegular() {
				t.Errorf("%q: found %q, %v", glob, path, info.Mode())
			}
		}
	})
}
