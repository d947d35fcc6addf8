// Package invoke calls a component without a record: it finds it, checks its
// parameters, puts the secrets in, starts its plugin in a private folder, hears what it
// says, and ends it. The verbs of the host are such calls, and all that the checker
// asks and sends. What is recorded, claimed or retried is not called here.
//
//	caller.go   Caller: a call by the component's name, its words redacted
//	call.go     one call of a component that was found
//	setup.go    where components are looked for
//	place.go    the folder of a run while it lives
package invoke
