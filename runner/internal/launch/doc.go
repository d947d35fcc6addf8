// Package launch is one plugin process and the one task that it runs: start,
// handshake, the Execute stream, the ladder of its end. It stands on package
// proc, and is the only one of the host that knows go-plugin and gRPC. What a
// plugin says is handed on as it comes; what it means, and where it goes, is
// the caller's.
//
//	launch.go     Options, Start
//	runner.go     the process, as go-plugin wants to see it
//	handshake.go  the plugin's stdout
//	lines.go      what a plugin prints, cut into log lines
//	execute.go    the stream and its messages
//	stop.go       the ladder, Kill and Close
//	errors.go     what can go wrong, in words
package launch
