package store

import (
	"context"
	"math"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// LogKind is what happened.
type LogKind string

// What the log has.
const (
	Fired    LogKind = "new"
	Resolved LogKind = "resolved"
	Acked    LogKind = "acked"
	Acted    LogKind = "acted"
	Told     LogKind = "told"
)

// LogEntry is one thing that happened. Of an alert there are its key, severity and line;
// of an action its name is What, and of a message its kind.
type LogEntry struct {
	At       time.Time     `json:"at"`
	Kind     LogKind       `json:"kind"`
	Alert    string        `json:"alert,omitempty"`
	Severity rule.Severity `json:"severity,omitempty"`
	What     string        `json:"what,omitempty"`
	Incident string        `json:"incident,omitempty"`
	Receiver string        `json:"receiver,omitempty"`
	By       string        `json:"by,omitempty"` // who acknowledged
	// Note is why it resolved or is muted, what was said, or what came of it.
	Note string `json:"note,omitempty"`
}

// Log returns what happened since a time, the newest first, at most limit entries; all
// where that is 0.
func (s *Store) Log(ctx context.Context, since time.Time, limit int) (entries []LogEntry, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *db.Tx) error {
		entries = nil
		return each(ctx, tx, func(data []byte) error {
			var e LogEntry
			err := decode(data, &e)
			entries = append(entries, e)
			return err
		}, `SELECT data FROM outrider_checker_log WHERE at >= ? ORDER BY id DESC LIMIT ?`, millis(since), most(limit))
	})
	return entries, wrap("read the log", err)
}

// most is a limit as statements have it.
func most(limit int) int {
	if limit <= 0 {
		return math.MaxInt32
	}
	return limit
}

// note adds to the log.
func note(ctx context.Context, tx *db.Tx, entries []LogEntry) error {
	if len(entries) == 0 {
		return nil
	}
	id, err := ids(ctx, tx, len(entries))
	if err != nil {
		return err
	}
	var rows [][]any
	for i, e := range entries {
		data, err := encode(e)
		if err != nil {
			return err
		}
		rows = append(rows, []any{id + int64(i), e.At.UnixMilli(), data})
	}
	return put(ctx, tx, "log", 1, []string{"id", "at", "data"}, rows)
}
