package state

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

func env(kv map[string]string) func(string) string {
	return func(k string) string { return kv[k] }
}

func open(t *testing.T, root string) Dir {
	t.Helper()
	d, err := Open(env(map[string]string{"OUTRIDER_STATE": root}))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// short makes a root in which there is room for sockets: the runs of a longer one stand
// in a folder that the tests of other packages use too.
func short(t *testing.T) string {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	return root
}

func TestPath(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string
		err  string
	}{
		"asked for":  {env: map[string]string{"OUTRIDER_STATE": "/x/y/"}, want: "/x/y"},
		"relative":   {env: map[string]string{"OUTRIDER_STATE": "x"}, err: "OUTRIDER_STATE=x is not an absolute path"},
		"user's":     {env: map[string]string{"XDG_STATE_HOME": "/s", "HOME": "/h"}, want: "/s/outrider"},
		"home":       {env: map[string]string{"HOME": "/h"}, want: "/h/.local/state/outrider"},
		"nothing":    {err: "neither OUTRIDER_STATE nor HOME is set"},
		"odd xdg":    {env: map[string]string{"XDG_STATE_HOME": "s", "HOME": "/h"}, want: "/h/.local/state/outrider"},
		"empty home": {env: map[string]string{"HOME": ""}, err: "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Path(env(c.env))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Fatalf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestOpenRefusesAFolderThatOthersCanWrite(t *testing.T) {
	root := filepath.Join(t.TempDir(), "state")
	open(t, root)
	if err := os.Chmod(root, 0o777); err != nil {
		t.Fatal(err)
	}
	d := open(t, root)
	if d.Temporary == nil || !strings.Contains(d.Temporary.Error(), "can be written by every user") {
		t.Fatalf("Temporary = %v", d.Temporary)
	}
	if d.Root() == root {
		t.Fatal("the folder is in use all the same")
	}
}

func TestOpenFallsBackWhereItCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, filepath.Join(file, "state"))
	if d.Temporary == nil {
		t.Fatal("no word about the folder that could not be made")
	}
	r, err := d.NewRun(ulid.Make().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLongRootLeavesRoomForSockets(t *testing.T) {
	t.Setenv("TMPDIR", "/tmp")
	d := open(t, filepath.Join(t.TempDir(), strings.Repeat("x", 100)))
	r, err := d.NewRun(ulid.Make().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := len(r.Path + "/plugin-dir4294967295/plugin4294967295"); n > socketPath {
		t.Fatalf("a socket's path would have %d bytes", n)
	}
	if d.Temporary != nil {
		t.Fatalf("state itself moved: %v", d.Temporary)
	}
}

func TestRunDirIsGoneAfterClose(t *testing.T) {
	d := open(t, short(t))
	r, err := d.NewRun("A")
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(r.Path); err != nil || st.Mode().Perm() != 0o700 {
		t.Fatalf("folder: %v %v", st, err)
	}
	if n, err := d.Sweep(context.Background()); n != 0 || err != nil {
		t.Fatalf("swept %d living runs, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if names, _ := d.runNames(); len(names) != 0 {
		t.Fatalf("left: %v", names)
	}
}

// TestSweepAfterKill kills the holder of a run with a real signal.
func TestSweepAfterKill(t *testing.T) {
	root := short(t)
	holder := exec.Command(os.Args[0], "-test.run=^TestHelperHold$", "-test.v")
	holder.Env = append(os.Environ(), "HOLD_STATE="+root)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	for sc := bufio.NewScanner(out); sc.Scan() && sc.Text() != "held"; {
	}
	d := open(t, root)
	if dead, err := d.Dead(); len(dead) != 0 || err != nil {
		t.Fatalf("dead while it lives: %v, %v", dead, err)
	}
	if err := holder.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	if dead, err := d.Dead(); len(dead) != 1 || err != nil {
		t.Fatalf("dead = %v, %v", dead, err)
	}
	if n, err := d.Sweep(context.Background()); n != 1 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	if names, _ := d.runNames(); len(names) != 0 {
		t.Fatalf("left: %v", names)
	}
}

func TestHelperHold(t *testing.T) {
	root := os.Getenv("HOLD_STATE")
	if root == "" {
		return // only a helper of TestSweepAfterKill
	}
	if _, err := open(t, root).NewRun("HELD"); err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString("held\n")
	for { // a bare select would be a deadlock to a program that was built without cgo
		time.Sleep(time.Hour)
	}
}

// TestSweepNeverTakesALivingRun lets sweeps race the creation of runs.
func TestSweepNeverTakesALivingRun(t *testing.T) {
	d := open(t, short(t))
	ctx, stop := context.WithCancel(context.Background())
	var sweeps sync.WaitGroup
	for range 2 {
		sweeps.Go(func() {
			for ctx.Err() == nil {
				if _, err := d.Sweep(ctx); err != nil && !os.IsNotExist(err) {
					t.Errorf("sweep: %v", err)
				}
			}
		})
	}
	for range 300 {
		r, err := d.NewRun(ulid.Make().String())
		if err != nil {
			t.Error(err)
			break
		}
		if _, err := os.Stat(r.Path); err != nil {
			t.Errorf("a living run's folder was swept: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	stop()
	sweeps.Wait()
}
