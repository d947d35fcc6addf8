// Package engine is the plugin's side of the protocol: it serves the Task
// service, runs one component and turns what it says and how it ends into
// messages. Package sdk gives authors its face; how parameters look, and what
// the host does with the messages, is not known here.
package engine

import (
	"context"
	"encoding/json"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// Component is a unit of work as the engine sees it.
type Component struct {
	Name        string
	Destructive bool
	// Check reports what is wrong with the definition, each field's tags
	// included.
	Check func() error
	// Describe reflects the schemas, which is not cheap.
	Describe func() (manifest.Component, error)
	// Accepts reports what is wrong with params, without running anything; nil
	// where only the schema can tell.
	Accepts func(params json.RawMessage) error
	// Run returns one JSON object. Its error may hold a Verdict.
	Run func(ctx context.Context, run *Run, params json.RawMessage) (json.RawMessage, error)
}
