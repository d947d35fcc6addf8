package db_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// TestKilledInMidWrite kills a process that writes, 200 times: what it was told is
// there stays, and the file is sound.
func TestKilledInMidWrite(t *testing.T) {
	const kills = 200
	url := dbtest.SQLite(t)
	d := open(t, url, steps(2))
	_ = d.Close()
	told := map[int64]bool{}
	next := int64(1)
	for range kills {
		p := begin(t, "write", url, strconv.FormatInt(next, 10))
		p.line(t)
		told[next] = true
		time.AfterFunc(time.Duration(rand.IntN(8000))*time.Microsecond, func() { _ = p.Process.Kill() })
		for p.out.Scan() {
			id, err := strconv.ParseInt(p.out.Text(), 10, 64)
			if err != nil {
				t.Fatal(p.out.Text())
			}
			told[id] = true
			next = id
		}
		_ = p.Wait() // it was killed
		next += 2    // one more may be there, that it was not told
	}
	d = open(t, url, steps(2))
	if n := number(t, d, "select count(*) from pragma_integrity_check where integrity_check = 'ok'"); n != 1 {
		t.Error("integrity_check finds damage")
	}
	there := number(t, d, "select count(*) from item")
	if marks := number(t, d, "select count(*) from mark"); marks != there {
		t.Errorf("half a transaction: %d items, %d marks", there, marks)
	}
	lost := 0
	for id := range told {
		if number(t, d, "select count(*) from item where id = ?", id) != 1 {
			lost++
		}
	}
	t.Logf("%d kills, %d commits acknowledged, %d there, %d lost", kills, len(told), there, lost)
	if lost != 0 || there > int64(len(told)+kills) {
		t.Error("commits are lost or made up")
	}
}
