package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

type in struct {
	Name  string        `json:"name" help:"Whom to greet"`
	Every time.Duration `json:"every" default:"1m"`
	Limit sdk.Bytes     `json:"limit" default:"64MiB"`
	Token *sdk.Secret   `json:"token"`
	Fail  string        `json:"fail,omitempty"`
}

func (p *in) Validate() error {
	if p.Name == p.Fail {
		return errors.New("name and fail are the same")
	}
	return nil
}

type out struct {
	Text  string        `json:"text"`
	Took  time.Duration `json:"took"`
	Size  sdk.Bytes     `json:"size"`
	List  []string      `json:"list"`
	Token *sdk.Secret   `json:"token"`
}

var errKinds = map[string]error{
	"plain":      errors.New("no luck"),
	"permanent":  sdk.Permanent(errors.New("no luck")),
	"later":      sdk.RetryAfter(90*time.Second, errors.New("no luck")),
	"skip":       sdk.Skip("nothing new"),
	"code":       fmt.Errorf("loading: %w", sdk.Code("no_table", sdk.Permanent(errors.New("no luck")))),
	"code alone": sdk.Code("no_table", errors.New("no luck")),
	"unchanged":  sdk.Unchanged(),
	"wrapped":    fmt.Errorf("checked: %w", sdk.Unchanged()),
}

func work(_ context.Context, _ *sdk.Run, p in) (out, error) {
	o := out{Text: "hello \xff " + p.Name, Took: p.Every, Size: p.Limit, Token: p.Token}
	return o, errKinds[p.Fail]
}

