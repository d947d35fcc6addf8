package db_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// process is this binary, started again as one of the processes below.
type process struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// begin starts a process. What it prints is read line by line.
func begin(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := prepare(t, name, args...)
	p.start(t)
	return p
}

func prepare(t *testing.T, name string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childVar+"="+name)
	cmd.Stderr = os.Stderr
	return &process{Cmd: cmd}
}

func (p *process) start(t *testing.T) {
	t.Helper()
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewScanner(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill() // most have ended by then
		_ = p.Wait()
	})
}

// line waits for the process to print a line.
func (p *process) line(t *testing.T) string {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("%v ended: %v", p.Args[1:], p.Wait())
	}
	return p.out.Text()
}

// children is what the processes can be.
var children = map[string]func(args []string) error{"open": childOpen, "write": childWrite}

// child is one of them; it prints its error.
func child(name string, args []string) int {
	if err := children[name](args); err != nil {
		fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
		return 1
	}
	return 0
}

// childOpen opens a database with so many migrations as soon as stdin ends and
// writes a row: URL, number of migrations, id.
func childOpen(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = io.ReadAll(os.Stdin)
	ctx := context.Background()
	d, err := db.Open(ctx, args[0], steps(n))
	if err != nil {
		return err
	}
	err = d.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "insert into item (id, note) values (?, 'child')", args[2])
		return err
	})
	if err != nil {
		return err
	}
	fmt.Println("done")
	return d.Close()
}

// childWrite opens a database and writes row after row, and prints the number of
// each when its commit has been acknowledged: URL, first id.
func childWrite(args []string) error {
	id, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	ctx := context.Background()
	d, err := db.Open(ctx, args[0], steps(2))
	if err != nil {
		return err
	}
	note := make([]byte, 3000) // more than a few pages a checkpoint
	for i := range note {
		note[i] = 'a' + byte(i%26)
	}
	for ; ; id++ {
		err := d.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into item (id, note) values (?, ?)", id, string(note))
			if err == nil {
				_, err = tx.Exec(ctx, "insert into mark (item) values (?)", id)
			}
			return err
		})
		if err != nil {
			return err
		}
		fmt.Println(id)
	}
}
