package sdktest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Option changes how a run is called.
type Option func(*call)

type call struct {
	ctx     context.Context
	dir     string
	start   *taskv1.Start
	restore any
	others  map[[2]string]string // task, name: content
	store   func(value []byte) error
	onLog   func(Line)
}

// Context runs under ctx: its end cancels the run, with its cause as reason.
// The default is the test's own context.
func Context(ctx context.Context) Option { return func(c *call) { c.ctx = ctx } }

// Attempt says that this is the nth attempt.
func Attempt(n int) Option { return func(c *call) { c.start.Attempt = int32(n) } }

// Key sets the run's idempotency key.
func Key(key string) Option { return func(c *call) { c.start.Key = key } }

// Fence gives the run a claim with that fencing token.
func Fence(token int64) Option { return func(c *call) { c.start.Fence = &token } }

// Caller says who asked for the run.
func Caller(who sdk.Caller) Option {
	return func(c *call) {
		c.start.Caller = &taskv1.Caller{
			Engine: who.Engine, Project: who.Project, Workflow: who.Workflow, Task: who.Task, Link: who.Link,
		}
		if !who.LogicalTime.IsZero() {
			c.start.Caller.LogicalTime = who.LogicalTime.Format(time.RFC3339Nano)
		}
	}
}

// Restore is the checkpoint that an earlier attempt left.
func Restore(checkpoint any) Option { return func(c *call) { c.restore = checkpoint } }

// Artifact is one that another task has committed.
func Artifact(task, name, content string) Option {
	return func(c *call) { c.others[[2]string{task, name}] = content }
}

// OnCheckpoint is called for every checkpoint; its error is what the component
// sees.
func OnCheckpoint(store func(value []byte) error) Option { return func(c *call) { c.store = store } }

// OnLog is called for every line as it comes.
func OnLog(see func(Line)) Option { return func(c *call) { c.onLog = see } }

// LogLevel is the lowest level that is logged; the default is trace.
func LogLevel(level string) Option { return func(c *call) { c.start.LogLevel = level } }

// newCall prepares one run whose files stand under dir.
func newCall(ctx context.Context, component, params, dir string, options []Option) (*call, error) {
	c := &call{
		ctx: ctx,
		dir: dir,
		start: &taskv1.Start{
			RunId: "test-run", Component: component, Params: []byte(params), Attempt: 1, Key: "test-key",
			Caller: &taskv1.Caller{Engine: "none"}, LogLevel: "trace",
			TempDir: filepath.Join(dir, "tmp"), ArtifactDir: filepath.Join(dir, "artifacts"),
		},
		others: map[[2]string]string{},
	}
	for _, o := range options {
		o(c)
	}
	if c.restore != nil {
		raw, err := engine.Marshal(c.restore)
		if err != nil {
			return nil, fmt.Errorf("encoding the checkpoint to restore: %w", err)
		}
		c.start.Restore = raw
	}
	return c, nil
}

// open serves Open from the artifacts that the test gave.
func (c *call) open(task, name string) (string, error) {
	content, ok := c.others[[2]string{task, name}]
	if !ok {
		return "", os.ErrNotExist
	}
	f, err := os.CreateTemp(c.dir, "other-*")
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.WriteString(content)
	return f.Name(), err
}
