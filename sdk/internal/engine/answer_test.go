package engine_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	given := filepath.Join(dir, "given")
	if err := os.WriteFile(given, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		if err := run.Checkpoint(ctx, map[string]any{"at": 90 * time.Second}); err != nil {
			t.Errorf("checkpoint: %v", err)
		}
		if err := run.Checkpoint(ctx, "refuse"); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("a refused checkpoint: %v", err)
		}
		if err := run.Checkpoint(ctx, func() {}); err == nil {
			t.Error("a function was taken for a checkpoint")
		}
		if err := run.Checkpoint(ctx, strings.Repeat("x", protocol.MaxOutput)); err == nil || !strings.Contains(err.Error(), "the most is") {
			t.Errorf("a checkpoint that is too large: %v", err)
		}
		f, err := run.Open("+load", "rows.csv")
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer f.Close()
		if raw, _ := io.ReadAll(f); string(raw) != "content" {
			t.Errorf("read %q", raw)
		}
		if _, err := run.Open("+load", "other"); err == nil || !strings.Contains(err.Error(), "artifact_elsewhere") {
			t.Errorf("open: %v", err)
		}
		return `{}`, nil
	}, client.Events{
		Checkpoint: func(v []byte) error {
			if string(v) == `"refuse"` {
				return errors.New("disk full")
			}
			if string(v) != `{"at":"1m30s"}` {
				t.Errorf("checkpoint %s", v)
			}
			return nil
		},
		Open: func(task, name string) (string, error) {
			if task != "+load" || name != "rows.csv" {
				return "", errors.New("artifact_elsewhere: on host b")
			}
			return given, nil
		},
	})
	if r.GetKind() != taskv1.Result_SUCCESS {
		t.Error(r)
	}
}

func TestRestore(t *testing.T) {
	type mark struct {
		Row int
		Age time.Duration
	}
	local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		var m mark
		if ok, err := run.Restore(&m); !ok || err != nil || m != (mark{7, time.Minute}) {
			t.Errorf("%v %v %+v", ok, err, m)
		}
		var wrong int
		if ok, err := run.Restore(&wrong); ok || err == nil {
			t.Errorf("a checkpoint of another type: %v %v", ok, err)
		}
		return `{}`, nil
	}, client.Events{}, func(s *taskv1.Start) { s.Restore = []byte(`{"Row":7,"Age":"1m0s"}`) })
	local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		if ok, err := run.Restore(new(int)); ok || err != nil {
			t.Errorf("without a checkpoint: %v %v", ok, err)
		}
		return `{}`, nil
	}, client.Events{})
}

func TestTempDir(t *testing.T) {
	local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		dir, err := run.TempDir()
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v %v", info, err)
		}
		return `{}`, nil
	}, client.Events{})
}
