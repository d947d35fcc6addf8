package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/outrider-run/outrider/sdk"
)

type checkParams struct {
	Orders string `json:"orders" help:"What orders.extract wrote"`
	Sales  string `json:"sales" help:"What orders.transform made of it"`
}

type checked struct {
	Groups       int `json:"groups"`
	Orders       int `json:"orders"`
	Quantity     int `json:"quantity"`
	RevenueCents int `json:"revenue_cents"`
}

func checkComponent() sdk.Component {
	return sdk.Define("orders.check", check,
		sdk.Doc("Fails unless every paid order is in the sales, once.\n\nNothing is loaded that does not add up: put it between orders.transform and orders.load."),
		sdk.Example("In a work folder", `{"orders": "/tmp/etl/orders.jsonl", "sales": "/tmp/etl/sales.csv"}`))
}

// group is what sales are added up by, sum what they come to.
type group struct{ country, product string }

func (g group) String() string { return g.product + " in " + g.country }

type sum struct{ orders, quantity int }

func check(_ context.Context, _ *sdk.Run, p checkParams) (checked, error) {
	want := map[group]sum{}
	err := readOrders(p.Orders, func(o order) {
		if o.Paid {
			g := group{o.Country, o.Product}
			want[g] = sum{want[g].orders + 1, want[g].quantity + o.Quantity}
		}
	})
	if err != nil {
		return checked{}, sdk.Permanent(err)
	}
	got, revenue, err := readSales(p.Sales)
	if err != nil {
		return checked{}, sdk.Permanent(err)
	}
	if err := compare(want, got); err != nil {
		return checked{}, sdk.Permanent(sdk.Code("sums_differ", err))
	}
	out := checked{Groups: len(got), RevenueCents: revenue}
	for _, s := range got {
		out.Orders += s.orders
		out.Quantity += s.quantity
	}
	return out, nil
}

// compare names every group whose sums differ.
func compare(want, got map[group]sum) error {
	all := maps.Clone(want)
	maps.Copy(all, got)
	byName := func(a, b group) int {
		return cmp.Or(cmp.Compare(a.country, b.country), cmp.Compare(a.product, b.product))
	}
	var differ error
	for _, g := range slices.SortedFunc(maps.Keys(all), byName) {
		if w, s := want[g], got[g]; w != s {
			differ = errors.Join(differ, fmt.Errorf("%s: %d orders of %d in all are paid, the sales have %d of %d", g, w.orders, w.quantity, s.orders, s.quantity))
		}
	}
	return differ
}

func readSales(path string) (sums map[group]sum, revenue int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	sums = map[group]sum{}
	err = rows(f, func(line int, row map[string]string) error {
		g := group{row["country"], row["product"]}
		if _, twice := sums[g]; twice {
			return fmt.Errorf("line %d: %s a second time", line, g)
		}
		orders, err1 := strconv.Atoi(row["orders"])
		quantity, err2 := strconv.Atoi(row["quantity"])
		cents, err3 := strconv.Atoi(row["revenue_cents"])
		if err := errors.Join(err1, err2, err3); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if cents <= 0 {
			return fmt.Errorf("line %d: %s earned %d", line, g, cents)
		}
		sums[g], revenue = sum{orders, quantity}, revenue+cents
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return sums, revenue, nil
}
