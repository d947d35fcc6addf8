// Package checker turns snapshots of engines into alerts and the events to tell of
// them. Pass is the whole of it: a function of the state before, the sources' reports,
// the rules and the time. It does no I/O, reads no clock and starts nothing; the same
// input gives the same events. (Time zones are read from the system's files.)
//
// Its parts are packages of one idea each: threshold says how long is too long, history
// what is remembered of a source, rule what to look for, judge whether it is so, finding
// what was found, alert what becomes of it, and message what a person reads. Storing the
// state, asking the sources and delivering events are done elsewhere.
package checker
