// Command stand is a plugin whose component reports what a file says, as digdag.observe
// reports what a server says. It does as little as can be, so that what is measured is
// who asks it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// params are what an observing component is asked, of which only file counts.
const params = `{"type": "object", "additionalProperties": false, "required": ["file"], "properties": {
	"file": {"type": "string", "description": "a snapshot without its time"},
	"cursor": {}, "details": {"type": "array"}, "history_from": {"type": "string"}, "limit": {"type": "integer"}
}}`

func observe(_ context.Context, _ *sdk.Run, raw json.RawMessage) (json.RawMessage, error) {
	var p struct{ File string }
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	snapshot, err := os.ReadFile(p.File)
	if err != nil {
		return nil, err
	}
	at := fmt.Appendf(nil, `{"at": %q, `, time.Now().UTC().Format(time.RFC3339Nano))
	return append(at, bytes.TrimPrefix(snapshot, []byte("{"))...), nil
}

func main() {
	sdk.Serve(sdk.Raw(manifest.Component{Name: "stand.observe", Doc: "Reports what a file says.", Params: json.RawMessage(params)}, observe))
}
