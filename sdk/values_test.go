package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

func TestSecretIsHiddenHoweverItIsWritten(t *testing.T) {
	s := sdk.NewSecret("hush-hush")
	type holder struct {
		S sdk.Secret
		P *sdk.Secret
	}
	h := holder{s, &s}
	type keeper struct{ s sdk.Secret }
	k := keeper{s}
	encoded, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d|%v %+v %#v|%s", s, s, s, s, s, s, s, h, h, h, encoded) + s.String() + fmt.Sprint(&s) + fmt.Sprintf("%v %+v %#v %v", k, k, k, &k)
	for _, leak := range []string{"hush", fmt.Sprintf("%x", "hush"), "104 117"} {
		if strings.Contains(all, leak) {
			t.Errorf("%q is in %s", leak, all)
		}
	}
	if (sdk.Secret{}).Reveal() != "" || s.Reveal() != "hush-hush" || !strings.Contains(all, "[secret]") {
		t.Errorf("revealed %q, written %s", s.Reveal(), all)
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]sdk.Bytes{
		`512`: 512, `"512"`: 512, `"64MiB"`: 64 << 20, `"64 MiB"`: 64 << 20, `"10GB"`: 10_000_000_000, `"1.5KiB"`: 1536, `0`: 0,
	} {
		var b sdk.Bytes
		if err := json.Unmarshal([]byte(text), &b); err != nil || b != want {
			t.Errorf("%s: %d, %v", text, b, err)
		}
	}
	for _, text := range []string{`"many"`, `-1`, `"-1"`, `1.5`, `""`, `"16EiB"`, `true`} {
		var b sdk.Bytes
		if err := json.Unmarshal([]byte(text), &b); err == nil {
			t.Errorf("%s was taken for %d bytes", text, b)
		}
	}
	for b, want := range map[sdk.Bytes]string{0: "0B", 1: "1B", 1024: "1KiB", 1536: "1536B", 64 << 20: "64MiB", 1 << 60: "1EiB", -2048: "-2KiB"} {
		if b.String() != want {
			t.Errorf("%d prints as %s", int64(b), b)
		}
		var back sdk.Bytes
		if b >= 0 {
			if err := json.Unmarshal([]byte(`"`+b.String()+`"`), &back); err != nil || back != b {
				t.Errorf("%s reads as %d, %v", b, int64(back), err)
			}
		}
	}
}

func TestErrorsKeepWhatTheyWrap(t *testing.T) {
	for name, err := range map[string]error{
		"Permanent":  sdk.Permanent(fs.ErrNotExist),
		"RetryAfter": sdk.RetryAfter(time.Second, fs.ErrNotExist),
		"Code":       sdk.Code("x", fs.ErrNotExist),
	} {
		if !errors.Is(err, fs.ErrNotExist) || err.Error() != fs.ErrNotExist.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sdk.Permanent(nil) != nil || sdk.RetryAfter(time.Second, nil) != nil || sdk.Code("x", nil) != nil {
		t.Error("a wrapped nil is an error")
	}
	if err := sdk.Skip("nothing new"); err == nil || err.Error() != "nothing new" {
		t.Errorf("Skip: %v", err)
	}
	if sdk.Unchanged() == nil {
		t.Error("Unchanged is nil")
	}
}
