package launch

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// split runs text through a splitter, in chunks of n bytes.
func split(text string, n int) []string {
	var lines []string
	s := newSplitter(func(b []byte) { lines = append(lines, string(b)) })
	for chunk := range slices.Chunk([]byte(text), n) {
		_, _ = s.Write(chunk)
	}
	s.flush()
	return lines
}

func TestSplitter(t *testing.T) {
	k64 := strings.Repeat("a", maxLine)
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":          {"", nil},
		"lines":            {"a\nbc\n", []string{"a", "bc"}},
		"no end":           {"a\nbc", []string{"a", "bc"}},
		"empty lines":      {"\n\na\n", []string{"", "", "a"}},
		"windows":          {"a\r\nb\r\n", []string{"a", "b"}},
		"just full":        {k64 + "\nb\n", []string{k64, "b"}},
		"one over":         {k64 + "b\nc\n", []string{k64, "b", "c"}},
		"twice full":       {k64 + k64 + "\nc\n", []string{k64, k64, "c"}},
		"cut in character": {k64[1:] + "é\n", []string{k64[1:], "é"}},
		"broken character": {k64[2:] + "\xf0\xff\xff\xff\n", []string{k64[2:] + "\xf0\xff", "\xff\xff"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 7, 4096, 1 << 20} {
				if got := split(c.in, n); !slices.Equal(got, c.want) {
					t.Errorf("in chunks of %d: %d lines, %.80q", n, len(got), got)
				}
			}
		})
	}
}

