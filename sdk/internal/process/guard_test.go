package process

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestLinesDoNotDependOnHowTheyAreRead(t *testing.T) {
	text := "one\ntwo\r\n\n" + strings.Repeat("x", maxLine+10) + "\nlast"
	want := []string{"one", "two", "", strings.Repeat("x", maxLine), strings.Repeat("x", 10), "last"}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var got []string
		g := &guard{sink: func(line string) { got = append(got, line) }}
		for rest := text; rest != ""; {
			n := 1 + random.IntN(len(rest))
			if seed%2 == 0 {
				n = min(n, 1+random.IntN(5000))
			}
			g.split([]byte(rest[:n]))
			rest = rest[n:]
		}
		g.emit() // as FlushPrinted does
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("seed %d: %d lines: %.60q", seed, len(got), got)
		}
	}
}

func TestEarlyLinesAreKeptWithinLimits(t *testing.T) {
	g := &guard{}
	line := strings.Repeat("x", 1023) + "\n"
	for range 2000 {
		g.split([]byte(line))
	}
	if kept := len(g.early); kept != maxEarly/1023 || g.lost != 2000-kept {
		t.Errorf("%d lines kept, %d lost", kept, g.lost)
	}
}
