// Package sdk is what an author of components imports. A component is a
// function from parameters to an output, and this is a whole plugin:
//
//	type Params struct {
//		Name     string `json:"name" help:"Whom to greet"`
//		Greeting string `json:"greeting" default:"Hello"`
//	}
//
//	type Output struct {
//		Message string `json:"message"`
//	}
//
//	func greet(ctx context.Context, run *sdk.Run, p Params) (Output, error) {
//		return Output{p.Greeting + ", " + p.Name + "!"}, nil
//	}
//
//	func main() { sdk.Serve(sdk.Define("hello.greet", greet, sdk.Doc("Greets someone."))) }
//
// # Parameters
//
// Parameters and output are plain structs. Their JSON Schema comes from the
// fields' types and tags:
//
//	json:"name"       the name, as in encoding/json
//	help:"text"       one line for people
//	default:"value"   what a missing parameter becomes; lists and maps as JSON
//	enum:"a,b,c"      the values allowed; of a list or map, of its members
//	min:"1" max:"9"   the range of a number, duration or size; the length of a
//	                  string, list or map
//
// A parameter is optional when it is a pointer, has a default, or says
// omitempty or omitzero. time.Duration ("1h30m"), time.Time (RFC 3339), [Bytes]
// ("64MiB") and [Secret] are known types. A method Validate() error, on the
// parameters or on a struct inside of them, checks what tags cannot say.
//
// # Results
//
// A returned error is a failure that a retry may mend, unless [Permanent],
// [RetryAfter], [Skip], [Code] or [Unchanged] says otherwise. A panic is a
// failure with its stack. When the context ends the run was cancelled: return
// soon, the process is killed after a grace.
//
// How a plugin talks to its host is not this package's matter: see package
// protocol. Tests of components use package sdktest.
package sdk