func TestHclogLines(t *testing.T) {
	whole := func(more string) string {
		return `{"@level":"warn","@message":"m","@timestamp":"2026-01-02T03:04:05.000006Z"` + more + `}`
	}
	for in, want := range map[string]string{
		whole(``):                       `warn m`,
		whole(`,"b":1.50,"a":{"x":[]}`): `warn m {"a":{"x":[]},"b":1.50}`,
		whole(`,"@module":"x"`):         `warn m {"@module":"x"}`,
		`{"@level":"loud","@message":"m","@timestamp":"yesterday"}`: `info m`,
		`{"@message":5}`:                                     `info {"@message":5}`,
		`{"@message":"m","@level":"warn"}`:                   `info {"@message":"m","@level":"warn"}`,
		`{"@message":"m","@level":null,"@timestamp":""}`:     `info {"@message":"m","@level":null,"@timestamp":""}`,
		`{"@message":"m","@level":"warn","@timestamp":7}`:    `info {"@message":"m","@level":"warn","@timestamp":7}`,
		`{"@message":["m"],"@level":"warn","@timestamp":""}`: `info {"@message":["m"],"@level":"warn","@timestamp":""}`,
		whole(``) + `x`:                                      `info ` + whole(``) + `x`,
		`[1,"@message"]`:                                     `info [1,"@message"]`,
		"[ERROR] as it is":                                   `info [ERROR] as it is`,
		"panic: oh":                                          `error panic: oh`,
		"fatal error: oh":                                    `error fatal error: oh`,
		"SIGSEGV: segmentation violation":                    `error SIGSEGV: segmentation violation`,
		"SIGN 7: off":                                        `info SIGN 7: off`,
		"SIGNAL":                                             `info SIGNAL`,
		"no panic: not this":                                 `info no panic: not this`,
	} {
		l := newStderr(nil).parse([]byte(in))
		got := l.GetLevel() + " " + l.GetMessage()
		if len(l.GetFields()) > 0 {
			got += " " + string(l.GetFields())
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestAllOfACrashIsAnError(t *testing.T) {
	var levels []string
	s := newStderr(func(l *taskv1.LogLine) { levels = append(levels, l.GetLevel()) })
	s.write([]byte("fine\npanic: oh\n\ngoroutine 1:\nmain.main()\n"))
	if got := strings.Join(levels, " "); got != "info error error error error" {
		t.Error(got)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	s := newStderr(func(*taskv1.LogLine) {})
	var all bytes.Buffer
	for i := range 3000 {
		b := bytes.Repeat([]byte{'a' + byte(i%26)}, i%200)
		all.Write(b)
		s.write(b)
		if cap(s.tail) > 4*maxTail {
			t.Fatalf("%d bytes are kept", cap(s.tail))
		}
	}
	if want := all.Bytes()[all.Len()-maxTail:]; s.text() != string(want) {
		t.Errorf("%d bytes, not the last %d", len(s.text()), maxTail)
	}
	big := bytes.Repeat([]byte("xyz\n"), maxTail)
	s.write(big)
	if s.text() != string(big[len(big)-maxTail:]) {
		t.Error("one large write is not kept right")
	}
}

func TestGist(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"a\nb\n\n":                       "b",
		"a\nSIGQUIT: quit\nPC=0x1\n":     "SIGQUIT: quit",
		"a\npanic: oh\n\ngoroutine 1\n":  "panic: oh",
		"fatal error: all goroutines\nx": "fatal error: all goroutines",
		strings.Repeat("é", 1000):        strings.Repeat("é", 200) + "…",
		"a" + strings.Repeat("é", 1000):  "a" + strings.Repeat("é", 199) + "…",
	} {
		if got := gist(in); got != want {
			t.Errorf("%.40q: %q", in, got)
		}
	}
}

func TestGreeting(t *testing.T) {
	for in, want := range map[string]struct {
		g  greeting
		at int
	}{
		"1|1|unix|/a/b|grpc|":       {greeting{true, 1, "unix", "/a/b", "grpc"}, 0},
		"1|1|unix|/a/b|grpc||true":  {greeting{true, 1, "unix", "/a/b", "grpc"}, 0},
		"1|23|unix|/a|grpc":         {greeting{true, 23, "unix", "/a", "grpc"}, 0},
		"1|1|tcp|127.0.0.1:9|grpc|": {greeting{true, 1, "tcp", "127.0.0.1:9", "grpc"}, 0},
		"1|1|unix|/a|netrpc":        {greeting{true, 1, "unix", "/a", "netrpc"}, 0},
		"1|1|unix|/a":               {greeting{true, 1, "unix", "/a", ""}, 0},
		"loading1|1|unix|/a|grpc|":  {greeting{true, 1, "unix", "/a", "grpc"}, 7},
		"step 1 1|1|unix|/a|grpc|":  {greeting{true, 1, "unix", "/a", "grpc"}, 7},
		"11|1|unix|/a|grpc|":        {greeting{true, 1, "unix", "/a", "grpc"}, 1},
		"a|b1|1|unix|/a|grpc|":      {greeting{true, 1, "unix", "/a", "grpc"}, 3},
		"":                          {},
		"|unix|":                    {},
		"1|unix|":                   {},
		"|1|unix|/a|grpc":           {},
		"1|x|unix|/a|grpc":          {},
		"2|1|unix|/a|grpc":          {},
		"1|1|pipe|/a|grpc":          {},
		"one|two|three|four":        {},
	} {
		if g, at := parseGreeting([]byte(in)); g != want.g || at != want.at {
			t.Errorf("%q: %+v at %d", in, g, at)
		}
	}
}

func TestEnviron(t *testing.T) {
	host := []string{
		"PATH=/bin", "HOME=/h", "USER=u", "LOGNAME=u", "SHELL=/bin/sh", "LANG=C", "LC_ALL=C", "TZ=UTC", "TMPDIR=/t",
		"SSL_CERT_FILE=/c", "SSL_CERT_DIR=/d", "HTTPS_PROXY=p", "https_proxy=p", "no_proxy=x",
		"OUTRIDER_DIGDAG_ENDPOINT=e", "OUTRIDER_STATE=/s", "OUTRIDER_RUN=a,b", "WANTED=1=2",
	}
	hidden := []string{
		"AWS_SECRET_ACCESS_KEY=s", "OUTRIDER_FORCE=1", "OUTRIDER_PLUGIN=cookie", "LD_PRELOAD=x", "PATHX=1", "LC=1",
		"PLUGIN_MIN_PORT=1", "GODEBUG=x", "broken", "=C:=x",
	}
	got := Environ(slices.Concat(hidden, host, hidden), []string{"WANTED", "MISSING"})
	if !slices.Equal(got, host) {
		t.Errorf("got %q", got)
	}
	o := Options{Dir: "/d", Env: []string{"A=1", "OUTRIDER_RUN_DIR=/else", "PLUGIN_X=mine", "OUTRIDER_LIFELINE_FD=9"}}
	want := []string{"PLUGIN_X=theirs", "OUTRIDER_LIFELINE_FD=3", "OUTRIDER_RUN_DIR=/d", "A=1"}
	if env := o.environ([]string{"PLUGIN_X=theirs"}); !slices.Equal(env, want) {
		t.Errorf("got %q", env)
	}
}

func FuzzStderr(f *testing.F) {
	f.Add([]byte(`{"@message":5}`), uint16(3))
	f.Add([]byte(`{"@level":"warn","@message":"m","@timestamp":"2026-01-02T03:04:05.000006Z","a":1}`+"\n"), uint16(1))
	f.Add([]byte("panic: x\n\ngoroutine 1 [running]:\n"), uint16(9))
	f.Add([]byte("\xff\xfe\r\n\r\n\x00"), uint16(2))
	f.Add(bytes.Repeat([]byte("é"), maxLine), uint16(1000))
	f.Fuzz(func(t *testing.T, in []byte, chunk uint16) {
		parse := func(n int) []*taskv1.LogLine {
			var lines []*taskv1.LogLine
			s := newStderr(func(l *taskv1.LogLine) { lines = append(lines, l) })
			for c := range slices.Chunk(in, n) {
				s.write(c)
			}
			s.end()
			if text := s.text(); text != valid(in[max(0, len(in)-maxTail):]) {
				t.Errorf("the tail is not the end")
			}
			return lines
		}
		lines := parse(int(chunk) + 1)
		whole := parse(len(in) + 1)
		if len(lines) != len(whole) {
			t.Fatalf("%d lines in chunks, %d at once", len(lines), len(whole))
		}
		for i, l := range lines {
			if l.GetMessage() != whole[i].GetMessage() || l.GetLevel() != whole[i].GetLevel() {
				t.Errorf("line %d depends on the chunks", i)
			}
			if _, err := proto.Marshal(l); err != nil {
				t.Errorf("line %d: %v", i, err)
			}
			if len(l.GetMessage()) > 2*maxLine || strings.Contains(l.GetMessage(), "\n") && len(l.GetFields()) == 0 && !bytes.Contains(in, []byte(`"@message"`)) {
				t.Errorf("line %d is no line", i)
			}
			if !slices.Contains([]string{"trace", "debug", "info", "warn", "error"}, l.GetLevel()) || l.GetSource() != sourceStderr {
				t.Errorf("line %d: %v", i, l)
			}
			if f := l.GetFields(); len(f) > 0 && !json.Valid(f) {
				t.Errorf("line %d: fields %q", i, f)
			}
		}
	})
}

func FuzzHandshake(f *testing.F) {
	f.Add([]byte("1|1|unix|/a/b|grpc|"))
	f.Add([]byte("loading 1|1|unix|/a|grpc||true\r"))
	f.Add([]byte("1|1|tcp|127.0.0.1:9|netrpc"))
	f.Add([]byte("|unix||unix|"))
	f.Fuzz(func(t *testing.T, in []byte) {
		g, at := parseGreeting(in)
		if !g.seen {
			return
		}
		if at < 0 || at >= len(in) || !bytes.HasPrefix(in[at:], []byte("1|")) {
			t.Errorf("%q at %d", in, at)
		}
		_ = g.check()
	})
}
