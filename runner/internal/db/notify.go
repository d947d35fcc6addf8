package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Notify wakes who listens on channel, when tx commits. On SQLite nobody listens.
func (d *DB) Notify(ctx context.Context, tx *Tx, channel string) error {
	if d.Kind == SQLite {
		return nil
	}
	_, err := tx.Exec(ctx, "select pg_notify(?, '')", schema+"_"+channel)
	return err
}

// Listen opens a connection of its own that gets a token for one or more
// notifications since the last one was taken, until ctx ends; then the channel is
// closed. It is a help and no promise: behind transaction pooling and Pgpool-II
// notifications may never come, so who listens also polls. On SQLite the channel
// is nil.
func (d *DB) Listen(ctx context.Context, channel string) (<-chan struct{}, error) {
	if d.listen == nil {
		return nil, nil
	}
	return d.listen(ctx, channel)
}

func listen(ctx context.Context, config *pgx.ConnConfig, at, channel string) (<-chan struct{}, error) {
	conn, err := subscribe(ctx, config, channel)
	if err != nil {
		return nil, explain(at, err)
	}
	heard := make(chan struct{}, 1)
	tell := func() {
		select {
		case heard <- struct{}{}:
		default: // one waits there already
		}
	}
	go func() {
		defer close(heard)
		for ctx.Err() == nil {
			if conn == nil {
				if conn, err = subscribe(ctx, config, channel); err != nil {
					pause(ctx, time.Second)
					continue
				}
				tell() // what came meanwhile was not heard
			}
			if _, err := conn.WaitForNotification(ctx); err == nil {
				tell()
				continue
			}
			hangUp(ctx, conn)
			conn = nil
		}
		if conn != nil {
			hangUp(ctx, conn)
		}
	}()
	return heard, nil
}

func subscribe(ctx context.Context, config *pgx.ConnConfig, channel string) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{schema + "_" + channel}.Sanitize()); err != nil {
		hangUp(ctx, conn)
		return nil, fmt.Errorf("listen: %w", err)
	}
	return conn, nil
}

func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it is given up
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
