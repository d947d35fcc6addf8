package db

import (
	"context"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// TestWritersTakeTurns: who writes again and again lets everybody else in between,
// once for each of its own writes.
func TestWritersTakeTurns(t *testing.T) {
	url := dbtest.SQLite(t)
	o := Options{Table: "versions", Migrations: fstest.MapFS{
		"sqlite/1_t.sql": {Data: []byte("-- +goose Up\nCREATE TABLE t (who TEXT);")},
	}}
	open := func() *DB {
		d, err := Open(t.Context(), url, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	write := func(d *DB, who string) error {
		return d.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO t VALUES (?)", who); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond) // the work of a write
			return nil
		})
	}
	greedy, others := open(), []*DB{open(), open(), open()}
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := write(greedy, "greedy"); err != nil {
				t.Error(err)
				return
			}
		}
	})
	const each = 10
	var polite sync.WaitGroup
	for _, d := range others {
		polite.Go(func() {
			for range each {
				if err := write(d, "polite"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	polite.Wait()
	close(stop)
	all.Wait()
	var greedily int
	err := greedy.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
		return tx.QueryRow(ctx, "SELECT count(*) FROM t WHERE who = 'greedy'").Scan(&greedily)
	})
	if err != nil || greedily > 2*each {
		t.Errorf("%d writes of the greedy one beside %d of each other, %v", greedily, each, err)
	}
}
