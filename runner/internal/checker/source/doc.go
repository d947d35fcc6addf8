// Package source asks what is watched: components that observe an engine, and the
// ledger of Outrider itself. What is asked and what is answered are the types of
// sdk/observe; what is made of an answer is package checker's.
//
//	source.go     Asker, All: all sources side by side
//	component.go  an engine, by its observing component
//	mask.go       no secret in the words of an answer
//	check.go      whether an answer makes sense
//	ledger.go     the ledger's runs as an engine's
//	due.go        when the ledger's next runs are due, and its cursor
package source
