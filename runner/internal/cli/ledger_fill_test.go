package cli_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/journal"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// recordCommands are the scripts' commands that make records of runs as hosts do, in
// the ledger that the script's outrider uses.
func recordCommands(t *testing.T) map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		// postgres has the script use a new database on a real server.
		"postgres": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Setenv("OUTRIDER_LEDGER", dbtest.Postgres(t)) },
		// record FILE makes a run of each line, see recorded. Its id is then in the
		// variable of its name.
		"record": func(ts *testscript.TestScript, _ bool, args []string) {
			for line := range strings.Lines(ts.ReadFile(args[0])) {
				recorderOf(ts).record(ts, line)
			}
		},
		// say NAME TEXT has a run say something.
		"say": func(ts *testscript.TestScript, _ bool, args []string) {
			recorderOf(ts).runs[args[0]].log.Line(time.Now(), "info", args[1])
		},
		// end NAME STATE ends a run.
		"end": func(ts *testscript.TestScript, _ bool, args []string) {
			ts.Check(recorderOf(ts).runs[args[0]].end(run.Outcome{State: run.State(args[1])}, 0))
		},
	}
}

// recorded is a line of a script's file of runs.
type recorded struct {
	Name, Component      string
	State                run.State // empty: it goes on
	Ago                  string    // how long ago it asked and ended
	Host                 string    // if not this one
	Params, Output       json.RawMessage
	Labels               map[string]string
	Caller               ledger.Caller
	Once                 string
	Locks                []string
	Pools                map[string]int64
	Code, Message        string
	Permanent, Unchanged bool
	Exit, Attempts       int
	Log                  []string
	Artifacts            map[string]string
	Parent, RerunOf      string // names
	Progress, Checkpoint json.RawMessage
	Obeys                bool // its host ends it when it is cancelled
	Dead                 bool // its host is gone
	Late                 bool // its host tells its end after it was taken for dead
}

// recorder makes the records of a script.
type recorder struct {
	ledger *ledger.Ledger
	state  string
	file   string // of SQLite
	runs   map[string]*recordedRun
}

type recordedRun struct {
	entry *ledger.Entry
	log   *journal.Writer
	live  *os.File
	stop  func()
}

type recorderKey struct{}

func recorderOf(ts *testscript.TestScript) *recorder {
	r := ts.Value(recorderKey{}).(*recorder)
	if r.ledger != nil {
		return r
	}
	r.state = ts.Getenv("OUTRIDER_STATE")
	if r.state == "" {
		ts.Fatalf("OUTRIDER_STATE is not set")
	}
	r.file = filepath.Join(r.state, "ledger.db")
	url := ts.Getenv("OUTRIDER_LEDGER")
	if url == "" {
		url = "sqlite:" + r.file
	}
	var err error
	r.ledger, err = ledger.Open(context.Background(), url, false)
	ts.Check(err)
	ts.Defer(func() { _ = r.ledger.Close() })
	return r
}

func (r *recorder) id(ts *testscript.TestScript, name string) string {
	if name == "" {
		return ""
	}
	if r.runs[name] == nil {
		ts.Fatalf("no run %s yet", name)
	}
	return r.runs[name].entry.ID()
}

