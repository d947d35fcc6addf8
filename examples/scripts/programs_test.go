package scripts

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// exits checks what the component makes of the program's exit codes.
func (s stub) exits(b *sdktest.Binary, component, params string, want map[int]sdktest.State) {
	s.t.Helper()
	for code, state := range want {
		s.ends(code, "", fmt.Sprintf("it went wrong with %d\n", code))
		o := b.Run(s.t, component, params)
		if o.State != state || state != sdktest.Success && o.Error != fmt.Sprintf("exit status %d: it went wrong with %d", code, code) {
			s.t.Errorf("%s ended with %d: %s, %q; want %s", component, code, o.State, o.Error, state)
		}
	}
	s.ends(0, "", "")
}

func TestPsql(t *testing.T) {
	const password = `pa:ss\wörd 'of' "the" test`
	s, dir := newStub(t, "psql"), t.TempDir()
	psql := example(t, "psql_query", s.path())
	const sql = "SELECT 'a''b' AS x;\\nSELECT 2"
	params := `{"database":"shop","user":"me","host":"db.example","port":5433,"password":"pa:ss\\wörd 'of' \"the\" test",` +
		`"sql":"` + sql + `","to":"` + dir + `/out.csv"}`

	o := psql.Run(t, "psql.query", params)
	if o.Err() != nil || string(o.Output) != `{"bytes":8,"file":"`+dir+`/out.csv"}` || read(t, dir+"/out.csv") != "a,b\n1,2\n" {
		t.Errorf("%s, %v", o.Output, o.Err())
	}
	if got := s.got("PGPASSFILE"); got != "600\n*:*:*:*:"+`pa\:ss\\wörd 'of' "the" test`+"\n" {
		t.Errorf("password file: %q", got)
	}
	s.sawNo(password, o)
	s.sawNo("wörd", o)
	if got := s.got("stdin"); got != strings.ReplaceAll(sql, `\n`, "\n")+"\n" {
		t.Errorf("stdin: %q", got)
	}
	if argv := s.got("argv"); !strings.Contains(argv, "ON_ERROR_STOP=1\n") || !strings.Contains(argv, "--no-password\n") || strings.Contains(argv, "SELECT") {
		t.Errorf("argv: %s", argv)
	}
	env := strings.Split(s.got("env"), "\n")
	for _, want := range []string{"PGHOST=db.example", "PGPORT=5433", "PGDATABASE=shop", "PGUSER=me", "PGAPPNAME=outrider test-run"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %q", want, env)
		}
	}
	// Without a file the result goes to the log.
	s.ends(0, "a,b\n", "")
	if o := psql.Run(t, "psql.query", `{"database":"shop","sql":"SELECT 1"}`); o.Err() != nil || len(o.Logs) == 0 || o.Logs[len(o.Logs)-1].Message != "a,b" {
		t.Errorf("%v, %v", o.Err(), o.Logs)
	}
	s.exits(psql, "psql.query", params, map[int]sdktest.State{
		0: sdktest.Success, 1: sdktest.Permanent, 2: sdktest.Failed, 3: sdktest.Failed, 127: sdktest.Permanent,
	})
	psql.Conform(t, "psql.query", sdktest.Case{Params: params})
}

func TestPsqlThatIsNotInstalled(t *testing.T) {
	// Of the programs that the script needs only psql is not on PATH.
	bin := t.TempDir()
	for _, name := range []string{"jq", "sh", "cat", "wc"} {
		link(t, name, filepath.Join(bin, name))
	}
	psql := example(t, "psql_query", "PATH="+bin)
	o := psql.Run(t, "psql.query", `{"database":"shop","sql":"SELECT 1"}`)
	if o.State != sdktest.Permanent || !strings.Contains(o.Error, "exit status 127: ") || !strings.Contains(o.Error, "psql") {
		t.Errorf("%v", o.Err())
	}
}

