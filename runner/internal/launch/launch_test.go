package launch

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

type recorder struct{ Events }

func TestRunsATask(t *testing.T) {
	exe, _ := os.Executable()
	began := time.Now()
	p, err := Start(context.Background(), Options{Command: Command{Path: exe, Args: []string{"plugin", "none"}}, Dir: t.TempDir(), Env: Environ(os.Environ(), nil)})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("start", time.Since(began))
	r, err := p.Execute(context.Background(), &taskv1.Start{Component: "a.b"}, recorder{})
	if err != nil || string(r.GetOutput()) != `{"is":"a.b"}` {
		t.Fatal(r, err)
	}
	t.Log("execute", time.Since(began))
	p.Close()
	t.Log("close", time.Since(began))
}
