// Package history keeps what the checker remembers of a source from one snapshot to
// the next: how long each workflow's successes took, how its last sessions ended, what
// is open, when it will run next, and which due runs never came.
//
// Fold takes a snapshot in. It is a function: the state before is not changed, and
// what has changed is named, so that a store writes no more than that. Everything is
// bounded, so the state grows with the workflows and not with time. Times are the
// engine's, as its snapshots have them; nothing reads a clock.
//
// What is too long, wrong or worth telling is not decided here.
package history
