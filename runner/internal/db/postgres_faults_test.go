package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

func insert(id int) func(context.Context, *db.Tx) error {
	return func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "insert into item (id, note) values (?, '')", id)
		return err
	}
}

// TestServerStopsAndStarts in the middle of use, once in order and once in a crash:
// what was acknowledged is there, and who writes notices a wait.
func TestServerStopsAndStarts(t *testing.T) {
	s := dbtest.New(t, "synchronous_commit=on") // a crash of the server loses nothing then
	d := open(t, s.URL(), steps(2))
	told, doubts := map[int]bool{}, map[int]bool{}
	progress := make(chan int)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for id := 0; ; id++ {
			err := d.Write(ctx, insert(id))
			switch {
			case err == nil:
				told[id] = true
			case errors.Is(err, db.ErrInDoubt):
				doubts[id] = true
			default:
				ended <- err
				return
			}
			select {
			case progress <- id:
			case <-ctx.Done():
				ended <- nil
				return
			}
		}
	}()
	until := func(n int) {
		for range n {
			select {
			case <-progress:
			case err := <-ended:
				t.Fatal(err)
			}
		}
	}
	for _, end := range []func(testing.TB){s.Stop, s.Kill} {
		until(50)
		go func() { until(1) }() // it is writing while the server ends
		end(t)
		s.Start(t)
		until(50)
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	d = open(t, s.URL(), steps(2))
	for id := range told {
		if n := number(t, d, "select count(*) from item where id = ?", id); n != 1 {
			t.Errorf("%d was acknowledged and is there %d times", id, n)
		}
	}
	if n := int(number(t, d, "select count(*) from item")); n < len(told) || n > len(told)+len(doubts)+1 {
		t.Errorf("%d rows, %d acknowledged, %d in doubt", n, len(told), len(doubts))
	}
	t.Logf("%d acknowledged, %d in doubt", len(told), len(doubts))
}

// TestConnectionCut at each point of a transaction.
func TestConnectionCut(t *testing.T) {
	s := dbtest.New(t)
	c, url := s.Cut(t)
	d := open(t, url, steps(2))
	write(t, d, "insert into item (id, note) values (0, '')")
	for i, cut := range []struct {
		word     string
		answered bool
		err      error
		rows     int64
	}{
		{"begin isolation", false, nil, 1},
		{"begin isolation", true, nil, 1},
		{"insert into", false, nil, 1},
		{"insert into", true, nil, 1},
		{"commit\x00", false, db.ErrInDoubt, 0},
		{"commit\x00", true, db.ErrInDoubt, 1},
	} {
		id := i + 1
		c.Arm(cut.word, cut.answered)
		err := d.Write(t.Context(), insert(id))
		if !errors.Is(err, cut.err) || c.Count() != id {
			t.Errorf("%+v: got %v after %d cuts", cut, err, c.Count())
		}
		if n := number(t, d, "select count(*) from item where id = ?", id); n != cut.rows {
			t.Errorf("%+v: it is there %d times", cut, n)
		}
	}
}

// TestConnectionCutInMigration at its begin, in the middle and at its commit.
func TestConnectionCutInMigration(t *testing.T) {
	s := dbtest.New(t)
	c, url := s.Cut(t)
	for i, word := range []string{"max(version_id)", "create schema", "create table mark", "commit\x00"} {
		for _, answered := range []bool{false, true} {
			database := s.Database(t)
			url := strings.Replace(database, strings.Split(database, "?")[1], strings.Split(url, "?")[1], 1)
			c.Arm(word, answered)
			d := open(t, url, steps(2))
			if n := number(t, d, "select count(*) from test_migration"); n != 3 {
				t.Errorf("%s: %d migrations are noted", word, n)
			}
			_ = d.Close()
		}
		if n := c.Count(); n != 2*(i+1) {
			t.Errorf("%s: %d cuts", word, n)
		}
	}
}

// TestTooManyConnections waits for one, and not for ever.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	s := dbtest.New(t, "max_connections=3", "superuser_reserved_connections=0")
	_ = open(t, s.URL(), steps(2)).Close()
	var held []*pgx.Conn
	for {
		c, err := pgx.Connect(t.Context(), s.URL())
		if err != nil {
			break
		}
		held = append(held, c)
	}
	start := time.Now()
	_, err := db.Open(t.Context(), s.URL(), steps(2))
	took := time.Since(start)
	t.Logf("after %s: %v", took, err)
	if !errors.Is(err, db.ErrUnreachable) || !strings.Contains(err.Error(), "max_connections") || took < 5*time.Second || took > 20*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
	freed := make(chan struct{})
	time.AfterFunc(time.Second, func() {
		defer close(freed)
		for _, c := range held {
			_ = c.Close(context.Background())
		}
	})
	write(t, open(t, s.URL(), steps(2)), "insert into item (id, note) values (1, '')")
	<-freed
}