func (r *recorder) record(ts *testscript.TestScript, line string) {
	var f recorded
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	ts.Check(d.Decode(&f))
	if f.Params == nil {
		f.Params = json.RawMessage(`{}`)
	}
	if f.Caller.Engine == "" {
		f.Caller.Engine = "none"
	}
	at, id := time.Now(), ulid.Make().String()
	if f.Ago != "" {
		ago, err := time.ParseDuration(f.Ago)
		ts.Check(err)
		at = at.Add(-ago)
		id = ulid.MustNew(ulid.Timestamp(at), rand.Reader).String()
	}
	ts.Setenv(f.Name, id)
	x := &recordedRun{log: journal.Create(journal.Path(filepath.Join(r.state, "logs"), id), 0), stop: func() {}}
	r.runs[f.Name] = x
	req := ledger.Request{
		Run: ledger.Run{
			ID: id, Component: f.Component, Params: f.Params, Labels: f.Labels, Caller: f.Caller, PID: 4242,
			PluginVersion: "v1.2.3", PluginSHA256: "abc123", Parent: r.id(ts, f.Parent), RerunOf: r.id(ts, f.RerunOf),
		},
		Live: filepath.Join(r.state, "held-"+id), Once: f.Once,
	}
	for _, name := range f.Locks {
		req.Claims = append(req.Claims, ledger.Lock(name))
	}
	for name, slots := range f.Pools {
		req.Claims = append(req.Claims, ledger.Pool(name, slots))
	}
	var err error
	x.live, err = os.Create(req.Live)
	ts.Check(err)
	ts.Defer(func() { _ = x.live.Close() })
	ts.Check(unix.Flock(int(x.live.Fd()), unix.LOCK_EX|unix.LOCK_NB))
	ctx := context.Background()
	x.entry, _, err = r.ledger.Begin(ctx, req)
	ts.Check(err)
	r.fill(ts, x, f)
	switch {
	case f.Dead:
		ts.Check(x.live.Close())
	case f.Late:
		_, err := r.ledger.ReleaseLock(ctx, f.Locks[0], "the lock was released by a test")
		ts.Check(err)
		if err := x.end(outcome(f), f.Exit); !errors.Is(err, ledger.ErrLost) {
			ts.Fatalf("the late end: %v", err)
		}
	case f.State != "":
		ts.Check(x.end(outcome(f), f.Exit))
	case f.Obeys:
		x.obey(ts)
	}
	for len(f.Log) > 0 { // until it is written
		if _, err := os.Stat(x.log.Path()); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if f.Ago != "" {
		r.change(ts, `UPDATE outrider_runs SET asked_at = ?, started_at = ?, ended_at = CASE ended_at WHEN 0 THEN 0 ELSE ? END WHERE id = ?`,
			at.UnixMilli(), at.UnixMilli()+1500, at.UnixMilli()+85_000, id)
	}
	if f.Host != "" {
		r.change(ts, `UPDATE outrider_runs SET host = ? WHERE id = ?`, f.Host, id)
		r.change(ts, `UPDATE outrider_artifacts SET host = ? WHERE run = ?`, f.Host, id)
	}
}

func outcome(f recorded) run.Outcome {
	return run.Outcome{State: f.State, Code: f.Code, Message: f.Message, Permanent: f.Permanent, Unchanged: f.Unchanged, Attempts: f.Attempts, Output: f.Output}
}

// fill tells what a run tells on its way.
func (r *recorder) fill(ts *testscript.TestScript, x *recordedRun, f recorded) {
	ctx := context.Background()
	for _, line := range f.Log {
		x.log.Line(time.Now(), "info", line)
	}
	for name, text := range f.Artifacts {
		path := filepath.Join(r.state, "artifacts", x.entry.ID(), name)
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
		ts.Check(os.WriteFile(path, []byte(text), 0o600))
		sum := sha256.Sum256([]byte(text))
		ts.Check(x.entry.Artifact(ctx, ledger.Artifact{Name: name, Path: path, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}))
	}
	if f.Progress != nil {
		ts.Check(x.entry.Progress(ctx, f.Progress))
	}
	if f.Checkpoint != nil {
		ts.Check(x.entry.Checkpoint(ctx, f.Checkpoint))
	}
}

// obey is a host whose task ends when it is told to.
func (x *recordedRun) obey(ts *testscript.TestScript) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := x.entry.Keep(ctx, time.Second); errors.Is(err, ledger.ErrCancelled) {
			_ = x.end(run.Outcome{State: run.Cancelled, Code: run.CodeCancelled, Message: err.Error()}, 143)
		}
	})
	ts.Defer(func() {
		cancel()
		done.Wait()
	})
}

func (x *recordedRun) end(o run.Outcome, code int) error {
	if err := x.log.Close(); err != nil {
		return err
	}
	err := x.entry.Finish(context.Background(), ledger.End{Outcome: o, Exit: code, LogTail: strings.Join(x.log.Tail(), "\n"), LogPath: x.log.Path()})
	return errors.Join(err, x.live.Close())
}

// change changes a SQLite ledger behind its back.
func (r *recorder) change(ts *testscript.TestScript, query string, args ...any) {
	d, err := sql.Open("sqlite", "file:"+r.file+"?_busy_timeout=10000")
	ts.Check(err)
	defer func() { _ = d.Close() }()
	_, err = d.Exec(query, args...)
	ts.Check(err)
}
