package store

import (
	"context"
	"errors"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// ErrNoSilence: there is none with this id.
var ErrNoSilence = errors.New("no silence has this id")

// Silence adds a silence, or changes that of its ID.
func (s *Store) Silence(ctx context.Context, one alert.Silence) error {
	err := one.Validate()
	if one.ID == "" {
		err = errors.New("a silence needs an id")
	}
	if err != nil {
		return wrap("add a silence", err)
	}
	return wrap("add a silence", s.write(ctx, func(ctx context.Context, tx *db.Tx) error { return putSilence(ctx, tx, one) }))
}

// Unsilence ends a silence. Its error is ErrNoSilence where there is none.
func (s *Store) Unsilence(ctx context.Context, id string, now time.Time) error {
	return wrap("end the silence "+id, s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		all, err := silences(ctx, tx)
		if err != nil {
			return err
		}
		for _, one := range all {
			if one.ID == id {
				if one.Until.After(now) {
					one.Until = now
				}
				return putSilence(ctx, tx, one)
			}
		}
		return ErrNoSilence
	}))
}

// Silences returns all that there are, those that ended of late too.
func (s *Store) Silences(ctx context.Context) (all []alert.Silence, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *db.Tx) error {
		all, err = silences(ctx, tx)
		return err
	})
	return all, wrap("read the silences", err)
}

func silences(ctx context.Context, tx *db.Tx) (all []alert.Silence, err error) {
	err = each(ctx, tx, func(data []byte) error {
		var one alert.Silence
		if err := decode(data, &one); err != nil {
			return &unreadable{"a silence", err}
		}
		all = append(all, one)
		return nil
	}, `SELECT data FROM outrider_checker_silences ORDER BY until, id`)
	return all, err
}

func putSilence(ctx context.Context, tx *db.Tx, one alert.Silence) error {
	data, err := encode(one)
	if err != nil {
		return err
	}
	return put(ctx, tx, "silences", 1, []string{"id", "until", "data"}, [][]any{{text(one.ID), one.Until.UnixMilli(), data}})
}
