package e2e

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/dig/digdagtest"
)

// shippedDAGs are the DAG files that users copy, by name.
func shippedDAGs() (map[string]string, error) {
	paths, err := filepath.Glob("../../dags/*.py")
	if err != nil {
		return nil, err
	}
	dags := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		dags[strings.TrimSuffix(filepath.Base(path), ".py")] = string(text)
	}
	return dags, nil
}

// readers is the file with the password of who reads Airflow's API.
func (w world) readers() string { return filepath.Join(w.home, "password") }

// addDAGs adds the shipped DAGs as they are: the ETL with its data and scripts in a
// folder of its own, and the notice with a file for the password, which only the
// started server knows.
func addDAGs(w world, files map[string]string) error {
	dags, err := shippedDAGs()
	if err != nil {
		return err
	}
	for name, text := range dags {
		files[name+".py"] = strings.ReplaceAll(text, "env:AIRFLOW_PASSWORD", "file:"+w.readers())
	}
	delete(files, "monitor.py") // it would run every minute beside all tests
	files["shop/etl.py"] = files["etl.py"]
	delete(files, "etl.py")
	beside, err := filepath.Glob("../../examples/etl/orders*")
	if err != nil {
		return err
	}
	for _, path := range beside {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files[filepath.Join("shop", filepath.Base(path))] = string(text)
	}
	return nil
}

// TestDAGs runs each shipped DAG on both versions.
func TestDAGs(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		rows := map[string]func(*testing.T){
			"etl": a.dagETL, "mapped": a.dagMapped, "ends": a.dagEnds, "lock": a.dagLock,
			"wait_digdag": a.dagWaitDigdag, "start_digdag": a.dagStartDigdag, "migration": a.dagMigration, "migration's day": a.dagMigrationDay,
			"notice": a.dagNotice, "monitor": a.dagMonitor,
		}
		dags, err := shippedDAGs()
		if err != nil {
			t.Fatal(err)
		}
		for name := range dags {
			if rows[name] == nil {
				t.Errorf("dags/%s.py has no test", name)
			}
			if name == "monitor" {
				continue // its test puts it there
			}
			if err := a.AwaitDAG(deadline(t), name); err != nil {
				t.Fatal(err)
			}
		}
		together(t, rows)
	})
}

// succeeds waits for the end of a run, task by task so that each has its time, which
// must be a success.
func succeeds(t *testing.T, r airflowtest.Run, tasks ...string) {
	t.Helper()
	for _, name := range tasks {
		if got := task(t, r, name); got.State != "success" {
			t.Fatalf("%s of %s is %+v\n%s", name, r.DAG, got, logText(t, r, name, 1))
		}
	}
	over(t, r, "success")
}

// over waits for the end of a run, which must be state: Airflow judges by the last tasks
// alone, one of which may well run after a failure.
func over(t *testing.T, r airflowtest.Run, state string) {
	t.Helper()
	if got, err := r.Wait(deadline(t)); err != nil || got != state {
		t.Fatalf("the run of %s is %s, %v; want %s", r.DAG, got, err, state)
	}
}

// dagETL: values go from task to task, and the month is in the database.
func (a airflow) dagETL(t *testing.T) {
	work := t.TempDir()
	r := a.triggerConf(t, "etl", map[string]any{"month": "2026-03", "work": work})
	succeeds(t, r, "extract", "some", "transform", "check", "load", "tell")
	db, err := sql.Open("sqlite", filepath.Join(work, "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var rows int
	if err := db.QueryRow(`SELECT count(*) FROM sales`).Scan(&rows); err != nil || rows == 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if got := outputs(t, r, "load")["rows"]; got != float64(rows) {
		t.Errorf("load returned %v rows, want %d", got, rows)
	}
	ends(t, r, "tell", "success", 1, fmt.Sprintf("%d rows of 2026-03, ", rows))
}

// dagMapped: a check for each file, of which one fails.
func (a airflow) dagMapped(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"orders-a.csv": "id\n1\n2\n", "orders-b.csv": "id\n3\n", "orders-c.csv": "id\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := a.triggerConf(t, "mapped", map[string]any{"glob": filepath.Join(dir, "orders-*.csv")})
	ends(t, r, "wait", "success", 1)
	ends(t, r, "checks", "success", 1)
	ends(t, r, "total", "success", 1, "3 rows in 2 good files")
	over(t, r, "failed")
}

// called is a server that notes what it was asked.
type called struct {
	*httptest.Server
	mu    sync.Mutex
	list  []string // METHOD PATH BODY
	busy  int
	most  int // requests at once to /aggregate
	gone  []string
	takes time.Duration
}

// serve starts a server that does not know the paths in gone.
func serve(t *testing.T, gone ...string) *called {
	c := &called{gone: gone, takes: time.Second}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *called) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.list = append(c.list, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), body)))
	gone := slices.Contains(c.gone, r.URL.Path)
	c.mu.Unlock()
	if gone {
		http.NotFound(w, r)
		return
	}
	if r.URL.Path == "/aggregate" { // long enough to be two at once
		c.count(1)
		time.Sleep(c.takes)
		c.count(-1)
	}
	_, _ = fmt.Fprint(w, `{"ok":true}`)
}

