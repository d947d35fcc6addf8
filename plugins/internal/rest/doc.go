// Package rest speaks with an engine's REST API: over which endpoint, how often and
// for how long, and what an answer that is none is called. The client of each engine
// stands on it and tells it by a Dialect what that engine has of its own.
//
// What all engines have the same lives here, and no word of one engine: no path, no
// shape of an answer, no way to log in.
package rest
