package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// order is a line of what orders.extract writes.
type order struct {
	ID       string `json:"id"`
	Day      string `json:"day"` // 2026-03-31
	Country  string `json:"country"`
	Product  string `json:"product"`
	Quantity int    `json:"quantity"`
	Cents    int    `json:"cents"` // for one, in its currency
	Currency string `json:"currency"`
	Paid     bool   `json:"paid"`
}

// parse reads a row of the export, by the names of its columns.
func parse(row map[string]string) (order, error) {
	at, err := time.Parse("2006-01-02T15:04Z07:00", row["ordered_at"])
	quantity, errQuantity := strconv.Atoi(row["quantity"])
	price, errPrice := strconv.ParseFloat(row["unit_price"], 64)
	if err := errors.Join(err, errQuantity, errPrice); err != nil {
		return order{}, err
	}
	if quantity < 1 || !(price > 0 && price < 1e9) {
		return order{}, fmt.Errorf("%d for %v", quantity, price)
	}
	return order{
		ID: row["id"], Day: at.UTC().Format(time.DateOnly), Country: row["country"], Product: row["product"],
		Quantity: quantity, Cents: int(math.Round(price * 100)), Currency: row["currency"], Paid: row["status"] == "paid",
	}, nil
}

// writeOrders replaces the file to whole, so that nobody reads half of it.
func writeOrders(to string, orders []order) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".orders")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	for line := json.NewEncoder(f); len(orders) > 0; orders = orders[1:] {
		if err := line.Encode(orders[0]); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), to)
}

// readOrders calls each for every order of a file that writeOrders wrote.
func readOrders(from string, each func(order)) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for lines := json.NewDecoder(f); ; {
		var o order
		if err := lines.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		each(o)
	}
}
