//go:build !linux

package engine

import "os"

// Ancestors knows only this process and its parent where there is no /proc.
func Ancestors() []Process {
	return []Process{{PID: os.Getpid(), PPID: os.Getppid()}, {PID: os.Getppid()}}
}