func TestAWS(t *testing.T) {
	const key, session = "aws-secret-key-of-the-test", "aws-session-token-of-the-test"
	s := newStub(t, "aws")
	aws := example(t, "s3_copy", s.path(), "HOME="+t.TempDir())
	params := `{"from":"/tmp/a b","to":"s3://shop/x","recursive":true,"region":"eu-central-1","access_key_id":"AKIATEST",` +
		`"secret_access_key":"` + key + `","session_token":"` + session + `"}`

	o := aws.Run(t, "s3.copy", params)
	if o.Err() != nil || string(o.Output) != "{}" {
		t.Errorf("%s, %v", o.Output, o.Err())
	}
	want := "600\n[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = " + key + "\naws_session_token = " + session + "\n"
	if got := s.got("AWS_SHARED_CREDENTIALS_FILE"); got != want {
		t.Errorf("credentials file: %q", got)
	}
	s.sawNo(key, o)
	s.sawNo(session, o)
	if got := s.got("argv"); got != "s3\ncp\n/tmp/a b\ns3://shop/x\n--no-progress\n--region\neu-central-1\n--recursive\n" {
		t.Errorf("argv: %q", got)
	}
	// Without keys the program finds its own.
	if o := aws.Run(t, "s3.copy", `{"from":"s3://shop/x","to":"/tmp/x"}`); o.Err() != nil || strings.Contains(s.got("env"), "AWS_SHARED_CREDENTIALS_FILE=") {
		t.Errorf("%v, %s", o.Err(), s.got("env"))
	}
	if got := s.got("argv"); got != "s3\ncp\ns3://shop/x\n/tmp/x\n--no-progress\n" {
		t.Errorf("argv: %q", got)
	}
	s.exits(aws, "s3.copy", params, map[int]sdktest.State{
		0: sdktest.Success, 1: sdktest.Failed, 2: sdktest.Permanent, 127: sdktest.Permanent, 130: sdktest.Failed,
		252: sdktest.Permanent, 253: sdktest.Permanent, 254: sdktest.Failed, 255: sdktest.Failed,
	})
	aws.Conform(t, "s3.copy", sdktest.Case{Params: params})
}

func TestBq(t *testing.T) {
	const key = `{"type": "service_account", "private_key": "bq-key-of-the-test"}`
	s, dir := newStub(t, "bq"), t.TempDir()
	bq := example(t, "bq_query", s.path())
	params := `{"project":"shop","location":"EU","sql":"SELECT 1","to":"` + dir + `/out.csv",` +
		`"key":"{\"type\": \"service_account\", \"private_key\": \"bq-key-of-the-test\"}"}`

	s.ends(0, "x\n1\n", "Waiting on job ... (0s) Current status: DONE\n")
	o := bq.Run(t, "bq.query", params)
	if o.Err() != nil || string(o.Output) != `{"bytes":4,"file":"`+dir+`/out.csv"}` || read(t, dir+"/out.csv") != "x\n1\n" {
		t.Errorf("%s, %v", o.Output, o.Err())
	}
	if got := s.got("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"); got != "600\n"+key+"\n" {
		t.Errorf("key file: %q", got)
	}
	s.sawNo("bq-key-of-the-test", o)
	if got := s.got("stdin"); got != "SELECT 1\n" {
		t.Errorf("stdin: %q", got)
	}
	if got := s.got("argv"); got != "--quiet\n--headless\n--project_id=shop\n--format=csv\n--location=EU\nquery\n--use_legacy_sql=false\n--max_rows=1000000\n" {
		t.Errorf("argv: %q", got)
	}
	// Without a file the result goes to the log.
	if o := bq.Run(t, "bq.query", `{"project":"shop","sql":"SELECT 1"}`); o.Err() != nil || len(o.Logs) < 2 {
		t.Errorf("%v, %v", o.Err(), o.Logs)
	}
	s.exits(bq, "bq.query", params, map[int]sdktest.State{0: sdktest.Success, 1: sdktest.Failed, 127: sdktest.Permanent})

	// bq prints its errors on stdout and ends with 1 for every one of them.
	for text, want := range map[string]sdktest.State{
		"Error in query string: Syntax error: Unexpected identifier at [1:1]":                                                 sdktest.Permanent,
		"BigQuery error in query operation: Error processing job 'shop:x': Not found: Table shop:a.b was not found":           sdktest.Permanent,
		"BigQuery error in query operation: Access Denied: Project shop: User does not have bigquery.jobs.create permission.": sdktest.Permanent,
		"BigQuery error in query operation: Error processing job 'shop:x': Retrying may solve the problem":                    sdktest.Failed,
	} {
		s.ends(1, text+"\n", "")
		if o := bq.Run(t, "bq.query", params); o.State != want || !strings.HasSuffix(o.Error, ": "+text) {
			t.Errorf("%s: %v", text, o.Err())
		}
	}
	s.ends(0, "", "")
	bq.Conform(t, "bq.query", sdktest.Case{Params: params})
}