// TestUnreachable also after a connection was there.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	s := dbtest.New(t)
	d := open(t, s.URL(), steps(2))
	s.Stop(t)
	start := time.Now()
	err := d.Write(t.Context(), insert(1))
	took := time.Since(start)
	t.Logf("after %s: %v", took, err)
	if !errors.Is(err, db.ErrUnreachable) || took < 5*time.Second || took > 20*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := d.Write(ctx, insert(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a wait that its context ended: %v", err)
	}
}

func TestReadOnlyServer(t *testing.T) {
	t.Parallel()
	s := dbtest.New(t)
	_ = open(t, s.URL(), steps(2)).Close()
	s.Stop(t)
	s.Start(t, "default_transaction_read_only=on")
	d := open(t, s.URL(), steps(2))
	if err := d.Write(t.Context(), insert(1)); !errors.Is(err, db.ErrRefused) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v", err)
	}
}

// TestDeadlock: one of two is called again.
func TestDeadlock(t *testing.T) {
	url := dbtest.Postgres(t)
	one, two := open(t, url, steps(2)), open(t, url, steps(2))
	for id := range 2 {
		write(t, one, "insert into item (id, note) values (?, '')", id)
	}
	var met [2]chan struct{}
	for i := range met {
		met[i] = make(chan struct{})
	}
	tries := make(chan int, 10)
	errs := make(chan error)
	for i, d := range []*db.DB{one, two} {
		go func() {
			first := true
			errs <- d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				tries <- i
				if _, err := tx.Exec(ctx, "update item set size = size + 1 where id = ?", i); err != nil {
					return err
				}
				if first {
					first = false
					close(met[i])
					<-met[1-i]
				}
				_, err := tx.Exec(ctx, "update item set size = size + 1 where id = ?", 1-i)
				return err
			})
		}()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := number(t, one, "select sum(size) from item"); n != 7*2+4 || len(tries) != 3 {
		t.Errorf("sum %d after %d tries", n, len(tries))
	}
}

// TestTransactionPooling: nothing of a session is needed, and none is left.
func TestTransactionPooling(t *testing.T) {
	s := dbtest.New(t)
	url := pooling(t, s, func(statement string) {
		first, _, _ := strings.Cut(statement, " ")
		switch first {
		case "begin", "commit", "rollback", "/*NO": // the last holds a SELECT on the primary
		default:
			t.Errorf("Pgpool-II may send this to a standby: %s", statement)
		}
	})
	_ = open(t, url, steps(1)).Close()
	d := open(t, url, steps(2))
	for id := range 10 {
		err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			if err := tx.Lock(ctx, "all"); err != nil {
				return err
			}
			return insert(id)(ctx, tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := number(t, d, "select count(*) from item where id = ?", id); n != 1 {
			t.Fatalf("it is there %d times", n)
		}
		for _, of := range []string{"pg_prepared_statements", "pg_locks where locktype = 'advisory'"} {
			if n := number(t, d, "select count(*) from "+of); n != 0 {
				t.Fatalf("%d of %s are left", n, of)
			}
		}
	}
	ten := number(t, d, "select count(distinct pg_backend_pid()) from item")
	pids := map[int64]bool{}
	for range 5 {
		pids[number(t, d, "select pg_backend_pid()")] = true
	}
	if ten != 1 || len(pids) != 3 {
		t.Errorf("the pooler gave %v", pids)
	}
}

// TestPasswordStaysOut of every error, written in any way.
func TestPasswordStaysOut(t *testing.T) {
	socket := strings.Split(dbtest.Postgres(t), "?")[1]
	for _, url := range []string{
		"postgres://me:hun%2Fter2@localhost:1/x",
		"postgres://me:hun/ter2@localhost:1/x",
		"postgres://me:hun%ter2@localhost:1/x",
		"postgres://me:hun ter2@localhost:1/x",
		"postgres://me:hunter2@local host:1/x",
		"postgres://me@localhost:1/x?password=hunter2",
		"postgres://me:hunter2@localhost:1/x?sslmode=nonsense",
		"postgres://me:hunter2@localhost:port/x",
		"postgres://outrider:hunter2@/nothere?" + socket,
		"postgresql:hunter2",
		"hunter2://me",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := db.Open(ctx, url, steps(1))
		cancel()
		if err == nil || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNotify(t *testing.T) {
	s := dbtest.New(t)
	d := open(t, s.URL(), steps(2))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard, err := d.Listen(ctx, "claims")
	if err != nil {
		t.Fatal(err)
	}
	notify := func() {
		err := d.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return d.Notify(ctx, tx, "claims") })
		if err != nil {
			t.Fatal(err)
		}
		<-heard
	}
	notify()
	s.Stop(t)
	s.Start(t)
	<-heard // what it may have missed
	notify()
	cancel()
	for range heard { // it is closed
	}

	lite := open(t, dbtest.SQLite(t), steps(1))
	if heard, err := lite.Listen(t.Context(), "claims"); heard != nil || err != nil {
		t.Errorf("got %v, %v", heard, err)
	}
	err = lite.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error { return lite.Notify(ctx, tx, "claims") })
	if err != nil {
		t.Error(err)
	}
}
