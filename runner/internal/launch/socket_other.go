//go:build !linux

package launch

const socketPathSize = 104
