package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// listener hands what a task says to the talk and looks after its artifacts.
type listener struct {
	talk      *talk
	artifacts string
}

func (l *listener) Log(line *taskv1.LogLine) { l.talk.line(line) }

func (l *listener) Progress(done, total float64, note string) {
	l.talk.mu.Lock()
	text := l.talk.progress.line(time.Now(), done, total, note)
	l.talk.mu.Unlock()
	if text != "" {
		l.talk.say(hclog.Info, "%s", text)
	}
}

func (l *listener) Alive() {}

// Checkpoint has nowhere to store the value yet: that takes the ledger.
func (l *listener) Checkpoint(context.Context, []byte) error { return nil }

// Artifact checks that the file which the task reports is there whole.
func (l *listener) Artifact(_ context.Context, a *taskv1.Artifact) error {
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
	l.talk.say(hclog.Info, "artifact %s: %s", name, filepath.Join(l.artifacts, name))
	return nil
}

func (l *listener) Open(_ context.Context, task, name string) (string, error) {
	return "", errors.New("open artifact " + name + " of task " + task + ": this host keeps no ledger of other tasks' runs")
}
