package watch

import (
	"slices"

	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/sdk/observe"
)

// without takes the runs in which the checker itself runs out of a snapshot: they are open
// as long as anybody looks, and nobody wants to be told so. What is known of them stays as
// it is; their workflows are watched like any other. above are ids of the ledger's runs.
func without(self engine.Engine, above []string, snap observe.Snapshot) observe.Snapshot {
	own := func(r observe.Run) bool {
		if snap.Engine == source.Engine {
			return slices.Contains(above, r.ID)
		}
		return self.Identity.Run != "" && snap.Engine == string(self.Name) && isOwn(self, r)
	}
	var runs []observe.Run
	var blind []string
	for _, r := range snap.Runs {
		if own(r) {
			blind = append(blind, "run "+r.ID+": the checker runs in it")
		} else {
			runs = append(runs, r)
		}
	}
	if len(blind) > 0 {
		snap.Runs, snap.Blind = runs, slices.Concat(snap.Blind, blind)
	}
	return snap
}

// isOwn compares the workflow too: two servers may have runs of one id.
func isOwn(self engine.Engine, r observe.Run) bool {
	id := self.Identity
	if r.Workflow != id.Workflow {
		return false
	}
	if self.Name == engine.Airflow {
		return r.Session == id.Run
	}
	return r.ID == id.Run
}
