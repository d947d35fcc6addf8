package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
)

func TestTransactions(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		d := open(t, url, steps(2))
		write(t, d, "insert into item (id, note) values (?, ?), (?, ?)", 1, "one", int64(2), "two?")
		stop := errors.New("stop")
		err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			if n, err := tx.Exec(ctx, "update item set note = ? where id < ?", "gone", 9); n != 2 || err != nil {
				t.Errorf("updated %d, %v", n, err)
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Errorf("Write returned %v", err)
		}
		if n := number(t, d, "select count(*) from item where note = ?", "gone"); n != 0 {
			t.Errorf("%d rows of a transaction that failed are there", n)
		}
		if n := number(t, d, "select size from item where id = ?", 1); n != 7 {
			t.Errorf("size %d", n)
		}
		err = d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into mark (item) values (?)", 99)
			return err
		})
		if err == nil {
			t.Error("a reference to nothing was taken")
		}
		err = d.Write(t.Context(), func(ctx context.Context, _ *db.Tx) error {
			return d.Read(ctx, func(context.Context, *db.Tx) error { return nil })
		})
		if err == nil {
			t.Error("a transaction inside of another was begun")
		}
		err = d.Read(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "delete from item")
			return err
		})
		if err == nil {
			t.Error("a Read wrote")
		}
	})
}

func TestNow(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		d := open(t, url, steps(1))
		err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			var times [2]time.Time
			for i := range times {
				now, err := tx.Now(ctx)
				if err != nil {
					return err
				}
				if now.Location() != time.UTC || now.Nanosecond()%1e6 != 0 || time.Since(now).Abs() > time.Minute {
					t.Errorf("now is %v", now)
				}
				times[i] = now
				time.Sleep(2 * time.Millisecond)
			}
			if !times[1].After(times[0]) {
				t.Errorf("the clock stands still in a transaction: %v", times)
			}
			return tx.Lock(ctx, "name")
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestContextEndsAWait for the write lock of another process.
func TestContextEndsAWait(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		one, two := open(t, url, steps(1)), open(t, url, steps(1))
		err := one.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			if err := tx.Lock(ctx, "all"); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			start := time.Now()
			err := two.Write(ctx, func(ctx context.Context, tx *db.Tx) error { return tx.Lock(ctx, "all") })
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the wait ended with %v", err)
			}
			if took := time.Since(start); took > 30*time.Second { // SQLite's own takes 60 s
				t.Errorf("the wait ended after %s", took)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := two.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return tx.Lock(ctx, "all") }); err != nil {
			t.Error(err)
		}
	})
}