func TestDefineDecodesRunsAndEncodes(t *testing.T) {
	c := sdk.Define("test.work", work)
	for name, c2 := range map[string]struct {
		params string
		want   sdktest.Outcome
	}{
		"defaults": {`{"name":"Ada"}`, sdktest.Outcome{
			State: sdktest.Success, Output: json.RawMessage("{\"text\":\"hello \uFFFD Ada\",\"took\":\"1m0s\",\"size\":67108864,\"list\":[],\"token\":null}"),
		}},
		"given": {`{"name":"Ada","every":"2s","limit":"1KiB","token":"hush-hush"}`, sdktest.Outcome{
			State: sdktest.Success, Output: json.RawMessage("{\"text\":\"hello \uFFFD Ada\",\"took\":\"2s\",\"size\":1024,\"list\":[],\"token\":\"[secret]\"}"),
		}},
		"bad params": {`{"nam":"Ada"}`, sdktest.Outcome{State: sdktest.Permanent, Code: "bad_params", Error: "nam: unknown parameter\nname: is required"}},
		"Validate":   {`{"name":"x","fail":"x"}`, sdktest.Outcome{State: sdktest.Permanent, Code: "bad_params", Error: "name and fail are the same"}},
		"plain":      {`{"name":"Ada","fail":"plain"}`, sdktest.Outcome{State: sdktest.Failed, Error: "no luck"}},
		"permanent":  {`{"name":"Ada","fail":"permanent"}`, sdktest.Outcome{State: sdktest.Permanent, Error: "no luck"}},
		"later":      {`{"name":"Ada","fail":"later"}`, sdktest.Outcome{State: sdktest.Failed, Error: "no luck", RetryAfter: 90 * time.Second}},
		"skip":       {`{"name":"Ada","fail":"skip"}`, sdktest.Outcome{State: sdktest.Skipped, Error: "nothing new"}},
		"code":       {`{"name":"Ada","fail":"code"}`, sdktest.Outcome{State: sdktest.Permanent, Code: "no_table", Error: "loading: no luck"}},
		"code alone": {`{"name":"Ada","fail":"code alone"}`, sdktest.Outcome{State: sdktest.Failed, Code: "no_table", Error: "no luck"}},
		"unchanged": {`{"name":"Ada","fail":"unchanged"}`, sdktest.Outcome{
			State: sdktest.Success, Unchanged: true, Output: json.RawMessage("{\"text\":\"hello \uFFFD Ada\",\"took\":\"1m0s\",\"size\":67108864,\"list\":[],\"token\":null}"),
		}},
		"wrapped": {`{"name":"Ada","fail":"wrapped"}`, sdktest.Outcome{
			State: sdktest.Success, Unchanged: true, Output: json.RawMessage("{\"text\":\"hello \uFFFD Ada\",\"took\":\"1m0s\",\"size\":67108864,\"list\":[],\"token\":null}"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := sdktest.RunJSON(t, c, c2.params)
			got.Artifacts = nil
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c2.want) {
				t.Errorf("got  %+v %s\nwant %+v %s", got, got.Output, c2.want, c2.want.Output)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	c := sdk.Define("test.work", work, sdk.Doc("Works."), sdk.Destructive(), sdk.Example("The least.", `{"name":"Ada"}`))
	got, err := c.Engine().Describe()
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "test.work" || got.Doc != "Works." || !got.Destructive || len(got.Examples) != 1 ||
		!strings.Contains(string(got.Params), `"name":{"type":"string","description":"Whom to greet"}`) ||
		!strings.Contains(string(got.Output), `"took":{"type":"string","format":"go-duration"}`) {
		t.Errorf("%+v\n%s\n%s", got, got.Params, got.Output)
	}
	bad := sdk.Define("test.work", work, sdk.Example("Broken.", `{name}`))
	if _, err := bad.Engine().Describe(); err == nil || !strings.Contains(err.Error(), `"Broken."`) {
		t.Errorf("an example that is no JSON: %v", err)
	}
}

func TestRaw(t *testing.T) {
	about := manifest.Component{Name: "test.raw", Params: json.RawMessage(`{"type":"object"}`)}
	for name, c := range map[string]struct {
		out  string
		err  error
		want string
	}{
		"compact":   {"{ \"a\" : 1,\n \"b\":\"\xff\" }", nil, "success {\"a\":1,\"b\":\"\uFFFD\"} "},
		"nothing":   {"", nil, "success {} "},
		"unchanged": {`{"a":1}`, sdk.Unchanged(), `success {"a":1} `},
		"a list":    {`[]`, nil, "permanent  the output is no JSON object: it is of another type"},
		"twice":     {`{"a":1,"a":2}`, nil, "permanent  the output is no JSON object: jsontext: duplicate object member name \"a\""},
		"failed":    {`{"a":1}`, errors.New("no luck"), "failed  no luck"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := sdk.Raw(about, func(_ context.Context, _ *sdk.Run, params json.RawMessage) (json.RawMessage, error) {
				if string(params) != `{"x":1}` {
					t.Errorf("params %s", params)
				}
				return json.RawMessage(c.out), c.err
			})
			o := sdktest.RunJSON(t, raw, `{"x":1}`)
			if got := fmt.Sprintf("%s %s %s", o.State, o.Output, o.Error); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRunTellsWhatTheHostSent(t *testing.T) {
	at := time.Date(2024, 5, 6, 0, 0, 0, 0, time.FixedZone("", 9*3600))
	who := sdk.Caller{Engine: "digdag", Project: "p", Workflow: "w", Task: "+t", LogicalTime: at, Link: "http://digdag/1"}
	_, o := sdktest.Run(t, func(ctx context.Context, run *sdk.Run, _ struct{}) (struct{}, error) {
		c := run.Caller()
		if !c.LogicalTime.Equal(at) {
			t.Errorf("logical time %v", c.LogicalTime)
		}
		c.LogicalTime = at
		if fence, ok := run.Fence(); run.ID() != "test-run" || run.Attempt() != 3 || run.Key() != "k" || c != who || fence != 0 || !ok {
			t.Errorf("%s %d %s %+v %d %v", run.ID(), run.Attempt(), run.Key(), c, fence, ok)
		}
		var row int
		if ok, err := run.Restore(&row); !ok || err != nil || row != 7 {
			t.Errorf("restore: %v %v %d", ok, err, row)
		}
		run.Log().Info("begun", "row", row)
		run.Progress(1, 2, "half")
		run.Alive()
		if err := run.Checkpoint(ctx, 8); err != nil {
			t.Error(err)
		}
		if dir, err := run.TempDir(); err != nil || dir == "" {
			t.Errorf("temp dir %q, %v", dir, err)
		}
		w, err := run.Create("a.txt")
		if err != nil {
			return struct{}{}, err
		}
		fmt.Fprint(w, "made")
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		f, err := run.Open("+load", "b.txt")
		if err != nil {
			return struct{}{}, err
		}
		defer f.Close()
		var text string
		_, err = fmt.Fscan(f, &text)
		if text != "given" {
			t.Errorf("read %q", text)
		}
		return struct{}{}, err
	}, struct{}{},
		sdktest.Attempt(3), sdktest.Key("k"), sdktest.Caller(who), sdktest.Fence(0), sdktest.Restore(7),
		sdktest.Artifact("+load", "b.txt", "given"))
	if o.Err() != nil || len(o.Logs) != 1 || o.Logs[0].Message != "begun" || o.Logs[0].Fields["row"] != 7.0 ||
		len(o.Progress) != 1 || o.Progress[0].Note != "half" || o.Alive != 1 || string(o.Checkpoints[0]) != "8" ||
		string(o.Artifacts["a.txt"]) != "made" {
		t.Errorf("%+v", o)
	}
}

func TestRunWithoutAClaimOrCheckpoint(t *testing.T) {
	_, o := sdktest.Run(t, func(_ context.Context, run *sdk.Run, _ struct{}) (struct{}, error) {
		if _, ok := run.Fence(); ok {
			t.Error("a fence without a claim")
		}
		if ok, err := run.Restore(new(int)); ok || err != nil {
			t.Errorf("restore: %v %v", ok, err)
		}
		if c := run.Caller(); c != (sdk.Caller{Engine: "none"}) {
			t.Errorf("caller %+v", c)
		}
		return struct{}{}, nil
	}, struct{}{})
	if o.Err() != nil {
		t.Error(o.Err())
	}
}
