package main

import (
	"encoding/json"
	"io"
	"runtime/debug"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// describeNothing is what `describe` says without a manifest: this plugin stands
// among the others, and by itself it has no component. The SDK serves at least
// one.
func describeNothing(w io.Writer) error {
	m := manifest.Manifest{Protocols: []int{1}, Components: []manifest.Component{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Version, m.SDK = info.Main.Version, info.Main.Version
	}
	return json.NewEncoder(w).Encode(m)
}
