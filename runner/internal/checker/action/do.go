package action

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
)

// Host runs a component as a recorded run, once for a key: who asks with the key of a
// success gets its output, and who asks while it runs waits for it. The params are a JSON
// object in which secrets are references. The id of the run may be known where an error
// is returned too; the error is for people.
type Host interface {
	Run(ctx context.Context, onceKey string, labels map[string]string, component string, params []byte) (run string, output json.RawMessage, err error)
}

// Data is what the templates in the params of a step see.
type Data struct {
	Alert alert.Alert
	// Event is what is acted on once for, and is the same if the act is taken up again.
	Event string
	// Outputs of the steps before.
	Outputs []map[string]any
}

// Do runs the steps of an act that has begun, and returns it with what came of it. Where
// ctx ends it stays as it is, to be taken up again.
func Do(ctx context.Context, h Host, a Action, act Act, now func() time.Time) Act {
	data := Data{Event: act.EventKey}
	if err := json.Unmarshal(act.About, &data.Alert); err != nil {
		act.State, act.Note = Failed, "failed: read the alert that it is about: "+line(err)
		return act
	}
	var did []string
	for i, s := range a.Do {
		run, output, err := s.do(ctx, h, act, i, data)
		if err != nil && ctx.Err() != nil {
			return act
		}
		text := s.Component
		if run != "" {
			act.Runs = append(act.Runs, run)
			text += " (run " + run + ")"
		}
		if err != nil {
			act.State, act.Note = Failed, "failed: "+text+": "+line(err)
			return act
		}
		did = append(did, text)
		data.Outputs = append(data.Outputs, output)
	}
	act.State, act.Note = Done, "done: "+strings.Join(did, ", ")
	if a.Verify > 0 {
		act.State, act.VerifyBy = Verifying, now().Add(a.Verify)
	}
	return act
}

func (s Step) do(ctx context.Context, h Host, act Act, i int, data Data) (run string, output map[string]any, err error) {
	params, err := s.fill(data)
	if err != nil {
		return "", nil, err
	}
	run, raw, err := h.Run(ctx, onceKey(act, i), map[string]string{"action": act.Action, "alert": act.Alert}, s.Component, params)
	if err != nil {
		return run, nil, err
	}
	if err := decode(raw, &output); err != nil {
		return run, nil, fmt.Errorf("read its outputs: %w", err)
	}
	return run, output, nil
}

// onceKey is the key of a step's run. Its parts are escaped, so that none looks like two
// or like a template.
func onceKey(act Act, i int) string {
	return strings.Join([]string{"action", url.PathEscape(act.Action), url.PathEscape(act.EventKey), strconv.Itoa(i + 1)}, " ")
}

// line makes one line of an error, short enough for a message.
func line(err error) string {
	const most = 300
	text := strings.Join(strings.Fields(err.Error()), " ")
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
