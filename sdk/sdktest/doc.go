// Package sdktest tests components as a host would run them.
//
// [Run] calls a component's function in the test's own process, with
// parameters as a Go value; [RunJSON] goes the way of a real call, through the
// component's schema; [Build] makes the plugin's binary, whose [Binary.Run]
// talks to it over the real protocol. All of them return an [Outcome]: the
// result, and everything that the component said on the way. [Conform] checks
// what every component owes its users.
//
// Nothing of the host is here: no ledger, no catalogue, no engine.
package sdktest
