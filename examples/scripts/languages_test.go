package scripts

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

func TestPythonCountsACSVFile(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("id;name\r\n")
	for i := range 25_000 {
		fmt.Fprintf(&b, "%d;\"a;\nb\"\r\n", i)
	}
	b.WriteString("last;\r\n")
	file := write(t, filepath.Join(dir, "in.csv"), b.String())
	csv := example(t, "csv_count")

	o := csv.Run(t, "csv.count", `{"file":"`+file+`","delimiter":";"}`)
	if want := `{"filled":{"id":25001,"name":25000},"rows":25001}`; o.Err() != nil || string(o.Output) != want {
		t.Errorf("%s, %v; want %s", o.Output, o.Err(), want)
	}
	size := float64(b.Len())
	if p := lastProgress(o); len(o.Progress) < 1 || p.Done != size || p.Total != size {
		t.Errorf("progress %v of %v", o.Progress, size)
	}
	if len(o.Logs) == 0 || o.Logs[len(o.Logs)-1].Message != "25001 rows in 2 columns" {
		t.Errorf("log %v", o.Logs)
	}

	if o := csv.Run(t, "csv.count", `{"file":"`+dir+`/none.csv"}`); o.State != sdktest.Permanent || !strings.Contains(o.Error, "cannot read the file: ") {
		t.Errorf("no file: %v", o.Err())
	}
	empty := write(t, filepath.Join(dir, "empty.csv"), "")
	if o := csv.Run(t, "csv.count", `{"file":"`+empty+`"}`); o.State != sdktest.Skipped || o.Error != "the file is empty" {
		t.Errorf("empty file: %v", o.Err())
	}
	latin := write(t, filepath.Join(dir, "latin.csv"), "name\n\xe4\n")
	if o := csv.Run(t, "csv.count", `{"file":"`+latin+`"}`); o.State != sdktest.Failed || !strings.Contains(o.Error, "UnicodeDecodeError: ") {
		t.Errorf("other encoding: %v", o.Err())
	}
	if o := csv.Run(t, "csv.count", `{"file":"`+latin+`","encoding":"latin-1"}`); o.Err() != nil {
		t.Errorf("other encoding, named: %v", o.Err())
	}
	csv.Conform(t, "csv.count", sdktest.Case{Params: `{"file":"` + file + `","delimiter":";"}`})
}

func TestShellChecksADisk(t *testing.T) {
	disk := example(t, "disk_check")
	var out struct {
		Free *int `json:"free_percent"`
	}
	o := disk.Run(t, "disk.check", `{"path":"/tmp","min_free_percent":0}`)
	if err := o.Decode(&out); o.Err() != nil || err != nil || out.Free == nil || *out.Free < 0 || *out.Free > 100 {
		t.Errorf("%s, %v, %v", o.Output, o.Err(), err)
	}
	// df is played, so that the figure is known.
	s := newStub(t, "df")
	s.ends(0, "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 100 93 7 93% /\n", "")
	full := example(t, "disk_check", s.path())
	o = full.Run(t, "disk.check", `{"path":"/","min_free_percent":8}`)
	if o.State != sdktest.Failed || o.Code != "disk_full" || !strings.Contains(o.Error, "only 7% free on /") {
		t.Errorf("%v, code %q", o.Err(), o.Code)
	}
	o = full.Run(t, "disk.check", `{"path":"/","min_free_percent":7}`)
	if o.Err() != nil || string(o.Output) != `{"free_percent":7}` {
		t.Errorf("%s, %v", o.Output, o.Err())
	}
	if o := disk.Run(t, "disk.check", `{"path":"/no/such/path"}`); o.State != sdktest.Permanent || !strings.Contains(o.Error, "no such file or folder: /no/such/path") {
		t.Errorf("no path: %v", o.Err())
	}
	disk.Conform(t, "disk.check", sdktest.Case{Params: `{"path":"/tmp","min_free_percent":0}`})
}

func TestRubyRendersATemplate(t *testing.T) {
	dir := t.TempDir()
	tmpl := write(t, filepath.Join(dir, "t.erb"), "Dear <%= name %>,\n<%- orders.each do |o| -%>\n- <%= o[\"id\"] %>\n<%- end -%>\n")
	params := `{"template":"` + tmpl + `","to":"` + dir + `/out.txt","values":{"name":"Zoë","orders":[{"id":1},{"id":2}]}}`
	ruby := example(t, "template_render")

	o := ruby.Run(t, "template.render", params)
	want := "Dear Zoë,\n- 1\n- 2\n"
	if o.Err() != nil || read(t, dir+"/out.txt") != want || string(o.Output) != fmt.Sprintf(`{"bytes":%d,"file":"%s/out.txt"}`, len(want), dir) {
		t.Errorf("%s, %v", o.Output, o.Err())
	}
	for template, want := range map[string]string{
		dir + "/none.erb": "No such file or directory",
		write(t, filepath.Join(dir, "name.erb"), "<%= nobody %>"): "undefined local variable or method `nobody'",
		write(t, filepath.Join(dir, "syntax.erb"), "<% if %>"):    "syntax error",
	} {
		o := ruby.Run(t, "template.render", `{"template":"`+template+`","to":"`+dir+`/none.txt"}`)
		text := strings.ReplaceAll(o.Error, "'nobody'", "`nobody'") // Ruby 3.4 quotes so
		if o.State != sdktest.Permanent || o.Code != "bad_template" || !strings.Contains(text, want) {
			t.Errorf("%s: %v, code %q", template, o.Err(), o.Code)
		}
	}
	if _, err := os.Stat(dir + "/none.txt"); !os.IsNotExist(err) {
		t.Errorf("a failed render left %v", err)
	}
	ruby.Conform(t, "template.render", sdktest.Case{Params: params})
}

func TestNodeDownloads(t *testing.T) {
	const token = "bearer-token-of-the-test"
	body := strings.Repeat("0123456789", 100_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			if r.Header.Get("Authorization") != "Bearer "+token {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			fmt.Fprint(w, body)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "short")
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	node, dir := example(t, "http_fetch"), t.TempDir()
	params := func(path string) string {
		return `{"url":"` + server.URL + path + `","to":"` + dir + `/file","token":"` + token + `"}`
	}

	o := node.Run(t, "http.fetch", params("/ok"))
	if o.Err() != nil || read(t, dir+"/file") != body || string(o.Output) != fmt.Sprintf(`{"bytes":%d,"file":"%s/file"}`, len(body), dir) {
		t.Errorf("%s, %v", o.Output, o.Err())
	}
	if p := lastProgress(o); p.Done != float64(len(body)) || p.Total != p.Done {
		t.Errorf("progress %v", o.Progress)
	}
	for path, want := range map[string]struct {
		state sdktest.State
		code  string
	}{
		"/none": {sdktest.Permanent, "http_404"},
		"/busy": {sdktest.Failed, "http_503"},
		"/cut":  {sdktest.Failed, "no_answer"},
	} {
		if o := node.Run(t, "http.fetch", params(path)); o.State != want.state || o.Code != want.code {
			t.Errorf("%s: %v, code %q", path, o.Err(), o.Code)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("files left: %v, %v", entries, err)
	}
	node.Conform(t, "http.fetch", sdktest.Case{Params: params("/ok")})

	server.Close()
	if o := node.Run(t, "http.fetch", params("/ok")); o.State != sdktest.Failed || o.Code != "no_answer" || !strings.Contains(o.Error, "ECONNREFUSED") {
		t.Errorf("no server: %v, code %q", o.Err(), o.Code)
	}
}
