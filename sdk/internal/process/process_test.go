package process

import (
	"testing"

	"github.com/outrider-run/outrider/sdk/protocol"
)

// Package protocol is too heavy to be imported before main.
func TestNamesAreThoseOfTheProtocol(t *testing.T) {
	for ours, theirs := range map[string]string{
		cookieKey:   protocol.CookieKey,
		cookieValue: protocol.CookieValue,
		lifelineEnv: protocol.LifelineEnv,
		runDirEnv:   protocol.RunDirEnv,
	} {
		if ours != theirs {
			t.Errorf("%s here, %s in package protocol", ours, theirs)
		}
	}
}

// A program that no host started keeps its descriptors and is not watched.
func TestNothingHappensWithoutAHost(t *testing.T) {
	if Started() || stdout != nil || Host() != nil {
		t.Fatal("this test takes itself for a plugin")
	}
	Host().Hold()()
	if Host().Gone() != nil {
		t.Error("there is a host that can go")
	}
	if lost := Printed(func(string) { t.Error("a line") }); lost != 0 {
		t.Error("lines were lost")
	}
	FlushPrinted()
}
