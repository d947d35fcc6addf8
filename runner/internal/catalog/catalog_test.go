package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/catalog"
)

// world is a machine: folders with plugins, and a cache.
type world struct {
	t     testing.TB
	root  string
	cache string
	// ran gets a line, its name, from each plugin that is run.
	ran string
}

func newWorld(t testing.TB) *world {
	root := t.TempDir()
	return &world{t: t, root: root, cache: filepath.Join(root, "cache"), ran: filepath.Join(root, "ran")}
}

func (w *world) write(path, text string, mode os.FileMode) string {
	w.t.Helper()
	path = filepath.Join(w.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		w.t.Fatal(err)
	}
	return path
}

// plugin writes a plugin, a shell script, that serves those components.
func (w *world) plugin(path string, components ...string) string {
	w.t.Helper()
	var list []string
	for _, c := range components {
		list = append(list, fmt.Sprintf(`{"name":%q,"doc":"Does %s.","params":{"type":"object"}}`, c, c))
	}
	return w.shell(path, fmt.Sprintf(`echo '{"protocols":[1],"version":"1.2.3","components":[%s]}'`, strings.Join(list, ",")))
}

func (w *world) shell(path, body string) string {
	w.t.Helper()
	return w.write(path, fmt.Sprintf("#!/bin/sh\necho %s \"$*\" >> %s\n%s\n", filepath.Base(path), w.ran, body), 0o755)
}

func (w *world) open(dirs ...string) *catalog.Catalog { return catalog.Open(w.options(dirs...)) }

func (w *world) options(dirs ...string) catalog.Options {
	o := catalog.Options{CacheDir: w.cache}
	for _, d := range dirs {
		o.Dirs = append(o.Dirs, catalog.Dir{Path: filepath.Join(w.root, d), Origin: catalog.OriginFlag})
	}
	return o
}

// runs returns what was run since the last call, sorted.
func (w *world) runs() []string {
	w.t.Helper()
	data, err := os.ReadFile(w.ran)
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	_ = os.Remove(w.ran)
	lines := strings.Fields(strings.ReplaceAll(string(data), " describe", ""))
	slices.Sort(lines)
	return lines
}

func names(entries []catalog.Entry) string {
	var list []string
	for _, e := range entries {
		list = append(list, e.Component.Name)
	}
	return strings.Join(list, " ")
}

// list lists and expects exactly these problems: path, then a part of the text.
func (w *world) list(c *catalog.Catalog, problems ...[2]string) []catalog.Entry {
	w.t.Helper()
	entries, got := c.List(context.Background())
	for _, want := range problems {
		at := slices.IndexFunc(got, func(p catalog.Problem) bool {
			return p.Path == filepath.Join(w.root, want[0]) && strings.Contains(p.String(), want[1])
		})
		if at < 0 {
			w.t.Errorf("no problem of %s with %q among %v", want[0], want[1], got)
			continue
		}
		got = slices.Delete(got, at, at+1)
	}
	for _, p := range got {
		w.t.Errorf("unexpected problem: %s", p)
	}
	return entries
}

func TestListAndFind(t *testing.T) {
	w := newWorld(t)
	hello := w.plugin("p/outrider-plugin-hello", "hello.greet", "hello.bye")
	w.write("p/README", "no plugin", 0o644)
	w.write("p/other-plugin", "no plugin", 0o755)
	c := w.open("p")
	entries := w.list(c)
	if got := names(entries); got != "hello.bye hello.greet" {
		t.Fatalf("listed %s", got)
	}
	e, err := c.Find(context.Background(), "hello.greet")
	if err != nil {
		t.Fatal(err)
	}
	if e.Component.Doc != "Does hello.greet." || e.Plugin != hello || e.Args != nil || e.Source != hello ||
		len(e.SHA256) != 64 || e.Program != "" || e.Version != "1.2.3" || string(e.Component.Params) != `{"type":"object"}` {
		t.Errorf("found %+v", e)
	}
	if got := w.runs(); !slices.Equal(got, []string{"outrider-plugin-hello"}) {
		t.Errorf("ran %v", got)
	}
}

