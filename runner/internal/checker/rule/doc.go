// Package rule holds what the checker is told to look for: rules as they stand under
// rules: in outrider.yml, the built-in ones, and what the owner of a workflow sets in
// the workflow itself. It validates them and says which of them decide about whom.
//
// For a subject and a kind the first rule that matches decides. With `continue`, or the
// severity none, the next one that matches applies too; with `off` nothing does. The
// built-in rules come last, so that any rule in the config goes before them.
//
// Whether a rule's condition holds is not judged here.
package rule
