package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// perStatement is how many rows a statement writes: fewer round trips, and far from the
// most arguments that a store takes.
const perStatement = 100

// put writes rows of a table of the checker. The first keys of the columns are its key;
// a row that is there is changed.
func put(ctx context.Context, tx *db.Tx, table string, keys int, columns []string, rows [][]any) error {
	row := `(?` + strings.Repeat(`, ?`, len(columns)-1) + `)`
	var set []string
	for _, c := range columns[keys:] {
		set = append(set, c+` = excluded.`+c)
	}
	end := ` ON CONFLICT (` + strings.Join(columns[:keys], `, `) + `) DO UPDATE SET ` + strings.Join(set, `, `)
	for some := range slices.Chunk(rows, perStatement) {
		query := `INSERT INTO outrider_checker_` + table + ` (` + strings.Join(columns, `, `) + `) VALUES ` +
			row + strings.Repeat(`, `+row, len(some)-1) + end
		if _, err := tx.Exec(ctx, query, slices.Concat(some...)...); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes the rows of a table whose column has one of these values. where is the
// table, more conditions with their arguments, and the column.
func remove(ctx context.Context, tx *db.Tx, where string, args []any, values []string) error {
	for some := range slices.Chunk(values, perStatement) {
		all := slices.Clone(args)
		for _, v := range some {
			all = append(all, text(v))
		}
		query := `DELETE FROM outrider_checker_` + where + ` IN (?` + strings.Repeat(`, ?`, len(some)-1) + `)`
		if _, err := tx.Exec(ctx, query, all...); err != nil {
			return err
		}
	}
	return nil
}

// each gives take the one column of a query, row by row. The bytes are its own only
// while it runs.
func each(ctx context.Context, tx *db.Tx, take func(data []byte) error, query string, args ...any) error {
	return rows(ctx, tx, func(scan func(...any) error) error {
		var data sql.RawBytes
		if err := scan(&data); err != nil {
			return err
		}
		return take(data)
	}, query, args...)
}

// rows gives take the rows of a query, one by one.
func rows(ctx context.Context, tx *db.Tx, take func(scan func(...any) error) error, query string, args ...any) error {
	all, err := tx.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = all.Close() }()
	for all.Next() {
		if err := take(all.Scan); err != nil {
			return err
		}
	}
	return all.Err()
}

// ids takes n new ids for rows and returns the first.
func ids(ctx context.Context, tx *db.Tx, n int) (first int64, err error) {
	var last int64
	err = tx.QueryRow(ctx, `UPDATE outrider_checker_meta SET last_id = last_id + ? RETURNING last_id`, n).Scan(&last)
	return last - int64(n) + 1, err
}
