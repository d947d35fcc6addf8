package main

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

func TestGreetUsesTheDefaultGreeting(t *testing.T) {
	bin := sdktest.Build(t, ".")
	o := bin.Run(t, "hello.greet", `{"name":"Ada"}`)
	if got, want := string(o.Output), `{"message":"Hello, Ada!"}`; got != want || o.Err() != nil {
		t.Errorf("output %s, error %v; want %s", got, o.Err(), want)
	}
}

func TestGreetTakesAnotherGreeting(t *testing.T) {
	out, o := sdktest.Run(t, greet, params{Name: "Ada", Greeting: "Bonjour"})
	if out.Message != "Bonjour, Ada!" || o.Err() != nil {
		t.Errorf("message %q, error %v", out.Message, o.Err())
	}
}

func TestHelloConforms(t *testing.T) {
	sdktest.Build(t, ".").Conform(t, "hello.greet", sdktest.Case{Params: `{"name":"Ada"}`})
}

// The whole component, its main included, has to stay this small.
func TestHelloIsEighteenLinesOfCode(t *testing.T) {
	const most = 18
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") {
			n += codeLines(t, name)
		}
	}
	if n == 0 || n > most {
		t.Errorf("the example is %d lines of code, at most %d are allowed", n, most)
	}
}

// codeLines counts the lines that hold at least one token that is no comment.
func codeLines(t *testing.T, name string) int {
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	file := fset.AddFile(name, -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, _ := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		lines[file.Line(pos)] = true
	}
}
