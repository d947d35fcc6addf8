package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

type extractParams struct {
	Source string `json:"source" help:"The shop's export, a CSV file"`
	Month  string `json:"month" help:"The month to take, such as 2026-03"`
	To     string `json:"to" help:"The file to write, one order a line as JSON"`
	MaxBad int    `json:"max_bad" help:"How many rows of the month may be unreadable" default:"5" min:"0"`
}

// Validate checks what a tag cannot say.
func (p extractParams) Validate() error {
	if _, err := time.Parse("2006-01", p.Month); err != nil {
		return fmt.Errorf("month: %q is not a month such as 2026-03", p.Month)
	}
	return nil
}

type extracted struct {
	Orders     int `json:"orders"`
	Duplicates int `json:"duplicates"`
	Bad        int `json:"bad"`
}

func extractComponent() sdk.Component {
	return sdk.Define("orders.extract", extract,
		sdk.Doc("Takes one month's orders out of a shop's export.\n\nAn order that stands there twice is taken once. A few unreadable rows are left out, and logged."),
		sdk.Example("March", `{"source": "orders.csv", "month": "2026-03", "to": "/tmp/etl/orders.jsonl"}`))
}

func extract(ctx context.Context, run *sdk.Run, p extractParams) (out extracted, err error) {
	f, err := os.Open(p.Source)
	if err != nil {
		return out, sdk.Permanent(err)
	}
	defer func() { _ = f.Close() }()
	var orders []order
	seen := map[string]bool{}
	err = rows(f, func(line int, row map[string]string) error {
		if !strings.HasPrefix(row["ordered_at"], p.Month+"-") {
			return ctx.Err()
		}
		o, err := parse(row)
		switch {
		case err != nil:
			out.Bad++
			run.Log().Warn("left out", "line", line, "id", row["id"], "why", err)
		case seen[o.ID]:
			out.Duplicates++
		default:
			seen[o.ID] = true
			orders = append(orders, o)
		}
		return ctx.Err()
	})
	out.Orders = len(orders)
	switch {
	case ctx.Err() != nil:
		return out, context.Cause(ctx)
	case err != nil:
		return out, sdk.Permanent(fmt.Errorf("read %s: %w", p.Source, err))
	case out.Bad > p.MaxBad:
		return out, sdk.Permanent(sdk.Code("bad_rows", fmt.Errorf("%d rows are unreadable, at most %d may be", out.Bad, p.MaxBad)))
	case out.Orders == 0:
		return out, sdk.Permanent(sdk.Code("no_orders", fmt.Errorf("%s has no order of %s", p.Source, p.Month)))
	}
	run.Log().Info("taken", "orders", out.Orders, "month", p.Month)
	return out, writeOrders(p.To, orders)
}

// rows calls each for every row after the one that names the columns.
func rows(r io.Reader, each func(line int, row map[string]string) error) error {
	table := csv.NewReader(r)
	names, err := table.Read()
	if err != nil {
		return fmt.Errorf("the columns' names: %w", err)
	}
	for {
		values, err := table.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		row := make(map[string]string, len(names))
		for i, name := range names {
			row[name] = values[i]
		}
		line, _ := table.FieldPos(0)
		if err := each(line, row); err != nil {
			return err
		}
	}
}
