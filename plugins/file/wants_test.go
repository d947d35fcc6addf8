package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

const (
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	emptyMD5    = "d41d8cd98f00b204e9800998ecf8427e"
)

func TestLacks(t *testing.T) {
	f := facts{size: 1 << 20, age: 90 * time.Minute, rows: new(int64(3)), sum: emptySHA256}
	zeros := strings.Repeat("0", 64)
	for _, c := range []struct {
		p    checkParams
		want []string
	}{
		{checkParams{}, nil},
		{checkParams{
			MinSize: new(sdk.Bytes(1 << 20)), MaxSize: new(sdk.Bytes(1 << 20)),
			MinAge: new(90 * time.Minute), MaxAge: new(90 * time.Minute),
			MinRows: new(int64(3)), MaxRows: new(int64(3)), Checksum: "sha256:" + strings.ToUpper(emptySHA256),
		}, nil},
		{checkParams{Checksum: "sha256"}, nil},
		{checkParams{
			MinSize: new(sdk.Bytes(2 << 20)), MinAge: new(2 * time.Hour), MinRows: new(int64(4)), Checksum: "sha256:" + zeros,
		}, []string{
			"the size is 1MiB, wanted at least 2MiB", "the age is 1h30m0s, wanted at least 2h0m0s",
			"the number of rows is 3, wanted at least 4", "the sha256 is " + emptySHA256 + ", wanted " + zeros,
		}},
		{checkParams{MaxSize: new(sdk.Bytes(1)), MaxAge: new(time.Hour), MaxRows: new(int64(0))}, []string{
			"the size is 1MiB, wanted at most 1B", "the age is 1h30m0s, wanted at most 1h0m0s", "the number of rows is 3, wanted at most 0",
		}},
	} {
		if got := c.p.lacks(f); !slices.Equal(got, c.want) {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	p := checkParams{
		Path: "a\x00", Delimiter: "\n", Checksum: "crc32",
		MinSize: new(sdk.Bytes(2)), MaxSize: new(sdk.Bytes(1)), MinAge: new(2 * time.Hour), MaxAge: new(time.Hour), MinRows: new(int64(2)), MaxRows: new(int64(1)),
	}
	err := p.Validate()
	for _, want := range []string{
		"path: ", "delimiter: ", `checksum: "crc32" is none of sha256, sha512, sha1, md5`, "min_size: 2B is above max_size, 1B",
		"min_age: 2h0m0s is above max_age, 1h0m0s", "min_rows: 2 is above max_rows, 1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	p.MinSize, p.MinAge, p.MinRows = p.MaxSize, p.MaxAge, p.MaxRows
	p.Path, p.Delimiter, p.Checksum = "a", ";", "md5"
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
}

func TestParseChecksum(t *testing.T) {
	for text, want := range map[string]checksum{
		"": {}, "sha512": {"sha512", ""}, "md5:" + strings.ToUpper(emptyMD5): {"md5", emptyMD5}, "sha256:" + emptySHA256: {"sha256", emptySHA256},
	} {
		if got, err := parseChecksum(text); got != want || err != nil {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"sha256:", "sha256:" + emptyMD5, "md5:" + emptyMD5[1:] + "g", emptyMD5, ":", "md5: " + emptyMD5, "md5:" + emptyMD5 + ":"} {
		if got, err := parseChecksum(text); err == nil {
			t.Errorf("%q passes as %+v", text, got)
		}
	}
}

func FuzzParseChecksum(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseChecksum(text)
		if err != nil || c.want == "" {
			return
		}
		again, err := parseChecksum(c.name + ":" + c.want)
		if again != c || err != nil || len(c.want) != 2*newHash(c.name).Size() {
			t.Errorf("%q is %+v and that %+v, %v", text, c, again, err)
		}
	})
}

func TestDelimiter(t *testing.T) {
	for text, good := range map[string]bool{",": true, "\t": true, "|": true, "é": true, "": false, ",,": false, `"`: false, "\n": false, "\r": false, "\uFFFD": false, "\xff": false, "\x00": false} {
		if _, err := delimiter(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := errors.Join((checkParams{Path: "a", Delimiter: "\t"}).Validate()); err != nil {
		t.Error(err)
	}
}
