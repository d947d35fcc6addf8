package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

type copyParams struct {
	From    string        `json:"from" help:"File to copy"`
	To      string        `json:"to" help:"Where to"`
	Mode    string        `json:"mode" help:"What to do with an existing file" default:"replace" enum:"replace,keep,fail"`
	Limit   sdk.Bytes     `json:"limit" help:"The largest file to copy" default:"1GiB"`
	Timeout time.Duration `json:"timeout" default:"5m" min:"1s" max:"1h"`
}

func (p copyParams) Validate() error {
	if p.From == p.To {
		return errors.New("from and to are the same file")
	}
	return nil
}

type copyOutput struct {
	Bytes int `json:"bytes"`
}

func copyFile(_ context.Context, run *sdk.Run, p copyParams) (copyOutput, error) {
	content, err := os.ReadFile(p.From)
	if errors.Is(err, fs.ErrNotExist) {
		return copyOutput{}, sdk.Code("no_source", sdk.Permanent(err))
	}
	if err != nil {
		return copyOutput{}, err // a retry may help
	}
	if _, err := os.Stat(p.To); err == nil && p.Mode == "keep" {
		return copyOutput{}, sdk.Unchanged()
	}
	run.Log().Info("copying", "from", p.From, "bytes", len(content))
	return copyOutput{len(content)}, os.WriteFile(p.To, content, 0o600)
}

func ExampleDefine() {
	c := sdk.Define("file.copy", copyFile,
		sdk.Doc("Copies a file."),
		sdk.Example("Keeps what is there.", `{"from":"a","to":"b","mode":"keep"}`))
	// A plugin's main is: sdk.Serve(c)
	_ = c
}

// A component that works through many rows goes on, after a retry, where it
// stopped.
func ExampleRun_Checkpoint() {
	work := func(ctx context.Context, run *sdk.Run, _ struct{}) (struct{}, error) {
		const rows = 1000
		next := 0
		if _, err := run.Restore(&next); err != nil {
			return struct{}{}, err
		}
		for ; next < rows; next++ {
			run.Progress(float64(next), rows, "")
			if next%100 == 0 {
				if err := run.Checkpoint(ctx, next); err != nil {
					return struct{}{}, err
				}
			}
		}
		return struct{}{}, nil
	}
	_ = sdk.Define("rows.load", work)
}

func ExampleRetryAfter() {
	call := func(r *http.Response) error {
		switch {
		case r.StatusCode == http.StatusTooManyRequests:
			return sdk.RetryAfter(time.Minute, errors.New("the service is busy"))
		case r.StatusCode >= 500:
			return fmt.Errorf("the service answered %s", r.Status)
		case r.StatusCode >= 400:
			return sdk.Permanent(fmt.Errorf("the service answered %s", r.Status))
		}
		return nil
	}
	fmt.Println(call(&http.Response{StatusCode: 429}))
	// Output: the service is busy
}

func ExampleBytes() {
	fmt.Println(sdk.Bytes(64<<20), sdk.Bytes(1000))
	// Output: 64MiB 1000B
}
