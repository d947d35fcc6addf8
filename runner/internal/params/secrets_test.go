package params

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

const secretive = `{"type":"object","additionalProperties":false,"properties":{
	"token":{"type":"string","format":"secret","writeOnly":true},
	"maybe":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/secret"}]},
	"headers":{"type":"object","additionalProperties":{"$ref":"#/$defs/secret"}},
	"keys":{"type":"array","items":{"type":"object","properties":{"key":{"allOf":[{"$ref":"#/$defs/secret"}]}}}},
	"text":{"type":"string"}},
	"$defs":{"secret":{"type":"string","format":"secret"}}}`

func lookup(env map[string]string) Lookup {
	return Lookup{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
}

func TestWithSecrets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, []byte("line one\nline two\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Merge([]byte(secretive), Sources{
		File:  []byte(`{"headers":{"Auth":"env:AUTH","Literal":"a literal"},"keys":[{"key":"file:` + file + `"}],"text":"env:TOKEN"}`),
		Sets:  []string{"maybe=env:TOKEN"},
		Flags: []Flag{{"token", "env:TOKEN"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, secrets, err := r.WithSecrets(t.Context(), lookup(map[string]string{"AUTH": "Bearer x", "TOKEN": "env:looks like one"}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"headers":{"Auth":"Bearer x","Literal":"a literal"},"keys":[{"key":"line one\nline two"}],"maybe":"env:looks like one","text":"env:TOKEN","token":"env:looks like one"}`
	if string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	slices.Sort(secrets)
	if want := []string{"Bearer x", "a literal", "env:looks like one", "line one\nline two"}; !slices.Equal(secrets, want) {
		t.Errorf("got %q, want %q", secrets, want)
	}
	kept := strings.ReplaceAll(string(r.Redacted()), file, "FILE")
	if want := `{"headers":{"Auth":"env:AUTH","Literal":"***"},"keys":[{"key":"file:FILE"}],"maybe":"env:TOKEN","text":"env:TOKEN","token":"env:TOKEN"}`; kept != want {
		t.Errorf("\n kept %s\nwant %s", kept, want)
	}
	if strings.Contains(string(r.JSON), "Bearer") {
		t.Error("WithSecrets changed what it was called on")
	}
}

func TestLiteralSecretsOnTheCommandLine(t *testing.T) {
	const want = "a secret must not stand on the command line, where others can read it; want env:NAME or file:PATH"
	for _, c := range []struct {
		from        Sources
		path, label string
	}{
		{Sources{Sets: []string{"token=hunter2"}}, "token", "--set"},
		{Sources{Sets: []string{"maybe=hunter2"}}, "maybe", "--set"},
		{Sources{Sets: []string{"headers.a=hunter2"}}, "headers.a", "--set"},
		{Sources{Sets: []string{`headers={"a":"hunter2"}`}}, "headers.a", "--set"},
		{Sources{Sets: []string{`keys.0.key=hunter2`}}, "keys[0].key", "--set"},
		{Sources{Flags: []Flag{{"token", "hunter2"}}}, "token", "--token"},
		{Sources{Flags: []Flag{{"keys", `{"key":"hunter2"}`}}}, "keys[0].key", "--keys"},
		{Sources{File: []byte(`{"token":"in a file"}`), Flags: []Flag{{"token", "hunter2"}}}, "token", "--token"},
	} {
		if got := merge(t, secretive, c.from); got != fmt.Sprintf("bad parameters: %s: %s (from %s)", c.path, want, c.label) {
			t.Errorf("%+v: got %s", c.from, got)
		}
	}
}

func TestBadReferences(t *testing.T) {
	for _, c := range []struct{ reference, want string }{
		{"env:", "token: names no secret, want env:NAME or file:PATH (from --set)"},
		{"file:", "token: names no secret, want env:NAME or file:PATH (from --set)"},
		{"env:A=B", "token: is no name of a variable, want env:NAME (from --set)"},
	} {
		if got := merge(t, secretive, Sources{Sets: []string{"token=" + c.reference}}); got != "bad parameters: "+c.want {
			t.Errorf("%s: got %s", c.reference, got)
		}
	}
}

// All references that lead nowhere are listed, without what was read.
func TestUnresolvedSecrets(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "file:" + file
	}
	r, err := Merge([]byte(secretive), Sources{Sets: []string{
		"headers.a=env:UNSET", "headers.b=env:EMPTY", "headers.c=env:LATIN",
		"headers.d=file:" + dir + "/missing", "headers.e=file:" + dir,
		"headers.f=" + write("newline", "\n"), "headers.g=" + write("large", strings.Repeat("hunter2\n", 8193)), "headers.h=" + write("nul", "hunter2\x00"),
		"headers.i=" + write("limit", strings.Repeat("x", 64<<10)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = r.WithSecrets(t.Context(), lookup(map[string]string{"EMPTY": "", "LATIN": "hunter2\xff"}))
	want := `bad parameters: 8 problems:
  headers.a: env:UNSET: this variable is not set
  headers.b: env:EMPTY: this secret is empty
  headers.c: env:LATIN: this secret is not valid UTF-8
  headers.d: file:DIR/missing: no such file or directory
  headers.e: file:DIR: is a directory
  headers.f: file:DIR/newline: this secret is empty
  headers.g: file:DIR/large: is more than 65,536 bytes
  headers.h: file:DIR/nul: this secret holds a NUL character`
	var p *Problems
	if !errors.As(err, &p) || strings.ReplaceAll(err.Error(), dir, "DIR") != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

// A secret behind a pipe that nobody writes to ends with the context.
func TestSecretsGiveUp(t *testing.T) {
	r, err := Merge([]byte(secretive), Sources{Sets: []string{"token=file:/pipe"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	never := make(chan struct{})
	defer close(never)
	from := Lookup{Open: func(string) (io.ReadCloser, error) {
		cancel(errors.New("timed out"))
		<-never
		return nil, errors.New("unreachable")
	}}
	_, _, err = r.WithSecrets(ctx, from)
	if want := "bad parameters: token: file:/pipe: gave up waiting for the end of the input: timed out"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSecretsReportReadErrors(t *testing.T) {
	r, err := Merge([]byte(secretive), Sources{Sets: []string{"token=file:/x"}})
	if err != nil {
		t.Fatal(err)
	}
	from := Lookup{Open: func(string) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("hunter2"), iotest.ErrReader(errors.New("the disk is gone")))), nil
	}}
	if _, _, err = r.WithSecrets(t.Context(), from); err == nil || err.Error() != "bad parameters: token: file:/x: the disk is gone" {
		t.Errorf("got %v", err)
	}
}

// Whatever else is wrong, a literal from a file shows up in no error, origin or
// record.
func TestSecretsStayHidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[a-z]{4}hunter2[a-z]{4}`).Draw(t, "secret")
		value := rapid.SampledFrom([]string{`"` + secret + `"`, `["` + secret + `"]`, `{"` + "a" + `":"` + secret + `"}`, `[{"key":"` + secret + `"}]`}).Draw(t, "value")
		name := rapid.SampledFrom([]string{"token", "maybe", "headers", "keys", "tokne", "header"}).Draw(t, "name")
		file := fmt.Sprintf(`{%q: %s%s`, name, value, rapid.SampledFrom([]string{"}", "", ",}", `,"text":1}`, `,"text":"\u0000"}`}).Draw(t, "end"))
		if rapid.Bool().Draw(t, "YAML") {
			file = strings.ReplaceAll(fmt.Sprintf("%s: %s\nb: [", name, value), `"`, "")[:rapid.IntRange(1, len(name)+len(value)-2).Draw(t, "cut")] + "\n"
		}
		r, err := Merge([]byte(secretive), Sources{File: []byte(file)})
		said := fmt.Sprint(err)
		if err == nil {
			said = string(r.Redacted()) + fmt.Sprint(r.Origins())
		}
		if strings.Contains(said, secret) {
			t.Fatalf("%s shows the secret: %s", file, said)
		}
	})
}

// TestMaskedSecretsAreNoSecrets: a record's mask is never taken for the value.
func TestMaskedSecretsAreNoSecrets(t *testing.T) {
	first, err := Merge([]byte(secretive), Sources{File: []byte(`{"headers":{"Auth":"a literal","Other":"env:SET"},"keys":[{"key":"another"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Merge([]byte(secretive), Sources{File: first.Redacted()})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = again.WithSecrets(t.Context(), Lookup{Env: func(string) (string, bool) { return "value", true }})
	if err == nil || !strings.Contains(err.Error(), "headers.Auth: *** stands for") || !strings.Contains(err.Error(), "keys[0].key") || strings.Contains(err.Error(), "Other") {
		t.Errorf("%v", err)
	}
}
