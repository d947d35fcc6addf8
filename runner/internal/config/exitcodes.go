package config

import (
	"errors"
	"strconv"
)

// Meaning is what an exit code of a command under `outrider exec` or `sh` stands
// for, in the words of a script's manifest, with success besides.
type Meaning string

// The meanings of an exit code. What is not listed is a failure of which nothing
// more is known, and 0 a success.
const (
	Success   Meaning = "success"
	Skip      Meaning = "skip"
	Fail      Meaning = "fail"
	Retry     Meaning = "retry"
	Permanent Meaning = "permanent"
)

// UnmarshalText refuses what is no meaning.
func (m *Meaning) UnmarshalText(text []byte) error {
	switch v := Meaning(text); v {
	case Success, Skip, Fail, Retry, Permanent:
		*m = v
		return nil
	}
	return errors.New("want success, skip, fail, retry or permanent")
}

// ExitCode is an exit code from 0 to 255.
type ExitCode int

// UnmarshalText refuses what is no exit code.
func (c *ExitCode) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n > 255 {
		return errors.New("want an exit code from 0 to 255")
	}
	*c = ExitCode(n)
	return nil
}
