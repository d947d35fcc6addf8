package db_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// damages make no database of one.
var damages = map[string]func(t *testing.T, file string){
	"text": func(t *testing.T, file string) {
		save(t, file, bytes.Repeat([]byte("no database\n"), 400))
	},
	"a short text": func(t *testing.T, file string) { save(t, file, []byte("no database\n")) },
	"zeroed begin": func(t *testing.T, file string) { smash(t, file, 0, 4096) },
	// The header is whole: it opens, and what is in it is seen later.
	"smashed tables": func(t *testing.T, file string) { smash(t, file, 4096, 1<<20) },
	"cut off": func(t *testing.T, file string) {
		if err := os.Truncate(file, 4096); err != nil {
			t.Fatal(err)
		}
	},
}

// TestDamagedIsMovedAside: nothing of it is lost or changed, whoever uses it is
// told where it is, and only the next Open begins anew.
func TestDamagedIsMovedAside(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "test.db")
			d := open(t, "sqlite:"+file, steps(2))
			for id := range 50 {
				write(t, d, "insert into item (id, note) values (?, ?)", id, strings.Repeat("x", 2000))
			}
			_ = d.Close()
			damage(t, file)
			was := read(t, file)
			d, err := db.Open(t.Context(), "sqlite:"+file, steps(2))
			if err == nil {
				err = use(t, d)
				if again := use(t, d); !errors.Is(again, db.ErrCorrupt) {
					t.Errorf("used again: %v", again)
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
			aside := filepath.Clean(asideOf(t, file))
			t.Log(err)
			if !errors.Is(err, db.ErrCorrupt) || !strings.Contains(err.Error(), file+": ") || !strings.Contains(err.Error(), aside+";") {
				t.Errorf("got %v", err)
			}
			if !bytes.Equal(read(t, aside), was) {
				t.Error("it has changed")
			}
			if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("something is in its place: %v", err)
			}
			d = open(t, "sqlite:"+file, steps(2))
			write(t, d, "insert into item (id, note) values (1, '')")
		})
	}
}

// TestDamagedWithItsLog: what was not yet in the file goes with it.
func TestDamagedWithItsLog(t *testing.T) {
	from := filepath.Join(t.TempDir(), "from.db")
	d := open(t, "sqlite:"+from, steps(2))
	for id := range 50 {
		write(t, d, "insert into item (id, note) values (?, ?)", id, strings.Repeat("x", 2000))
	}
	_ = d.Close() // all is in the file now
	d = open(t, "sqlite:"+from, steps(2))
	write(t, d, "insert into item (id, note) values (100, 'the last entry')")
	whole, log, last := read(t, from), read(t, from+"-wal"), []byte("the last entry")
	if bytes.Contains(whole, last) {
		t.Fatal("it is in the file")
	}
	for _, begin := range []int{0, 4096} {
		file := filepath.Join(t.TempDir(), "test.db")
		save(t, file, whole)
		save(t, file+"-wal", log)
		smash(t, file, begin, 1<<20)
		d, err := db.Open(t.Context(), "sqlite:"+file, steps(2))
		if err == nil {
			err = use(t, d)
		}
		if !errors.Is(err, db.ErrCorrupt) {
			t.Fatalf("from %d: %v", begin, err)
		}
		// Where not even the header was whole, SQLite has put the one into the other.
		there, _ := os.ReadFile(asideOf(t, file) + "-wal")
		if !bytes.Contains(append(there, read(t, asideOf(t, file))...), last) || begin > 0 && !bytes.Equal(there, log) {
			t.Errorf("from %d: what was only in -wal is lost", begin)
		}
		d = open(t, "sqlite:"+file, steps(2))
		if n := number(t, d, "select count(*) from item"); n != 0 {
			t.Error("the log of the old one is in the new one")
		}
	}
}

// TestDamagedInUseIsLeft: to rename it would part those who have it open from
// those who come.
func TestDamagedInUseIsLeft(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	_ = open(t, "sqlite:"+file, steps(2)).Close()
	holder := open(t, "sqlite:"+file, steps(2))
	smash(t, file, 0, 100)
	_, err := db.Open(t.Context(), "sqlite:"+file, steps(2))
	if !errors.Is(err, db.ErrCorrupt) || !strings.Contains(err.Error(), "other processes have it open") {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	_ = holder.Close()
	if _, err = db.Open(t.Context(), "sqlite:"+file, steps(2)); !errors.Is(err, db.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
	asideOf(t, file)
}

// use writes and reads until one of them finds damage.
func use(t *testing.T, d *db.DB) error {
	var size int64
	err := d.Read(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, "select sum(length(note)) from item").Scan(&size)
	})
	if err != nil {
		return err
	}
	return d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "insert into item (id, note) values (1000, '')")
		return err
	})
}

// asideOf finds the one file that file was renamed to.
func asideOf(t *testing.T, file string) string {
	t.Helper()
	found, err := filepath.Glob(file + ".damaged-*Z")
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	return found[0]
}

func smash(t *testing.T, file string, from, n int) {
	t.Helper()
	b := read(t, file)
	for i := from; i < min(from+n, len(b)); i++ {
		b[i] = 0xa5
	}
	save(t, file, b)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func save(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
