package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

const head = "id,ordered_at,customer,country,product,quantity,unit_price,currency,status\n"

func TestExtractTakesTheMonth(t *testing.T) {
	source := write(t, "in.csv", head+
		"1,2026-02-28T23:59Z,Ada,DE,kettle,1,10.00,EUR,paid\n"+
		"2,2026-03-01T00:00Z,\"Ada, again\",DE,\"kettle \"\"big\"\"\",2,10.29,EUR,paid\n"+
		"3,2026-03-31T23:59Z,Ada,NO,kettle,1,119.95,NOK,cancelled\n"+
		"2,2026-03-01T00:00Z,\"Ada, again\",DE,\"kettle \"\"big\"\"\",2,10.29,EUR,paid\n"+
		"4,2026-03-31T23:59Z,Ada,NO,kettle,0,119.95,NOK,paid\n"+
		"5,2026-03-31T23:59Z,Ada,NO,kettle,1,NaN,NOK,paid\n"+
		"6,2026-04-01T00:00Z,Ada,DE,kettle,1,10.00,EUR,paid\n")
	to := filepath.Join(t.TempDir(), "new", "orders.jsonl")
	out, o := sdktest.Run(t, extract, extractParams{Source: source, Month: "2026-03", To: to, MaxBad: 2})
	if want := (extracted{Orders: 2, Duplicates: 1, Bad: 2}); out != want || o.Err() != nil {
		t.Errorf("%+v, %v; want %+v", out, o.Err(), want)
	}
	want := `{"id":"2","day":"2026-03-01","country":"DE","product":"kettle \"big\"","quantity":2,"cents":1029,"currency":"EUR","paid":true}
{"id":"3","day":"2026-03-31","country":"NO","product":"kettle","quantity":1,"cents":11995,"currency":"NOK","paid":false}
`
	if got := read(t, to); got != want {
		t.Errorf("wrote\n%s", got)
	}
	if left, err := filepath.Glob(filepath.Dir(to) + "/.*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestExtractRefuses(t *testing.T) {
	to := filepath.Join(t.TempDir(), "orders.jsonl")
	for _, c := range []struct{ text, code, message string }{
		{head + "1,2026-03-01T00:00Z,Ada,DE,kettle,one,10.00,EUR,paid\n", "bad_rows", "1 rows are unreadable, at most 0 may be"},
		{head + "1,2026-02-01T00:00Z,Ada,DE,kettle,1,10.00,EUR,paid\n", "no_orders", "has no order of 2026-03"},
		{head + "1,2026-03-01T00:00Z,Ada\n", "", "wrong number of fields"},
		{"", "", "the columns' names: EOF"},
	} {
		_, o := sdktest.Run(t, extract, extractParams{Source: write(t, "in.csv", c.text), Month: "2026-03", To: to})
		if o.State != sdktest.Permanent || o.Code != c.code || !strings.Contains(o.Error, c.message) {
			t.Errorf("%q: %s, %q, %q", c.text, o.State, o.Code, o.Error)
		}
	}
	if err := (extractParams{Month: "2026-13"}).Validate(); err == nil {
		t.Error("a thirteenth month passes")
	}
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, o := sdktest.Run(t, extract, extractParams{Source: "orders.csv", Month: "2026-03", To: to}, sdktest.Context(cancelled)); o.Err() == nil {
		t.Error("a cancelled run succeeds")
	}
}

const orders = `{"id":"1","country":"DE","product":"tea","quantity":2,"paid":true}
{"id":"2","country":"DE","product":"tea","quantity":3,"paid":true}
{"id":"3","country":"NO","product":"tea","quantity":1,"paid":true}
{"id":"4","country":"NO","product":"tea","quantity":9,"paid":false}
`

func TestCheck(t *testing.T) {
	const head = "country,product,orders,quantity,revenue_cents\n"
	for _, c := range []struct{ name, sales, code, message string }{
		{"adds up", "DE,tea,2,5,500\nNO,tea,1,1,100\n", "", ""},
		{"an order lost", "DE,tea,1,2,200\nNO,tea,1,1,100\n", "sums_differ", "tea in DE: 2 orders of 5 in all are paid, the sales have 1 of 2"},
		{"a group lost", "DE,tea,2,5,500\n", "sums_differ", "tea in NO: 1 orders of 1 in all are paid, the sales have 0 of 0"},
		{"a group too many", "DE,tea,2,5,500\nNO,tea,1,1,100\nNO,mill,1,1,1\n", "sums_differ", "mill in NO: "},
		{"a group twice", "DE,tea,1,2,200\nDE,tea,2,5,500\nNO,tea,1,1,100\n", "", "line 3: tea in DE a second time"},
		{"nothing earned", "DE,tea,2,5,500\nNO,tea,1,1,0\n", "", "line 3: tea in NO earned 0"},
		{"no number", "DE,tea,2,five,500\n", "", "line 2: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, o := sdktest.Run(t, check, checkParams{Orders: write(t, "orders.jsonl", orders), Sales: write(t, "sales.csv", head+c.sales)})
			if c.message == "" {
				if want := (checked{Groups: 2, Orders: 3, Quantity: 6, RevenueCents: 600}); out != want || o.Err() != nil {
					t.Errorf("%+v, %v; want %+v", out, o.Err(), want)
				}
				return
			}
			if o.State != sdktest.Permanent || o.Code != c.code || !strings.Contains(o.Error, c.message) {
				t.Errorf("%s, %q, %q", o.State, o.Code, o.Error)
			}
		})
	}
}

func TestGoComponentsConform(t *testing.T) {
	to := filepath.Join(t.TempDir(), "orders.jsonl")
	sdktest.Conform(t, extractComponent(), sdktest.Case{Params: `{"source":"orders.csv","month":"2026-03","to":"` + to + `"}`})
	sales := write(t, "sales.csv", "country,product,orders,quantity,revenue_cents\nDE,tea,2,5,500\nNO,tea,1,1,100\n")
	sdktest.Conform(t, checkComponent(), sdktest.Case{Params: `{"orders":"` + write(t, "orders.jsonl", orders) + `","sales":"` + sales + `"}`})
}
