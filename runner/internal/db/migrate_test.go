package db_test

import (
	"errors"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// TestTwentyProcessesMigrateAtOnce on an empty database and on an older one.
func TestTwentyProcessesMigrateAtOnce(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		for _, upTo := range []int{1, 3} {
			var all []*process
			for i := range 20 {
				p := begin(t, "open", url, strconv.Itoa(upTo), strconv.Itoa(upTo*100+i))
				p.line(t)
				all = append(all, p)
			}
			for _, p := range all {
				_ = p.in.Close()
			}
			for _, p := range all {
				if got := p.line(t); got != "done" {
					t.Errorf("up to %d: %s", upTo, got)
				}
			}
			d := open(t, url, steps(upTo))
			if n := number(t, d, "select count(*) from item"); n != int64(20*(upTo+1)/2) {
				t.Errorf("up to %d: %d rows", upTo, n)
			}
			// goose notes a migration 0 besides.
			if n := number(t, d, "select count(*) from test_migration"); n != int64(upTo+1) {
				t.Errorf("up to %d: %d migrations are noted", upTo, n)
			}
			_ = d.Close()
		}
	})
}

// TestANewFileIsNobodyElses at any moment while others make its tables.
func TestANewFileIsNobodyElses(t *testing.T) {
	for range 40 {
		url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				d, err := db.Open(t.Context(), url, steps(3))
				if err != nil {
					t.Error(err)
					return
				}
				_ = d.Close()
			})
		}
		all.Wait()
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		_ = open(t, url, steps(3)).Close()
		_, err := db.Open(t.Context(), url, steps(2))
		if !errors.Is(err, db.ErrNewer) {
			t.Fatalf("got %v", err)
		}
		where := strings.TrimPrefix(url, "sqlite:")
		if strings.HasPrefix(url, "postgres") {
			where = "database " + filepath.Base(strings.Split(url, "?")[0])
		}
		for _, want := range []string{where, "version 3", "knows 2", "install"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
	})
}

// TestMigrationIsAllOrNothing breaks the third of three.
func TestMigrationIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		_ = open(t, url, steps(1)).Close()
		broken := steps(3)
		files := maps.Clone(broken.Migrations.(fstest.MapFS))
		for _, kind := range []string{"sqlite", "postgres"} {
			files[kind+"/00003_step.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\ncreate table late (id bigint);\nnonsense;\n")}
		}
		broken.Migrations = files
		if _, err := db.Open(t.Context(), url, broken); err == nil || !strings.Contains(err.Error(), "version:3") {
			t.Fatalf("got %v", err)
		}
		d := open(t, url, steps(1)) // and not refused as newer
		write(t, d, "create table mark (x bigint)")
		write(t, d, "create table late (x bigint)")
		_ = d.Close()
	})
}

// TestTablesOfOthersAreLeftAlone: on PostgreSQL in another schema; a SQLite file
// belongs to one.
func TestTablesOfOthersAreLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		_ = open(t, url, steps(1)).Close()
		other := steps(1)
		other.Table = "other_migration"
		d, err := db.Open(t.Context(), url, other)
		if strings.HasPrefix(url, "sqlite") {
			if !errors.Is(err, db.ErrRefused) || !strings.Contains(err.Error(), "something else") {
				t.Errorf("got %v", err)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), "item") {
			t.Errorf("the table item was made twice in one schema: %v, %v", d, err)
		}
	})
}
