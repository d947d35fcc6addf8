package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// listener hands what a task says to the talk and looks after its artifacts.
type listener struct {
	talk      *talk
	artifacts string
	recorder  *recorder
	progress  time.Time // when it was recorded last
}

func (l *listener) Log(line *taskv1.LogLine) { l.talk.line(line) }

func (l *listener) Progress(done, total float64, note string) {
	l.talk.mu.Lock()
	text := l.talk.progress.line(time.Now(), done, total, note)
	l.talk.mu.Unlock()
	if text != "" {
		l.talk.say(hclog.Info, "%s", text)
	}
	l.recorder.progress(&l.progress, done, total, note)
}

func (l *listener) Alive() {}

// Checkpoint returns when the value is stored.
func (l *listener) Checkpoint(ctx context.Context, value []byte) error {
	return l.recorder.checkpoint(ctx, value)
}

// Artifact checks that the file which the task reports is there whole.
func (l *listener) Artifact(ctx context.Context, a *taskv1.Artifact) error {
	name := a.GetName()
	if !filepath.IsLocal(name) {
		return fmt.Errorf("artifact %q: a name may not lead out of the run's folder", name)
	}
	st, err := os.Stat(filepath.Join(l.artifacts, name))
	if err != nil {
		return fmt.Errorf("artifact %q: %w", name, err)
	}
	if st.Size() != a.GetSize() {
		return fmt.Errorf("artifact %q: %d bytes on disk, %d reported", name, st.Size(), a.GetSize())
	}
	path := filepath.Join(l.artifacts, name)
	if err := l.recorder.artifact(ctx, ledger.Artifact{Name: name, Path: path, Size: a.GetSize(), SHA256: a.GetSha256()}); err != nil {
		return fmt.Errorf("artifact %q: %w", name, err)
	}
	l.talk.say(hclog.Info, "artifact %s: %s", name, path)
	return nil
}

func (l *listener) Open(ctx context.Context, task, name string) (string, error) {
	return l.recorder.openArtifact(ctx, task, name)
}
