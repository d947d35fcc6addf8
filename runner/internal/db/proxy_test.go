package db_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// pooling puts a pooler before a server that gives each transaction of a client
// another connection than the last, as transaction pooling may. It also hands each
// statement to seen.
func pooling(t *testing.T, s *dbtest.Server, seen func(statement string)) string {
	url, _ := s.Through(t, func(client net.Conn, dial func() (net.Conn, error)) {
		defer client.Close() //nolint:errcheck // nothing is left to say
		if err := pool(client, dial, seen); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("pooler: %v", err)
		}
	})
	return url
}

func pool(client net.Conn, dial func() (net.Conn, error), seen func(string)) error {
	from := pgproto3.NewBackend(client, client)
	startup, err := from.ReceiveStartupMessage()
	if err != nil {
		return err
	}
	if _, cancel := startup.(*pgproto3.CancelRequest); cancel {
		return nil
	}
	var servers []*pgproto3.Frontend
	for i := range 3 {
		conn, err := dial()
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // all of them end with the client
		to := pgproto3.NewFrontend(conn, conn)
		to.Send(startup)
		if err := to.Flush(); err != nil {
			return err
		}
		if err := answer(to, func(m pgproto3.BackendMessage) {
			if i == 0 {
				from.Send(m)
			}
		}); err != nil {
			return err
		}
		servers = append(servers, to)
	}
	if err := from.Flush(); err != nil {
		return err
	}
	for turn := 0; ; {
		to := servers[turn%len(servers)]
		m, err := from.Receive()
		if err != nil {
			return err
		}
		if _, ok := m.(*pgproto3.Terminate); ok {
			return nil
		}
		switch m := m.(type) {
		case *pgproto3.Query:
			seen(m.String)
		case *pgproto3.Parse:
			seen(m.Query)
		}
		to.Send(m)
		if err := to.Flush(); err != nil {
			return err
		}
		switch m.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
		default:
			continue
		}
		err = answer(to, func(m pgproto3.BackendMessage) {
			from.Send(m)
			if ready, ok := m.(*pgproto3.ReadyForQuery); ok && ready.TxStatus == 'I' {
				turn++
			}
		})
		if err != nil {
			return err
		}
		if err := from.Flush(); err != nil {
			return err
		}
	}
}

// answer passes a server's messages on until it is ready for the next.
func answer(from *pgproto3.Frontend, pass func(pgproto3.BackendMessage)) error {
	for {
		m, err := from.Receive()
		if err != nil {
			return err
		}
		pass(m)
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			return nil
		}
	}
}
