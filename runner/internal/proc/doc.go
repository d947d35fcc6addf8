// Package proc is one child process: it starts it in a process group of its own,
// hands it a lifeline, reads what it prints, and ends it with all of its group.
// It knows neither plugins nor runs nor why a process is ended.
package proc
