// Command outrider-plugin-net serves what talks to other servers: http.request,
// http.check and tcp.check.
//
// Here lives one file a component and what it makes of an answer. How an HTTP
// request is sent, safely and with errors that hold no secret, is in internal/web,
// which knows no component. Whatever needs the SDK of one product (a cloud, a
// chat) belongs in a plugin of its own: this one stays small.
package main

import "github.com/outrider-run/outrider/sdk"

func main() {
	sdk.Serve(
		httpRequest(),
		httpCheck(),
		tcpCheck(),
	)
}
