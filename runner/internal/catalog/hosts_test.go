package catalog_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostEnv makes this test binary a host that lists a folder again and again.
const hostEnv = "CATALOG_TEST_HOST"

func TestMain(m *testing.M) {
	if root := os.Getenv(hostEnv); root != "" {
		os.Exit(host(root))
	}
	os.Exit(m.Run())
}

const (
	hosts   = 4
	rounds  = 15
	plugins = 12
)

// host fails when it ever gets a wrong answer.
func host(root string) int {
	w := &world{root: root, cache: filepath.Join(root, "cache"), ran: filepath.Join(root, "ran")}
	for i := range rounds {
		c := w.open("p")
		entries, problems := c.List(context.Background())
		for _, p := range problems {
			if !strings.Contains(p.String(), "outrider-plugin-moving: changes while") {
				fmt.Println("problem:", p)
				return 1
			}
		}
		if len(entries)+len(problems) != plugins+1 {
			fmt.Println("listed", names(entries))
			return 1
		}
		for _, e := range entries {
			if e.Component.Doc != "Does "+e.Component.Name+"." {
				fmt.Printf("listed %+v\n", e)
				return 1
			}
		}
		name := fmt.Sprintf("x%d.one", i%plugins)
		if e, err := w.open("p").Find(context.Background(), name); err != nil || e.Component.Name != name {
			fmt.Printf("found %+v, %v\n", e, err)
			return 1
		}
	}
	return 0
}

// asked grows with every plugin that is run.
func (w *world) asked() int64 {
	info, err := os.Stat(w.ran)
	if err != nil {
		return 0
	}
	return info.Size()
}

// TestHostsAtOnce: several hosts on one cache, while one plugin is replaced over
// and over and the cache is damaged, always get the right answers, and leave a
// cache that is whole.
func TestHostsAtOnce(t *testing.T) {
	w := newWorld(t)
	for i := range plugins {
		w.plugin(fmt.Sprintf("p/outrider-plugin-x%d", i), fmt.Sprintf("x%d.one", i))
	}
	moving := w.plugin("p/outrider-plugin-moving", "moving.v0")
	running := make(chan struct{})
	var wg sync.WaitGroup
	for range hosts {
		wg.Go(func() {
			var out bytes.Buffer
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), hostEnv+"="+w.root)
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil {
				t.Errorf("a host: %v: %s", err, out.String())
			}
		})
	}
	go func() {
		wg.Wait()
		close(running)
	}()
	// Each version is there until some host has asked it, so that all others are
	// in the middle of something when it goes.
	version, asked := 0, int64(0)
	for done := false; !done; {
		for !done && w.asked() == asked {
			select {
			case <-running:
				done = true
			case <-time.After(time.Millisecond):
			}
		}
		asked = w.asked()
		version++
		next := w.plugin("next", "moving.v"+strconv.Itoa(version))
		if err := os.Rename(next, moving); err != nil {
			t.Fatal(err)
		}
		if version%10 == 0 {
			_ = os.WriteFile(w.index(), []byte(`{"format":1,"files":{"`), 0o600)
		}
	}
	entries := w.list(w.open("p"))
	if got := names(entries); len(entries) != plugins+1 || !strings.Contains(got, "moving.v"+strconv.Itoa(version)) {
		t.Errorf("after %d versions listed %s", version, got)
	}
	w.runs()
	w.list(w.open("p"))
	if got := w.runs(); len(got) > 0 {
		t.Errorf("the cache is not whole: ran %v", got)
	}
}

// TestAtOnceInOneProcess is for the race detector.
func TestAtOnceInOneProcess(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		w.plugin(fmt.Sprintf("p/outrider-plugin-x%d", i), fmt.Sprintf("x%d.one", i))
	}
	c := w.open("p")
	lock, err := w.open("p").Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if entries, problems := c.List(context.Background()); len(entries) != 6 || len(problems) > 0 {
				t.Errorf("listed %s, %v", names(entries), problems)
			}
			e, err := c.Find(context.Background(), fmt.Sprintf("x%d.one", i))
			if err == nil {
				err = c.CheckEntry(e, lock)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// fifty is a machine with 50 plugins that the cache knows, each with a schema of
// some size.
func fifty(b *testing.B) *world {
	w := newWorld(b)
	var props []string
	for i := range 15 {
		props = append(props, fmt.Sprintf(`"field_%d":{"type":"string","description":"What the field %d is for, in a few words.","default":"x"}`, i, i))
	}
	for i := range 50 {
		w.shell(fmt.Sprintf("p/outrider-plugin-x%d", i), fmt.Sprintf(
			`echo '{"protocols":[1],"components":[{"name":"x%d.one","doc":"One.","params":{"type":"object","properties":{%s}}},{"name":"x%d.two","params":{"type":"object"}}]}'`,
			i, strings.Join(props, ","), i))
	}
	if entries, problems := w.open("p").List(context.Background()); len(entries) != 100 || len(problems) > 0 {
		b.Fatalf("listed %s, %v", names(entries), problems)
	}
	return w
}

func BenchmarkWarmList(b *testing.B) {
	w := fifty(b)
	for b.Loop() {
		if entries, _ := w.open("p").List(context.Background()); len(entries) != 100 {
			b.Fatal(names(entries))
		}
	}
}

func BenchmarkWarmFind(b *testing.B) {
	w := fifty(b)
	for b.Loop() {
		if _, err := w.open("p").Find(context.Background(), "x49.two"); err != nil {
			b.Fatal(err)
		}
	}
}
