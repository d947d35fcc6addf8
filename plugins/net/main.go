// Command outrider-plugin-net serves tcp.check.
package main

import "github.com/outrider-run/outrider/sdk"

func main() { sdk.Serve(tcpCheck()) }
