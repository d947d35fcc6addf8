package main

import (
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
)

// parseAddress reads a parameter.
func parseAddress(text string) (address.Address, error) {
	a, err := address.Parse(text)
	if err != nil {
		return a, sdk.Permanent(sdk.Code("bad_address", err))
	}
	return a, nil
}
