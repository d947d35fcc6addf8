package engine

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

const (
	// maxLine is where a message is cut into several lines.
	maxLine = 64 << 10
	// maxField and maxFields cap one value and all fields of a line.
	maxField  = 16 << 10
	maxFields = 64 << 10
)

// Sources of a line.
const (
	sourceTask   = "task"
	sourceStdout = "stdout"
)

// logger is a hclog.Logger whose lines travel on the stream, in order with all
// else that the task says.
type logger struct {
	out     *outbox
	level   *atomic.Int32
	name    string
	implied []any
}

var _ hclog.Logger = (*logger)(nil)

func newLogger(out *outbox, level string) *logger {
	l := &logger{out: out, level: new(atomic.Int32)}
	l.SetLevel(hclog.LevelFromString(level))
	return l
}

func (l *logger) Log(level hclog.Level, msg string, args ...any) {
	if level == hclog.NoLevel {
		level = hclog.Info
	}
	if level < l.GetLevel() || level >= hclog.Off {
		return
	}
	now := time.Now().UnixNano()
	if l.name != "" {
		msg = l.name + ": " + msg
	}
	fields := l.fields(args)
	emit(l.out, msg, func(piece string) *taskv1.LogLine {
		line := &taskv1.LogLine{UnixNano: now, Level: level.String(), Message: piece, Fields: fields, Source: sourceTask}
		fields = nil
		return line
	})
}

// emit sends msg as one line, or as several when it is too long.
func emit(out *outbox, msg string, line func(piece string) *taskv1.LogLine) {
	msg = valid(msg)
	for {
		piece := head(msg, maxLine)
		out.log(line(piece))
		if msg = msg[len(piece):]; msg == "" {
			return
		}
	}
}

func (l *logger) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }
func (l *logger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l *logger) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l *logger) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l *logger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

func (l *logger) IsTrace() bool { return l.GetLevel() <= hclog.Trace }
func (l *logger) IsDebug() bool { return l.GetLevel() <= hclog.Debug }
func (l *logger) IsInfo() bool  { return l.GetLevel() <= hclog.Info }
func (l *logger) IsWarn() bool  { return l.GetLevel() <= hclog.Warn }
func (l *logger) IsError() bool { return l.GetLevel() <= hclog.Error }

func (l *logger) GetLevel() hclog.Level { return hclog.Level(l.level.Load()) }

func (l *logger) SetLevel(level hclog.Level) {
	if level == hclog.NoLevel {
		level = hclog.Info
	}
	l.level.Store(int32(level))
}

func (l *logger) ImpliedArgs() []any { return l.implied }
func (l *logger) Name() string       { return l.name }

func (l *logger) With(args ...any) hclog.Logger {
	sub := *l
	sub.implied = slices.Concat(l.implied, args)
	return &sub
}

func (l *logger) Named(name string) hclog.Logger {
	if l.name != "" {
		name = l.name + "." + name
	}
	return l.ResetNamed(name)
}

func (l *logger) ResetNamed(name string) hclog.Logger {
	sub := *l
	sub.name = name
	return &sub
}

func (l *logger) StandardLogger(o *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(o), "", 0)
}

func (l *logger) StandardWriter(o *hclog.StandardLoggerOptions) io.Writer {
	if o == nil {
		o = &hclog.StandardLoggerOptions{}
	}
	return &lineWriter{log: l, options: *o}
}

// lineWriter logs what the standard library's logger writes, a line a call.
type lineWriter struct {
	log     *logger
	options hclog.StandardLoggerOptions
}

func (w *lineWriter) Write(b []byte) (int, error) {
	text := string(bytes.TrimRight(b, " \t\r\n"))
	level := hclog.Info
	if w.options.InferLevels || w.options.ForceLevel != hclog.NoLevel {
		if tag, rest, ok := strings.Cut(text, "]"); ok && strings.HasPrefix(tag, "[") {
			name := strings.TrimPrefix(tag, "[")
			if name == "ERR" {
				name = "ERROR"
			}
			if found := hclog.LevelFromString(name); found != hclog.NoLevel {
				level, text = found, strings.TrimLeft(rest, " ")
			}
		}
	}
	if w.options.ForceLevel != hclog.NoLevel {
		level = w.options.ForceLevel
	}
	w.log.Log(level, text)
	return len(b), nil
}

// fields makes a JSON object of key-value pairs, the logger's own first; nil of
// none. A later key does not replace an earlier one of the same name: both are
// kept, the later with a number.
func (l *logger) fields(args []any) []byte {
	if len(l.implied) == 0 && len(args) == 0 {
		return nil
	}
	pairs := args
	if len(l.implied) > 0 {
		pairs = slices.Concat(l.implied, args)
	}
	if len(pairs)%2 != 0 {
		extra := pairs[len(pairs)-1]
		pairs = append(pairs[:len(pairs)-1:len(pairs)-1], hclog.MissingKey, extra)
	}
	seen := make(map[string]int, len(pairs)/2)
	out := append(make([]byte, 0, 32*len(pairs)), '{')
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			key = fmt.Sprint(pairs[i])
		}
		key = clean(key, 200)
		if seen[key]++; seen[key] > 1 {
			key += "_" + strconv.Itoa(seen[key])
		}
		k, _ := json.Marshal(key)
		v := fieldValue(pairs[i+1])
		if len(out)+len(k)+len(v) > maxFields-64 {
			out = appendPair(out, []byte(`"fields_cut"`), []byte(`true`))
			break
		}
		out = appendPair(out, k, v)
	}
	return append(out, '}')
}

func appendPair(out, key, value []byte) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	out = append(out, key...)
	out = append(out, ':')
	return append(out, value...)
}

// fieldValue keeps numbers and booleans; all else is text, of structures their
// JSON when there is one.
func fieldValue(v any) []byte {
	switch v := v.(type) {
	case nil:
		return []byte("null")
	case string:
		return quote(v)
	case bool:
		return strconv.AppendBool(nil, v)
	case int:
		return strconv.AppendInt(nil, int64(v), 10)
	case hclog.Format:
		if len(v) > 0 {
			if format, ok := v[0].(string); ok {
				return quote(fmt.Sprintf(format, v[1:]...))
			}
		}
	case hclog.Quote:
		return quote(string(v))
	case error:
		return quote(safely(v.Error))
	case json.Marshaler, encoding.TextMarshaler:
	case fmt.Stringer:
		return quote(safely(v.String))
	}
	if raw, err := marshalSafely(v); err == nil && len(raw) <= maxField && json.Valid(raw) {
		return raw
	}
	return quote(fmt.Sprintf("%+v", v))
}

// safely survives methods that panic, on nil pointers for example, as fmt does.
func safely(f func() string) (s string) {
	defer func() {
		if p := recover(); p != nil {
			s = fmt.Sprintf("(panic: %v)", p)
		}
	}()
	return f()
}

func marshalSafely(v any) (raw []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return json.Marshal(v)
}

func quote(s string) []byte {
	raw, _ := json.Marshal(clean(s, maxField))
	return raw
}
