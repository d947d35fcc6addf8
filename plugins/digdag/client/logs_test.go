package client_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

func TestLogFiles(t *testing.T) {
	f := serve(t, recorded(t, "logs_redelivered"), reply{header: http.Header{"Content-Type": {"application/gzip"}}, body: gzipped("hello\n")})
	c := ask(t, f)
	files, err := c.LogFiles(t.Context(), "7", "+k2+s")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	same(t, "a log file", files[1], client.LogFile{Name: "+k2+s@6b0228531036b3dc.16922@host1.log.gz", Size: 10, TaskName: "+k2+s", Time: at("2026-11-21T23:25:07Z"), AgentID: "16922@host1"})
	data, err := c.LogFile(t.Context(), "7", files[1].Name+"/%?")
	if err != nil || !slices.Equal(f.lines(), []string{
		"GET /api/logs/7/files?direct_download=false&task=%2Bk2%2Bs",
		"GET /api/logs/7/files/+k2+s@6b0228531036b3dc.16922@host1.log.gz%2F%25%3F",
	}) {
		t.Errorf("%v, %v", f.lines(), err)
	}
	if text, whole, err := unpack(data); text != "hello\n" || !whole || err != nil {
		t.Errorf("%q, %v, %v", text, whole, err)
	}
}

func unpack(packed []byte) (string, bool, error) {
	r := client.UnpackLog(packed)
	text, err := io.ReadAll(r)
	return string(text), r.Whole(), err
}

// TestUnfinishedLog: however much is there, it is the beginning of the text, and that
// it is unfinished is told.
func TestUnfinishedLog(t *testing.T) {
	var text strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		text.WriteString(strings.Repeat("x", random.IntN(20)) + string(rune('a'+random.IntN(26))) + "\n")
	}
	packed := []byte(gzipped(text.String()))
	most := 0
	for n := range len(packed) {
		got, whole, err := unpack(packed[:n])
		if err != nil || whole || !strings.HasPrefix(text.String(), got) {
			t.Fatalf("%d bytes: %d of text, %v, %v", n, len(got), whole, err)
		}
		most = max(most, len(got))
	}
	if most < text.Len()*9/10 {
		t.Errorf("of %d bytes no more than %d were read", text.Len(), most)
	}
	if got, whole, err := unpack(packed); got != text.String() || !whole || err != nil {
		t.Errorf("the whole: %d bytes, %v, %v", len(got), whole, err)
	}
	// A server flushes now and then.
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte("first\n"))
	_ = z.Flush()
	if got, whole, err := unpack(b.Bytes()); got != "first\n" || whole || err != nil {
		t.Errorf("a flushed beginning: %q, %v, %v", got, whole, err)
	}
}

func TestDamagedLog(t *testing.T) {
	packed := []byte(gzipped(strings.Repeat("hello ", 100)))
	packed[len(packed)-5] ^= 0xff
	for name, data := range map[string][]byte{"checksum": packed, "a page": []byte("<html>no log here</html>")} {
		if got, whole, err := unpack(data); err == nil || whole || !strings.HasPrefix(err.Error(), "unpack a log file: gzip: ") {
			t.Errorf("%s: %q, %v, %v", name, got, whole, err)
		}
	}
}

func FuzzUnpackLog(f *testing.F) {
	f.Add([]byte(gzipped("hello")))
	f.Add([]byte(gzipped("hello"))[:10])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := client.UnpackLog(data)
		n, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		if r.Whole() && err != nil || len(data) == 0 && (n > 0 || err != nil) {
			t.Errorf("%d bytes, whole %v, %v", n, r.Whole(), err)
		}
	})
}
