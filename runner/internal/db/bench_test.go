package db_test

import (
	"context"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// BenchmarkOpen opens and closes a database that is up to date: beside another
// process that has it open, and alone, where SQLite sets up and takes down -wal.
func BenchmarkOpen(b *testing.B) {
	for _, c := range []struct {
		name  string
		url   string
		alone bool
	}{{"sqlite/beside", dbtest.SQLite(b), false}, {"sqlite/alone", dbtest.SQLite(b), true}, {"postgres", dbtest.Postgres(b), true}} {
		b.Run(c.name, func(b *testing.B) {
			d := open(b, c.url, steps(2))
			if c.alone {
				_ = d.Close()
			}
			for b.Loop() {
				d, err := db.Open(b.Context(), c.url, steps(2))
				if err != nil {
					b.Fatal(err)
				}
				_ = d.Close()
			}
		})
	}
}

// BenchmarkRun opens, writes twice and closes, as a run does.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		name    string
		url     string
		durable bool
	}{{"sqlite", dbtest.SQLite(b), false}, {"sqlite/durable", dbtest.SQLite(b), true}, {"postgres", dbtest.Postgres(b), false}} {
		b.Run(c.name, func(b *testing.B) {
			o := steps(2)
			o.Durable = c.durable
			_ = open(b, c.url, o).Close()
			for b.Loop() {
				d, err := db.Open(b.Context(), c.url, o)
				if err != nil {
					b.Fatal(err)
				}
				for range 2 {
					err := d.Write(b.Context(), func(ctx context.Context, tx *db.Tx) error {
						_, err := tx.Exec(ctx, "insert into item (id, note) select coalesce(max(id), 0) + 1, ? from item", "x")
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				_ = d.Close()
			}
		})
	}
}
