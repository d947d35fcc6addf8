package engine_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

func TestArtifactIsThereWhenCloseReturns(t *testing.T) {
	var told []*taskv1.Artifact
	r := local(t, func(_ context.Context, run *engine.Run) (string, error) {
		path := filepath.Join(run.Start.GetArtifactDir(), "rows.csv")
		w, err := run.Create("rows.csv")
		if err != nil {
			return "", err
		}
		fmt.Fprint(w, "a,b\n")
		fmt.Fprint(w, "1,2\n")
		if _, err := os.Stat(path); err == nil {
			t.Error("the artifact was visible before it was complete")
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "a,b\n1,2\n" || len(told) != 1 {
			t.Errorf("after Close: %q, %v, the host was told %d times", raw, err, len(told))
		}
		if err := w.Close(); err != nil || len(told) != 1 {
			t.Errorf("a second Close: %v, told %d times", err, len(told))
		}
		return `{}`, nil
	}, client.Events{Artifact: func(a *taskv1.Artifact) error {
		told = append(told, a)
		return nil
	}})
	want := &taskv1.Artifact{Name: "rows.csv", Size: 8, Sha256: fmt.Sprintf("%x", sha256.Sum256([]byte("a,b\n1,2\n")))}
	if r.GetKind() != taskv1.Result_SUCCESS || len(told) != 1 || told[0].String() != want.String() {
		t.Errorf("%v, told %v", r, told)
	}
}

func TestAnArtifactThatWasNotClosedIsGone(t *testing.T) {
	var dir string
	var left *engine.Artifact
	local(t, func(_ context.Context, run *engine.Run) (string, error) {
		dir = run.Start.GetArtifactDir()
		var err error
		left, err = run.Create("half")
		fmt.Fprint(left, "half of it")
		return `{}`, err
	}, client.Events{Artifact: func(*taskv1.Artifact) error {
		t.Error("the host was told")
		return nil
	}})
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
	if err := left.Close(); err == nil {
		t.Error("Close after the run succeeded")
	}
}

// TestAnArtifactBegunAnewReplacesTheOneBefore: a second try takes no room beside the
// first, however often there is one.
func TestAnArtifactBegunAnewReplacesTheOneBefore(t *testing.T) {
	r := local(t, func(_ context.Context, run *engine.Run) (string, error) {
		dir := run.Start.GetArtifactDir()
		var left *engine.Artifact
		for try := range 3 {
			w, err := run.Create("rows.csv")
			if err != nil {
				return "", err
			}
			fmt.Fprintf(w, "try %d", try)
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Errorf("in try %d there are %v (%v)", try, files, err)
			}
			if left != nil {
				if err := left.Close(); err == nil || !strings.Contains(err.Error(), "begun anew") {
					t.Errorf("Close of the one before: %v", err)
				}
			}
			left = w
		}
		if err := left.Close(); err != nil {
			t.Error(err)
		}
		if raw, err := os.ReadFile(filepath.Join(dir, "rows.csv")); err != nil || string(raw) != "try 2" {
			t.Errorf("committed %q, %v", raw, err)
		}
		return `{}`, nil
	}, client.Events{Artifact: func(*taskv1.Artifact) error { return nil }})
	if r.GetKind() != taskv1.Result_SUCCESS {
		t.Errorf("%v", r)
	}
}

func TestARefusedArtifactIsAnErrorOfClose(t *testing.T) {
	local(t, func(_ context.Context, run *engine.Run) (string, error) {
		w, err := run.Create("x")
		if err != nil {
			return "", err
		}
		if err := w.Close(); err == nil || !strings.Contains(err.Error(), "read-only ledger") {
			t.Errorf("Close: %v", err)
		}
		return `{}`, nil
	}, client.Events{Artifact: func(*taskv1.Artifact) error { return errors.New("read-only ledger") }})
}

func TestArtifactNames(t *testing.T) {
	local(t, func(_ context.Context, run *engine.Run) (string, error) {
		for _, bad := range []string{"", ".", "..", ".hidden", "a/b", `a\b`, "a\x00b", "a\xffb", strings.Repeat("x", 201)} {
			if _, err := run.Create(bad); err == nil {
				t.Errorf("%q was taken for a name", bad)
			}
		}
		for _, good := range []string{"a", "rows 2024-01-01.csv", "データ", strings.Repeat("x", 200)} {
			w, err := run.Create(good)
			if err != nil {
				t.Errorf("%q: %v", good, err)
				continue
			}
			if err := w.Close(); err != nil {
				t.Errorf("%q: %v", good, err)
			}
		}
		return `{}`, nil
	}, client.Events{})
}
