package db_test

import (
	"context"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// childVar in the environment makes this binary one of the processes that a test
// needs; it names which. No test runs in it.
const childVar = "OUTRIDER_DB_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childVar); name != "" {
		os.Exit(child(name, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// steps are migrations up to a number.
func steps(upTo int) db.Options {
	all := []string{
		"create table item (id bigint primary key, note text not null)",
		"create table mark (item bigint not null references item (id));\nalter table item add column size bigint not null default 7",
		"create table late (id bigint)",
	}
	fs := fstest.MapFS{}
	for i, text := range all[:upTo] {
		for _, kind := range []db.Kind{db.SQLite, db.Postgres} {
			fs[string(kind)+"/0000"+string(rune('1'+i))+"_step.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text + ";\n")}
		}
	}
	return db.Options{Migrations: fs, Table: "test_migration"}
}

// each runs a test on both stores.
func each(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, dbtest.SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, dbtest.Postgres(t)) })
}

func open(t testing.TB, url string, o db.Options) *db.DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, err := db.Open(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func write(t testing.TB, d *db.DB, query string, args ...any) {
	t.Helper()
	err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// number reads one number.
func number(t testing.TB, d *db.DB, query string, args ...any) (n int64) {
	t.Helper()
	err := d.Read(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, query, args...).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
