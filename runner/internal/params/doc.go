// Package params turns what a caller said into one validated JSON object: the
// component's parameters.
//
// A value comes from the first of these that names it, the strongest first:
//
//	component flags     --retry-max 5      after the component's name
//	--set               --set retry.max=5  later ones win over earlier ones
//	the params file     --params FILE, or - for stdin; JSON or YAML
//	schema defaults     what the component's author wrote
//
// Objects are merged key by key, so that a --set of retry.max leaves retry.min
// of the file as it is; everything else is replaced as a whole. A default stands
// for a parameter that is absent, it is never merged into one that is there.
//
// Every problem is reported at once, as *Problems. Secrets stay references here
// (env:NAME, file:PATH) until WithSecrets is called, and neither a problem nor an
// origin ever shows a secret's value.
//
// What does not live here: how a host flag is spelt (cli), what a component does
// with its parameters (the plugin), and the redaction of logs (redact).
package params
