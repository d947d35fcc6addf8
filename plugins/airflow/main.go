// Command outrider-plugin-airflow serves what acts on an Airflow 3 or 2:
// airflow.observe, airflow.status, airflow.trigger, airflow.clear, airflow.kill,
// airflow.wait, airflow.logs and airflow.pause.
//
// Here lives one file a component, and what they share: source.go says which server,
// and how its answers' failures are told; pace.go how one is looked at again and again.
// How the server is spoken to is in client, how an address becomes a run in
// internal/address. What is made of an answer is decided by pure functions beside the
// component.
package main

import "github.com/outrider-run/outrider/sdk"

func main() {
	sdk.Serve(
		observeComponent(),
		statusComponent(),
		logsComponent(),
		triggerComponent(),
		waitComponent(),
		clearComponent(),
		killComponent(),
		pauseComponent(),
	)
}