func TestFindMiss(t *testing.T) {
	w := newWorld(t)
	w.plugin("p/outrider-plugin-hello", "hello.greet", "hello.bye")
	w.shell("p/outrider-plugin-broken", "exit 3")
	_, err := w.open("p").Find(context.Background(), "hello.gret")
	var miss *catalog.NotFound
	if !errors.As(err, &miss) {
		t.Fatalf("got %v", err)
	}
	if miss.Name != "hello.gret" || len(miss.Near) == 0 || miss.Near[0] != "hello.greet" || len(miss.Problems) != 1 {
		t.Errorf("got %+v", miss)
	}
	for _, want := range []string{`"hello.gret"; did you mean hello.greet`, "outrider-plugin-broken: describe: exit status 3"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

func TestFirstFolderWins(t *testing.T) {
	w := newWorld(t)
	one := w.plugin("a/outrider-plugin-x", "x.one", "x.two")
	w.plugin("b/outrider-plugin-x", "x.two", "x.three")
	c := w.open("a", "b")
	entries := w.list(c, [2]string{"b/outrider-plugin-x", "its component x.two is not used: " + one + " has it too and comes first"})
	if got := names(entries); got != "x.one x.three x.two" {
		t.Errorf("listed %s", got)
	}
	for _, dirs := range [][]string{{"a", "b"}, {"b", "a"}} {
		e, err := w.open(dirs...).Find(context.Background(), "x.two")
		if want := filepath.Join(w.root, dirs[0], "outrider-plugin-x"); err != nil || e.Source != want {
			t.Errorf("%v: found %s, %v; want %s", dirs, e.Source, err, want)
		}
	}
}

func TestFoldersAndFilesByTwoNames(t *testing.T) {
	w := newWorld(t)
	path := w.plugin("a/outrider-plugin-x", "x.one")
	if err := os.Symlink(filepath.Join(w.root, "a"), filepath.Join(w.root, "b")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(w.root, "c"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(w.root, "c/outrider-plugin-y")); err != nil {
		t.Fatal(err)
	}
	entries := w.list(w.open("a", "b", "c"))
	if len(entries) != 1 || entries[0].Source != path {
		t.Errorf("listed %+v", entries)
	}
}

func TestMissingFolders(t *testing.T) {
	w := newWorld(t)
	w.write("file", "", 0o644)
	w.list(w.open("none", "file"), [2]string{"none", "no such file"}, [2]string{"file", "not a directory"})
	o := w.options("none")
	o.Dirs[0].Origin = catalog.OriginUser
	w.list(catalog.Open(o))
}

func TestProblemsStopNobody(t *testing.T) {
	w := newWorld(t)
	w.plugin("p/outrider-plugin-good", "good.one")
	w.write("p/outrider-plugin-plain", "text", 0o644)
	w.write("p/outrider-plugin-text", "text that no kernel runs", 0o755)
	w.write("p/outrider-plugin-truncated", "\x7fELF\x02\x01\x01", 0o755)
	w.write("p/outrider-plugin-noshell", "#!/nowhere/sh\n", 0o755)
	w.write("p/outrider-plugin-folder/x", "", 0o755)
	w.write("p/outrider-plugin-open", "#!/bin/sh\n", 0o777)
	w.shell("p/outrider-plugin-exit", "echo not so >&2; echo second >&2; exit 7")
	w.shell("p/outrider-plugin-killed", "kill -SEGV $$")
	w.shell("p/outrider-plugin-nojson", "echo hello")
	w.shell("p/outrider-plugin-twice", `echo '{"components":[]}'; echo '{"components":[]}'`)
	w.shell("p/outrider-plugin-silent", "")
	w.shell("p/outrider-plugin-badname", `echo '{"components":[{"name":"Bad","params":{}}]}'`)
	w.shell("p/outrider-plugin-none", `echo '{"components":[]}'`)
	w.shell("p/outrider-plugin-newer", `echo '{"protocols":[7],"components":[{"name":"newer.one","params":{}}]}'`)
	w.write("p/bad.component.yml", "name: bad.one\ncomand: [x]\n", 0o644)
	w.write("p/folder.component.yml/x", "", 0o644)
	w.write("p/.hidden.component.yml", "bad", 0o644)
	if err := os.Symlink("nowhere", filepath.Join(w.root, "p/outrider-plugin-dangling")); err != nil {
		t.Fatal(err)
	}
	problems := [][2]string{
		{"p/outrider-plugin-plain", "not executable"},
		{"p/outrider-plugin-text", "exec format error"},
		{"p/outrider-plugin-truncated", "describe: "},
		{"p/outrider-plugin-noshell", "no such file"},
		{"p/outrider-plugin-folder", "is a folder"},
		{"p/outrider-plugin-open", "refused: anyone may write to it"},
		{"p/outrider-plugin-exit", "describe: exit status 7: not so"},
		{"p/outrider-plugin-killed", "describe: killed by SIGSEGV"},
		{"p/outrider-plugin-nojson", "what it prints is no manifest"},
		{"p/outrider-plugin-twice", "what it prints is no manifest"},
		{"p/outrider-plugin-silent", "what it prints is no manifest"},
		{"p/outrider-plugin-badname", `component name "Bad"`},
		{"p/outrider-plugin-none", "serves no component"},
		{"p/outrider-plugin-newer", "speaks protocol [7], this host 1"},
		{"p/bad.component.yml", "line 2, column 1: comand: unknown key"},
		{"p/folder.component.yml", "is a folder"},
		{"p/outrider-plugin-dangling", "is a link to nothing"},
	}
	c := w.open("p")
	for range 2 { // cold and warm
		if got := names(w.list(c, problems...)); got != "good.one newer.one" {
			t.Errorf("listed %s", got)
		}
		c = w.open("p")
	}
	if e, err := c.Find(context.Background(), "good.one"); err != nil || e.Component.Name != "good.one" {
		t.Errorf("found %+v, %v", e, err)
	}
}

func TestBrokenPluginIsAskedAgainOnlyWhenItMatters(t *testing.T) {
	w := newWorld(t)
	w.shell("p/outrider-plugin-a", "test -e "+w.root+"/mended || exit 1\necho '{\"components\":[{\"name\":\"a.one\",\"params\":{}}]}'")
	w.plugin("p/outrider-plugin-b", "b.one")
	w.list(w.open("p"), [2]string{"p/outrider-plugin-a", "exit status 1"})
	w.runs()
	if _, err := w.open("p").Find(context.Background(), "b.one"); err != nil {
		t.Fatal(err)
	}
	if got := w.runs(); len(got) != 0 {
		t.Errorf("a hit ran %v", got)
	}
	w.write("mended", "", 0o644)
	if _, err := w.open("p").Find(context.Background(), "a.one"); err != nil {
		t.Errorf("mended from outside: %v", err)
	}
}

func TestWorldWritableFolder(t *testing.T) {
	for _, mode := range []os.FileMode{0o777, 0o777 | os.ModeSticky, 0o702} {
		t.Run(mode.String(), func(t *testing.T) {
			w := newWorld(t)
			w.plugin("bad/outrider-plugin-x", "x.one")
			w.write("bad/s.component.yml", "name: s.one\ncommand: [cat]\n", 0o644)
			w.plugin("good/outrider-plugin-y", "y.one", "s.one")
			bad := filepath.Join(w.root, "bad")
			// While the folder was in order the plugin was known.
			w.list(w.open("bad"), [2]string{"bad/s.component.yml", "needs the plugin outrider-plugin-script"})
			if err := os.Chmod(bad, mode); err != nil {
				t.Fatal(err)
			}
			w.runs()
			c := w.open("bad", "good")
			entries := w.list(c, [2]string{"bad", "refused: anyone may write to it (chmod o-w); it has 2 plugins and manifests"})
			if got := names(entries); got != "s.one y.one" {
				t.Errorf("listed %s", got)
			}
			for _, name := range []string{"x.one", "s.one"} {
				if _, err := c.Find(context.Background(), name); err == nil || !strings.Contains(err.Error(), "folder "+bad+": refused") {
					t.Errorf("%s: got %v", name, err)
				}
			}
			if _, err := c.Find(context.Background(), "y.one"); err != nil {
				t.Error(err)
			}
			var miss *catalog.NotFound
			if _, err := c.Find(context.Background(), "z.one"); !errors.As(err, &miss) || !strings.Contains(err.Error(), bad) {
				t.Errorf("a miss does not tell of the folder: %v", err)
			}
			if got := w.runs(); slices.Contains(got, "outrider-plugin-x") {
				t.Errorf("ran %v", got)
			}
		})
	}
}

func TestWorldWritableFile(t *testing.T) {
	w := newWorld(t)
	path := w.plugin("p/outrider-plugin-x", "x.one")
	w.list(w.open("p"))
	w.runs()
	if err := os.Chmod(path, 0o757); err != nil {
		t.Fatal(err)
	}
	if _, err := w.open("p").Find(context.Background(), "x.one"); err == nil || !strings.Contains(err.Error(), "anyone may write to it") {
		t.Errorf("got %v", err)
	}
	if got := w.runs(); len(got) != 0 {
		t.Errorf("ran %v", got)
	}
}

func TestScripts(t *testing.T) {
	w := newWorld(t)
	server := w.shell("b/outrider-plugin-script", "exit 1")
	source := w.write("a/load.component.yml", "name: t.load\ndoc: Loads.\ninterpreter: python\ncommand: [lib/load.py]\n", 0o644)
	program := w.write("a/lib/load.py", "pass\n", 0o644)
	w.write("a/psql.component.yml", "name: t.psql\ncommand: [psql]\n", 0o644)
	w.write("a/run.component.yml", "name: t.run\ncommand: [./run.sh]\n", 0o644)
	w.write("a/run.sh", "#!/bin/sh\n", 0o644)
	w.write("a/gone.component.yml", "name: t.gone\ncommand: [./gone.sh]\n", 0o644)
	w.write("a/open.component.yml", "name: t.open\ncommand: [./open.sh]\n", 0o644)
	w.write("a/open.sh", "#!/bin/sh\n", 0o777)
	w.write("a/far.component.yml", "name: t.far\ncommand: [far/run.sh]\n", 0o644)
	w.write("a/far/run.sh", "#!/bin/sh\n", 0o755)
	if err := os.Chmod(filepath.Join(w.root, "a/far"), 0o777); err != nil {
		t.Fatal(err)
	}
	problems := [][2]string{
		{"a/run.component.yml", "its program " + w.root + "/a/run.sh: not executable"},
		{"a/gone.component.yml", "its program " + w.root + "/a/gone.sh: no such file"},
		{"a/open.component.yml", "its program " + w.root + "/a/open.sh: refused: anyone may write to it"},
		{"a/far.component.yml", "the folder of its program " + w.root + "/a/far/run.sh: refused: anyone may write to it"},
	}
	c := w.open("a", "b")
	for range 2 {
		if got := names(w.list(c, problems...)); got != "t.load t.psql" {
			t.Errorf("listed %s", got)
		}
		c = w.open("a", "b")
	}
	e, err := c.Find(context.Background(), "t.load")
	if err != nil {
		t.Fatal(err)
	}
	if e.Plugin != server || !slices.Equal(e.Args, []string{"--manifest", source}) || e.Source != source || e.Program != program ||
		e.Component.Doc != "Loads." || string(e.Component.Params) != `{"type":"object","additionalProperties":false}` {
		t.Errorf("found %+v", e)
	}
	if e, err = c.Find(context.Background(), "t.psql"); err != nil || e.Program != "" {
		t.Errorf("found %+v, %v", e, err)
	}
	if _, err := c.Find(context.Background(), "t.run"); err == nil || !strings.Contains(err.Error(), "not executable") {
		t.Errorf("got %v", err)
	}
	if got := w.runs(); len(got) != 0 {
		t.Errorf("ran %v", got)
	}
	if _, err := w.open("a").Find(context.Background(), "t.load"); err == nil || !strings.Contains(err.Error(), "needs the plugin outrider-plugin-script") {
		t.Errorf("without the script plugin: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	w := newWorld(t)
	w.shell("p/outrider-plugin-slow", "exec sleep 600")
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		for w.runsSoFar() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel(errors.New("enough"))
	}()
	if _, err := w.open("p").Find(ctx, "slow.one"); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("got %v", err)
	}
}

func (w *world) runsSoFar() int {
	data, _ := os.ReadFile(w.ran)
	return len(data)
}
