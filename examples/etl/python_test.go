package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

const priced = `{"id":"1","country":"NO","product":"tea, \"green\"","quantity":3,"cents":333,"currency":"NOK","paid":true}
{"id":"2","country":"NO","product":"tea, \"green\"","quantity":1,"cents":333,"currency":"NOK","paid":true}
{"id":"3","country":"DE","product":"mühle","quantity":1,"cents":5,"currency":"EUR","paid":true}
{"id":"4","country":"DE","product":"mühle","quantity":1,"cents":5,"currency":"EUR","paid":false}
`

func TestTransform(t *testing.T) {
	transform, to := component(t, "orders_transform"), filepath.Join(t.TempDir(), "sales.csv")
	call := func(orders, rates string) sdktest.Outcome {
		return transform.Run(t, "orders.transform", `{"orders":"`+orders+`","rates":`+rates+`,"to":"`+to+`"}`)
	}
	// 999 / 11.6 = 86.12…, 333 / 11.6 = 28.71…: each is rounded by itself.
	o := call(write(t, "orders.jsonl", priced), `{"EUR":1,"NOK":11.6}`)
	if want := `{"cancelled":1,"paid":3,"revenue_cents":120,"rows":2}`; o.Err() != nil || string(o.Output) != want {
		t.Errorf("%s, %v; want %s", o.Output, o.Err(), want)
	}
	if got := read(t, to); got != "country,product,orders,quantity,revenue_cents\nDE,mühle,1,1,5\nNO,\"tea, \"\"green\"\"\",2,4,115\n" {
		t.Errorf("wrote\n%s", got)
	}
	for _, c := range []struct{ orders, rates, code, message string }{
		{write(t, "o", priced), `{"EUR":1}`, "no_rate", "order 1 is in NOK, for which there is no rate"},
		{write(t, "o", ""), `{}`, "no_orders", "none of the 0 orders is paid"},
		{"/nowhere/orders", `{}`, "no_orders", "cannot read the orders: "},
	} {
		if o := call(c.orders, c.rates); o.State != sdktest.Permanent || o.Code != c.code || !strings.HasPrefix(o.Error, "exit status 3: "+c.message) {
			t.Errorf("%s, %q, %q; want %q", o.State, o.Code, o.Error, c.message)
		}
	}
}

// TestLoadReplacesTheMonth loads twice, the second time less: no row of the first
// is left, and another month is not touched.
func TestLoadReplacesTheMonth(t *testing.T) {
	load, database := component(t, "orders_load"), filepath.Join(t.TempDir(), "shop.db")
	const head, one, two = "country,product,orders,quantity,revenue_cents\n", "DE,tea,1,2,300\n", "NO,tea,1,2,11\n"
	for _, c := range []struct{ month, sales, want string }{
		{"2026-02", head + one, `{"replaced":0,"revenue_cents":300,"rows":1}`},
		{"2026-03", head + one + two, `{"replaced":0,"revenue_cents":311,"rows":2}`},
		{"2026-03", head + two, `{"replaced":2,"revenue_cents":11,"rows":1}`},
		{"2026-02", head + one, `{"replaced":1,"revenue_cents":300,"rows":1}`},
	} {
		o := load.Run(t, "orders.load", `{"sales":"`+write(t, "sales.csv", c.sales)+`","month":"`+c.month+`","database":"`+database+`"}`)
		if o.Err() != nil || string(o.Output) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.month, o.Output, o.Err(), c.want)
		}
	}
	// A month whose second row is there twice is not loaded at all.
	o := load.Run(t, "orders.load", `{"sales":"`+write(t, "sales.csv", head+one+one)+`","month":"2026-02","database":"`+database+`"}`)
	if o.State != sdktest.Failed || !strings.Contains(o.Error, "UNIQUE constraint failed") {
		t.Errorf("%s, %q", o.State, o.Error)
	}
	o = load.Run(t, "orders.load", `{"sales":"`+write(t, "sales.csv", head+one)+`","month":"2026-02","database":"`+database+`"}`)
	if want := `{"replaced":1,"revenue_cents":300,"rows":1}`; string(o.Output) != want {
		t.Errorf("%s, %v; want %s", o.Output, o.Err(), want)
	}
}

func TestPythonComponentsConform(t *testing.T) {
	dir := t.TempDir()
	component(t, "orders_transform").Conform(t, "orders.transform",
		sdktest.Case{Params: `{"orders":"` + write(t, "orders.jsonl", priced) + `","rates":{"EUR":1,"NOK":11.6},"to":"` + dir + `/sales.csv"}`})
	component(t, "orders_load").Conform(t, "orders.load",
		sdktest.Case{Params: `{"sales":"` + write(t, "sales.csv", "country,product,orders,quantity,revenue_cents\nDE,tea,1,2,300\n") + `","month":"2026-03","database":"` + dir + `/shop.db"}`})
}
