package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// logged returns what fn's lines look like: level, message and fields.
func logged(t *testing.T, level string, fn func(hclog.Logger)) []string {
	t.Helper()
	var lines []string
	local(t, func(_ context.Context, run *engine.Run) (string, error) {
		fn(run.Log)
		return `{}`, nil
	}, client.Events{Log: func(l *taskv1.LogLine) {
		if d := time.Since(time.Unix(0, l.GetUnixNano())); d < 0 || d > time.Hour || l.GetSource() != "task" {
			t.Errorf("line %v", l)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", l.GetLevel(), l.GetMessage(), l.GetFields()))
	}}, func(s *taskv1.Start) { s.LogLevel = level })
	return lines
}

type nilStringer struct{ s string }

func (n *nilStringer) String() string { return n.s }

func TestLogger(t *testing.T) {
	for name, c := range map[string]struct {
		level string
		log   func(hclog.Logger)
		want  []string
	}{
		"levels": {"warn", func(l hclog.Logger) {
			l.Trace("t")
			l.Debug("d")
			l.Info("i")
			l.Warn("w")
			l.Error("e")
			l.Log(hclog.Off, "o")
		}, []string{"warn w ", "error e "}},
		"all levels": {"trace", func(l hclog.Logger) {
			l.Trace("t")
			l.Debug("d")
			l.Log(hclog.NoLevel, "n")
		}, []string{"trace t ", "debug d ", "info n "}},
		"a level that is none": {"loud", func(l hclog.Logger) { l.Debug("d"); l.Info("i") }, []string{"info i "}},
		"changed level": {"info", func(l hclog.Logger) {
			sub := l.Named("sub")
			l.SetLevel(hclog.Debug)
			sub.Debug("d")
			if !l.IsDebug() || l.IsTrace() || !l.IsInfo() || !l.IsWarn() || !l.IsError() || l.GetLevel() != hclog.Debug {
				t.Error("the guards do not tell the level")
			}
		}, []string{"debug sub: d "}},
		"names": {"info", func(l hclog.Logger) {
			l.Named("a").Named("b").Info("i")
			l.Named("a").ResetNamed("c").Info("i")
		}, []string{"info a.b: i ", "info c: i "}},
		"values": {"info", func(l hclog.Logger) {
			l.Info(
				"m", "s", "text", "i", 7, "b", true, "n", nil, "f", 1.5, "err", errors.New("bad"), "d", time.Minute,
				"list", []string{"a"}, "map", map[string]int{"x": 1}, "fmt", hclog.Fmt("%03d", 5), "q", hclog.Quote("z"),
			)
		}, []string{`info m {"s":"text","i":7,"b":true,"n":null,"f":1.5,"err":"bad","d":"1m0s","list":["a"],"map":{"x":1},"fmt":"005","q":"z"}`}},
		"implied": {"info", func(l hclog.Logger) {
			sub := l.With("a", 1)
			sub.With("b", 2).Info("m", "a", 3)
			sub.Info("m")
			if len(sub.ImpliedArgs()) != 2 {
				t.Error("ImpliedArgs")
			}
		}, []string{`info m {"a":1,"b":2,"a_2":3}`, `info m {"a":1}`}},
		"odd":            {"info", func(l hclog.Logger) { l.Info("m", "a", 1, "lost") }, []string{`info m {"a":1,"EXTRA_VALUE_AT_END":"lost"}`}},
		"a key of int":   {"info", func(l hclog.Logger) { l.Info("m", 1, 2) }, []string{`info m {"1":2}`}},
		"no JSON":        {"info", func(l hclog.Logger) { l.Info("m", "c", make(chan int) == nil, "f", complex(1, 2)) }, []string{`info m {"c":false,"f":"(1+2i)"}`}},
		"a nil Stringer": {"info", func(l hclog.Logger) { l.Info("m", "s", (*nilStringer)(nil)) }, []string{`info m {"s":"(panic: runtime error: invalid memory address or nil pointer dereference)"}`}},
		"standard": {"info", func(l hclog.Logger) {
			l.StandardLogger(nil).Print("[WARN] as it is")
			std := l.StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true})
			std.Print("[WARN] careful")
			std.Print("[ERR] bad")
			std.Print("[DEBUG] silent")
			std.Print("[x] plain")
			l.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Error}).Print("[INFO] forced")
		}, []string{"info [WARN] as it is ", "warn careful ", "error bad ", "info [x] plain ", "error forced "}},
	} {
		t.Run(name, func(t *testing.T) {
			got := logged(t, c.level, c.log)
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got\n%q\nwant\n%q", got, c.want)
			}
		})
	}
}
