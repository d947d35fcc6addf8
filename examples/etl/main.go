// Command etl is the Go half of an example job: orders.extract reads a shop's
// export, orders.check compares what was made of it. The other half is Python:
// see orders_transform.py and orders_load.py. etl.dig runs all four in Digdag,
// etl.py in Airflow.
package main

import "github.com/outrider-run/outrider/sdk"

func main() { sdk.Serve(extractComponent(), checkComponent()) }
