// Package store keeps what the checker remembers from pass to pass, on SQLite or
// PostgreSQL: the state, the sources' cursors, silences, what is still to be told (the
// outbox), what was told and done, and whose turn it is to make a pass.
//
// A row is a source, a workflow, an alert, an incident; a pass writes those that have
// changed, in one transaction with the events that tell of it. What an event says, who
// is told and what is done is decided elsewhere; nothing is sent from here.
//
// All writes are one after another, over all checkers of a database.
package store

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/oklog/ulid/v2"

	"github.com/outrider-run/outrider/runner/internal/db"
)

//go:embed migrations
var migrations embed.FS

// Store is an open store. It is safe for use by several goroutines.
type Store struct {
	db *db.DB
	// file is that of a SQLite store, opened what it was when it was opened.
	file   string
	opened os.FileInfo
	// schema and at are where a PostgreSQL store is.
	schema, at string
	// life tells this opening of the store from all others.
	life string

	mu sync.Mutex
	// seen are the versions of rows of the outbox as Due gave them.
	seen map[int64]int64
	// bad is what the last Load could not read.
	bad damage
}

// Open opens the store at url, sqlite:PATH or postgres://…, and brings it up to date.
// Its errors are those of package db.
func Open(ctx context.Context, url string) (*Store, error) {
	return OpenSchema(ctx, url, "")
}

// OpenSchema is Open with the schema that has the tables on PostgreSQL, outrider where
// it is empty: each watcher has its own. A SQLite store has its own file.
func OpenSchema(ctx context.Context, url, schema string) (*Store, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, url, db.Options{Migrations: sub, Table: "outrider_checker_versions", Schema: schema, Durable: true})
	if err != nil {
		return nil, fmt.Errorf("open the checker's store: %w", err)
	}
	s := &Store{db: d, life: ulid.Make().String(), seen: map[int64]int64{}, schema: cmp.Or(schema, "outrider"), at: d.At()}
	if d.Kind == db.SQLite {
		s.file = strings.TrimPrefix(url, "sqlite:")
		if s.opened, err = os.Stat(s.file); err != nil {
			return nil, fmt.Errorf("open the checker's store: %w", errors.Join(err, d.Close()))
		}
	}
	return s, nil
}

// Schemas are those of the PostgreSQL database at url in which a checker has kept something.
func Schemas(ctx context.Context, url string) ([]string, error) {
	all, err := db.Schemas(ctx, url, "outrider_checker_meta")
	if err != nil {
		return nil, fmt.Errorf("look for what checkers remember: %w", err)
	}
	return all, nil
}

// Gone reports whether the file that is open is not the one of that name any more:
// somebody has deleted or replaced it, and what is written goes nowhere.
func (s *Store) Gone() bool {
	if s.opened == nil {
		return false
	}
	now, err := os.Stat(s.file)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(s.opened, now)
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// write runs do in a transaction, which gets a name: where a cut connection leaves open
// whether it took place, it is tried again, and then not done twice.
func (s *Store) write(ctx context.Context, do func(ctx context.Context, tx *db.Tx) error) error {
	return s.writeAs(ctx, ulid.Make().String(), do)
}

func (s *Store) writeAs(ctx context.Context, name string, do func(ctx context.Context, tx *db.Tx) error) error {
	try := func() error {
		return s.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
			if err := alone(ctx, tx); err != nil {
				return err
			}
			n, err := tx.Exec(ctx, `INSERT INTO outrider_checker_writes (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING`,
				name, time.Now().UnixMilli())
			if err != nil || n == 0 {
				return err
			}
			return do(ctx, tx)
		})
	}
	err := try()
	if errors.Is(err, db.ErrInDoubt) {
		err = try()
	}
	return s.remedy(err)
}

// alone waits until no other write is under way. The server ends one that says nothing
// for a while: its program was stopped in the middle.
func alone(ctx context.Context, tx *db.Tx) error {
	if tx.Kind() == db.SQLite {
		return nil
	}
	var patience string
	err := tx.QueryRow(ctx, `SELECT set_config('idle_in_transaction_session_timeout', '20s', true) FROM outrider_checker_meta FOR UPDATE`).Scan(&patience)
	if err != nil {
		return fmt.Errorf("wait for other writes: %w", err)
	}
	return nil
}

func encode(v any) (string, error) {
	raw, err := json.Marshal(v)
	return string(raw), err
}

// decode reads what encode wrote, in half the time of encoding/json: a pass reads it all.
// It minds no more than that does.
func decode(data []byte, v any) error {
	return jsonv2.Unmarshal(data, v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// raw is what a column of JSON holds, nil for ”.
func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

var (
	escape   = strings.NewReplacer(`\`, `\\`, "\x00", `\0`)
	unescape = strings.NewReplacer(`\\`, `\`, `\0`, "\x00")
)

// text is s as a column holds it: PostgreSQL takes neither a NUL nor what is no UTF-8.
func text(s string) string { return escape.Replace(strings.ToValidUTF8(s, "\uFFFD")) }

// from is what text was made of.
func from(column string) string { return unescape.Replace(column) }

// millis is t in milliseconds since 1970; 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
