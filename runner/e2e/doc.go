// Package e2e holds only tests: they drive the built binaries as a user or an
// engine does, and keep the rules that span the whole repository. Whatever starts
// an engine stands here, so that each engine starts once.
package e2e
