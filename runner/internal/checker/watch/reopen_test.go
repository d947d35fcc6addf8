package watch

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestADatabaseThatIsMovedAwayIsOpenedAnew: what is found is where others look for it.
func TestADatabaseThatIsMovedAwayIsOpenedAnew(t *testing.T) {
	url := dbtest.SQLite(t)
	file := strings.TrimPrefix(url, "sqlite:")
	b := newBench(t, url)
	b.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{hung()}}, nil
	})
	b.pass()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(file+suffix, file+".old"+suffix); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	b.pass()
	other, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := other.Load(t.Context())
	if err != nil || len(loaded.State.Alerts.Alerts) != 1 {
		t.Errorf("%+v, %v", loaded.State.Alerts, err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}
