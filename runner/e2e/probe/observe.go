package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

// A part of the engine that is observed is ill for illFor looks, and is told of for
// listed looks.
const illFor, listed = 3, 8

type observeParams struct {
	observe.Ask
	Calm string `json:"calm" help:"Once this file is there, no part falls ill any more; it holds from which look on."`
}

// look stands in for an engine: at the nth look part n falls ill. n is the cursor, so that
// a look which came to nothing finds the same again.
func look(_ context.Context, _ *sdk.Run, p observeParams) (observe.Snapshot, error) {
	n, calm := 0, 1<<30
	if len(p.Cursor) > 0 {
		if err := json.Unmarshal(p.Cursor, &n); err != nil {
			return observe.Snapshot{}, fmt.Errorf("read the cursor: %w", err)
		}
	}
	text, err := os.ReadFile(p.Calm)
	if err == nil {
		err = json.Unmarshal(text, &calm)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return observe.Snapshot{}, fmt.Errorf("ask whether all is calm: %w", err)
	}
	s := observe.Snapshot{
		Engine: "probe", At: time.Now(), Requests: 1, Cursor: json.RawMessage(fmt.Sprint(n + 1)),
		Runs: []observe.Run{}, Schedules: []observe.Schedule{}, Health: []observe.Health{}, Signals: []observe.Signal{},
	}
	for part := max(1, n-listed); part <= n; part++ { // the first look is a baseline
		s.Health = append(s.Health, observe.Health{Name: fmt.Sprintf("part-%d", part), OK: n-part >= illFor || part >= calm})
	}
	return s, nil
}
