// Command outrider-plugin-digdag serves what acts on a Digdag server: digdag.observe,
// digdag.status, digdag.start, digdag.retry, digdag.kill, digdag.wait, digdag.logs and
// digdag.schedule.
//
// Here lives one file a component, and what they share: source.go says which server,
// and how its answers' failures are told. How the server is spoken to is in client,
// how an address becomes an attempt in internal/address. What is made of an answer is
// decided by pure functions beside the component.
package main

import "github.com/outrider-run/outrider/sdk"

func main() {
	sdk.Serve(
		observeComponent(),
		statusComponent(),
		startComponent(),
		retryComponent(),
		killComponent(),
		waitComponent(),
		logsComponent(),
		scheduleComponent(),
	)
}
