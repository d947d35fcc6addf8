package state

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

func put(t *testing.T, s *Store, things ...any) {
	t.Helper()
	if err := s.Update(func(st *State) error { st.Put(things...); return nil }); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestJournalGivesBackWhatWasPut(t *testing.T) {
	dir, now := t.TempDir(), time.Now().UTC()
	s := open(t, dir)
	params := conf.New()
	params.Set("z", json.Number("1.0"))
	params.Set("a", []any{"x", nil})
	put(t, s, &Project{ID: 1, Name: "p", CreatedAt: now}, &Attempt{ID: 7, SessionID: 3, Params: params})
	task := &Task{ID: 9, AttemptID: 7, FullName: "+w", Local: params, State: Running, Queued: true, LockedBy: "me", LockExpires: 5}
	put(t, s, task, &Task{ID: 8, AttemptID: 7})
	task.State = Success
	put(t, s, task)

	again := open(t, dir)
	again.View(func(st *State) {
		tasks := st.Tasks(7)
		if len(tasks) != 2 || tasks[0].ID != 8 || tasks[1].State != Success || tasks[1].LockedBy != "me" {
			t.Errorf("tasks %+v", tasks)
		}
		if got := conf.Text(st.Attempts[7].Params); got != `{"z":1.0,"a":["x",null]}` {
			t.Errorf("params %s", got)
		}
		if id := st.NextID("task"); id != 10 || !st.Projects[1].CreatedAt.Equal(now) || len(st.Touched()) != 0 {
			t.Errorf("next id %d, %+v", id, st.Projects[1])
		}
	})
}

// A server that is killed while it writes leaves a line without its end.
func TestTornLineNeverHappened(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, &Project{ID: 1, Name: "whole"})
	path := filepath.Join(dir, "journal.ndjson")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"Projects":[{"ID":2,"Na`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	again := open(t, dir)
	put(t, again, &Project{ID: 3, Name: "later"})
	open(t, dir).View(func(st *State) {
		if len(st.Projects) != 2 || st.Projects[1].Name != "whole" || st.Projects[3].Name != "later" {
			t.Errorf("%+v", st.Projects)
		}
	})
	if err := os.WriteFile(path, []byte("no journal\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("a broken journal was read")
	}
}