func (c *called) count(by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy += by
	c.most = max(c.most, c.busy)
}

// asked are the requests whose text begins so.
func (c *called) asked(prefix string) (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.list {
		if strings.HasPrefix(one, prefix) {
			list = append(list, one)
		}
	}
	return list
}

// dagEnds: a task that cannot be done is tried once, and one that another does is
// skipped.
func (a airflow) dagEnds(t *testing.T) {
	server := serve(t, "/orders")
	r := a.triggerConf(t, "ends", map[string]any{"api": server.URL})
	ends(t, r, "fetch", "failed", 1, "404")
	ends(t, r, "import", "success", 1)
	if got := task(t, r, "report"); got.State != "upstream_failed" {
		t.Errorf("the report is %s", got.State)
	}
	over(t, r, "failed")

	a.hold(t, "import", "ends")
	server = serve(t)
	r = a.triggerConf(t, "ends", map[string]any{"api": server.URL})
	ends(t, r, "import", "skipped", 1)
	ends(t, r, "report", "success", 1)
	over(t, r, "success")
	if got := server.asked("POST /"); !slices.Equal(got, []string{`POST /report {"imported":false}`}) {
		t.Errorf("asked %q", got)
	}
}

// hold holds a lock to the end of the test, or until release is called.
func (a airflow) hold(t *testing.T, lock, name string) (release func()) {
	t.Helper()
	name += string(a.Version)
	mark, until := a.world.fifo(t, "holds-"+name), filepath.Join(a.world.home, "release-"+name)
	holder := a.world.cmd("run", "--lock", lock, "probe.body", "--file", until+".bodies", "--mark", mark, "--release", until)
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	ended := sync.OnceValue(holder.Wait)
	release = func() {
		if err := errors.Join(os.WriteFile(until, nil, 0o600), ended()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(release)
	pidFrom(t, mark)
	return release
}

// dagLock: one lock, two of three at once, and a charge that is made once.
func (a airflow) dagLock(t *testing.T) {
	if code, out, errs := ended(t, a.world.cmd("pools", "set", "warehouse", "4")); code != 0 {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	release := a.hold(t, "orders", "lock")
	server := serve(t)
	r := a.triggerConf(t, "lock", map[string]any{"api": server.URL})
	if _, err := r.WaitTask(deadline(t), "load", airflowtest.In("running")); err != nil {
		t.Fatal(err)
	}
	if got := server.asked("POST /load"); len(got) > 0 {
		t.Errorf("asked %q while another had the lock", got)
	}
	release()
	succeeds(t, r, "load", "aggregate_eu", "aggregate_us", "aggregate_asia", "charge")
	if got := server.asked("GET /aggregate"); len(got) != 3 || server.most > 2 {
		t.Errorf("%d aggregates, up to %d at once", len(got), server.most)
	}
	// Airflow 2 fails a cleared task, unstarted, when it hears only then of its last try's end.
	for try := 2; ; try++ {
		if err := r.ClearTask(deadline(t), "charge"); err != nil {
			t.Fatal(err)
		}
		now, err := r.WaitTask(deadline(t), "charge", func(now airflowtest.Task) bool {
			return now.Try >= try && airflowtest.In("success", "failed")(now)
		})
		if err != nil {
			t.Fatal(err)
		}
		if now.State == "success" || a.Version == airflowtest.V3 {
			ends(t, r, "charge", "success", now.Try, "not run: succeeded ")
			break
		}
	}
	if got := server.asked("POST /charge"); len(got) != 1 {
		t.Errorf("charged %d times", len(got))
	}
}

// dagWaitDigdag waits for a task of Digdag that is under way.
func (a airflow) dagWaitDigdag(t *testing.T) {
	d := onDigdag(t)
	upstream, err := d.Server.Push(d.Context(), "ingest-dag-"+string(a.Version)+strconv.Itoa(os.Getpid()), ingest(t))
	if err != nil {
		t.Fatal(err)
	}
	first := d.startIn(upstream.Name, "daily", map[string]any{"dir": d.dir})
	d.await("loads")
	r := a.triggerConf(t, "wait_digdag", map[string]any{"endpoint": d.URL, "upstream": upstream.Name + "/daily"})
	if _, err := r.WaitTask(deadline(t), "upstream", airflowtest.In("running")); err != nil {
		t.Fatal(err)
	}
	d.release()
	ends(t, r, "upstream", "success", 1)
	ends(t, r, "report", "success", 1, fmt.Sprintf("from attempt %v", first.ID))
}

// dagStartDigdag starts a session of Digdag once, however often it is asked.
func (a airflow) dagStartDigdag(t *testing.T) {
	d := onDigdag(t)
	project := d.Push(digdagtest.Files{"daily.dig": "timezone: UTC\n\n+say:\n  echo>: ${from} brings ${rows + 1}\n"})
	conf := map[string]any{"endpoint": d.URL, "workflow": project + "/daily"}
	first := a.triggerConf(t, "start_digdag", conf)
	succeeds(t, first, "daily")
	second := a.triggerConf(t, "start_digdag", conf)
	succeeds(t, second, "daily")
	one, two := outputs(t, first, "daily"), outputs(t, second, "daily")
	if one["existed"] != false || two["existed"] != true {
		t.Errorf("existed: %v, then %v", one["existed"], two["existed"])
	}
	run, _ := one["run"].(map[string]any)
	id, _ := run["id"].(string)
	if again, _ := two["run"].(map[string]any); id == "" || again["id"] != id {
		t.Errorf("attempt %v, then %v", run["id"], again["id"])
	}
	if got := onDigdag(t).Wait(id).Output("+daily+say"); !strings.Contains(got, first.ID+" brings 4") {
		t.Errorf("it said %q", got)
	}
}

// dagMigration: a job that two schedules start is done once, the second time by the
// other one's outputs.
func (a airflow) dagMigration(t *testing.T) {
	server := serve(t)
	day := "2026-03-0" + string(a.Version)[:1]
	conf := map[string]any{"api": server.URL, "day": day}
	first := a.triggerConf(t, "migration", conf)
	succeeds(t, first, "load")
	code, stdout, stderr := ended(t, a.world.cmd("run", "--once-key", "load-"+day, "http.request", "--url", server.URL+"/load", "--method", "POST", "--query", `{"day":"`+day+`"}`))
	if code != 0 || !strings.Contains(stderr, "not run: succeeded ") {
		t.Errorf("%d %s", code, stderr)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || got["status"] != outputs(t, first, "load")["status"] {
		t.Errorf("%q, %v", stdout, err)
	}
	second := a.triggerConf(t, "migration", conf)
	ends(t, second, "load", "success", 1, "not run: succeeded ")
	if got := server.asked("POST /load"); len(got) != 1 {
		t.Errorf("asked %q", got)
	}
}

// dagNotice: a failed task is told of, with what it said last.
func (a airflow) dagNotice(t *testing.T) {
	server := serve(t)
	r := a.triggerConf(t, "notice", map[string]any{"webhook": server.URL + "/notice", "user": airflowtest.User})
	ends(t, r, "load", "failed", 1)
	ends(t, r, "look", "success", 1)
	ends(t, r, "tell", "success", 1)
	told := server.asked("POST /notice")
	if len(told) != 1 || !strings.Contains(told[0], "notice/load failed:") || !strings.Contains(told[0], "/srv/in/orders.csv") {
		t.Errorf("told %q", told)
	}
	over(t, r, "failed")
}
