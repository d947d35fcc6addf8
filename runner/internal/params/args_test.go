package params

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const flagged = `{"type":"object","properties":{
	"name":{"type":"string"},"max_retries":{"type":"integer"},"tag":{"type":"array","items":{"type":"string"}},
	"dry_run":{"type":"boolean"},"no_op":{"type":"boolean"},"labels":{"type":"object"}}}`

func TestParseArgs(t *testing.T) {
	for _, c := range []struct {
		args string
		want []Flag
	}{
		{"", nil},
		{"--name x", []Flag{{"name", "x"}}},
		{"--name=x=y", []Flag{{"name", "x=y"}}},
		{"--name=", []Flag{{"name", ""}}},
		{"--name a,b", []Flag{{"name", "a,b"}}},
		{"--name -x", []Flag{{"name", "-x"}}},
		{"--name --unknown", []Flag{{"name", "--unknown"}}},
		{"--name=--name", []Flag{{"name", "--name"}}},
		{"--max-retries -5", []Flag{{"max_retries", "-5"}}},
		{"--max_retries 5", []Flag{{"max_retries", "5"}}},
		{"--tag a,b --name x --tag c", []Flag{{"tag", "a,b"}, {"name", "x"}, {"tag", "c"}}},
		{"--dry-run --name x", []Flag{{"dry_run", "true"}, {"name", "x"}}},
		{"--dry-run=false", []Flag{{"dry_run", "false"}}},
		{"--no-dry-run", []Flag{{"dry_run", "false"}}},
		{"--no-dry_run", []Flag{{"dry_run", "false"}}},
		{"--no-op", []Flag{{"no_op", "true"}}},
		{"--no-no-op", []Flag{{"no_op", "false"}}},
		{`--labels {"a":1}`, []Flag{{"labels", `{"a":1}`}}},
		{"--name x --", []Flag{{"name", "x"}}},
	} {
		got, help, err := ParseArgs([]byte(flagged), strings.Fields(c.args))
		if err != nil || help || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, help %v, %v; want %v", c.args, got, help, err, c.want)
		}
	}
}

func TestParseArgsHelp(t *testing.T) {
	for args, want := range map[string]bool{
		"--help": true, "-h": true, "--name x --help": true, "--nonsense --help": true,
		"-- --help": false, "--name=--help": false,
	} {
		if _, help, _ := ParseArgs([]byte(flagged), strings.Fields(args)); help != want {
			t.Errorf("%s: help is %v", args, help)
		}
	}
}

func TestParseArgsRefuses(t *testing.T) {
	const see = "; see --help, and flags of outrider itself go before the component's name"
	for _, c := range []struct{ args, want string }{
		{"--nmae x", "unknown flag --nmae; did you mean --name?"},
		{"--timeout 5m", "unknown flag --timeout" + see},
		{"--maxRetries=5", "unknown flag --maxRetries; did you mean --max-retries?"},
		{"--no-zeal", "unknown flag --no-zeal" + see},
		{"-n x", "2 problems:\n  unknown flag -n" + see + "\n  unexpected argument \"x\"; parameters are flags, as in --name VALUE"},
		{"--name", "--name needs a value"},
		{"--name --tag x", "--name needs a value"},
		{"--name --no-dry-run", "--name needs a value"},
		{"--no-dry-run=true", "--no-dry-run takes no value"},
		{"world", `unexpected argument "world"; parameters are flags, as in --name VALUE`},
		{"name=world", `unexpected argument "name=…"; write --name=VALUE`},
		{"token=hunter2", `unexpected argument "token=…"; parameters are flags, as in --name VALUE`},
		{"--dry-run false", `unexpected argument "false"; write --dry-run=false`},
		{"-- x", `unexpected argument "x"; parameters are flags, as in --name VALUE`},
	} {
		_, _, err := ParseArgs([]byte(flagged), strings.Fields(c.args))
		var p *Problems
		if !errors.As(err, &p) {
			t.Errorf("%s: got %v, want *Problems", c.args, err)
		} else if got := err.Error(); got != "bad parameters: "+c.want {
			t.Errorf("%s\n got %s\nwant bad parameters: %s", c.args, got, c.want)
		}
	}
}

// A name that is spelt exactly wins over one that only looks alike.
func TestParseArgsExactNameFirst(t *testing.T) {
	schema := `{"type":"object","properties":{"a_b":{"type":"string"},"a-b":{"type":"string"}}}`
	got, _, err := ParseArgs([]byte(schema), []string{"--a-b=1", "--a_b=2"})
	if want := []Flag{{"a-b", "1"}, {"a_b", "2"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFlagsOf(t *testing.T) {
	schema := `{"type":"object","required":["zone","token"],"$ref":"#/$defs/more","properties":{
		"zone":{"type":"string","description":"Where."},
		"dry_run":{"type":"boolean","default":false},
		"tag":{"type":"array","items":{"type":"string","enum":["a","b"]}},
		"hosts":{"type":["null","array"],"items":{"type":"object"}},
		"wait":{"type":"string","format":"go-duration","default":"5s"},
		"size":{"type":["string","integer"],"format":"byte-size","default":512},
		"since":{"type":"string","format":"date-time"},
		"token":{"type":"string","format":"secret"},
		"headers":{"type":"object","additionalProperties":{"type":"string","format":"secret"}},
		"count":{"type":["null","integer"],"enum":[1,2]},
		"any":{},"mixed":{"type":["string","number"]}},
		"$defs":{"more":{"properties":{"ref":{"$ref":"#/$defs/word"}}},"word":{"type":"string","description":"Behind a reference."}}}`
	got, err := FlagsOf([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	want := []FlagSpec{
		{Name: "zone", Flag: "zone", Type: "text", Required: true, Help: "Where."},
		{Name: "dry_run", Flag: "dry-run", Type: "boolean", Default: "false", Bool: true},
		{Name: "tag", Flag: "tag", Type: "list of text", Repeat: true, Enum: []string{"a", "b"}},
		{Name: "hosts", Flag: "hosts", Type: "list of JSON object", Repeat: true},
		{Name: "wait", Flag: "wait", Type: "duration", Default: "5s"},
		{Name: "size", Flag: "size", Type: "size", Default: "512"},
		{Name: "since", Flag: "since", Type: "time"},
		{Name: "token", Flag: "token", Type: "secret", Required: true},
		{Name: "headers", Flag: "headers", Type: "JSON object"},
		{Name: "count", Flag: "count", Type: "integer", Enum: []string{"1", "2"}},
		{Name: "any", Flag: "any", Type: "JSON"},
		{Name: "mixed", Flag: "mixed", Type: "text or number"},
		{Name: "ref", Flag: "ref", Type: "text", Help: "Behind a reference."},
	}
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = fmt.Sprintf("%+v", got[i])
		}
		if i < len(want) {
			w = fmt.Sprintf("%+v", want[i])
		}
		if g != w {
			t.Errorf("\n got %s\nwant %s", g, w)
		}
	}
}
