package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestAirflowWaitToday: the run that was to start today is that of today, whatever date
// it bears; an id has a + and a colon.
func TestAirflowWaitToday(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		// Airflow tells UTC of it.
		at := func(address string) map[string]any {
			return map[string]any{"address": "acts_daily" + address, "zone": "Asia/Tokyo", "every": "1s", "timeout": "2m"}
		}
		waits := a.begin("airflow.wait", at("@today/say"))
		a.act("airflow.pause", map[string]any{"address": "acts_daily", "paused": false})
		var out struct {
			ran
			Task *observe.Task
		}
		(<-waits).into(&out)
		if out.Run.Trigger != "schedule" || out.Task == nil || out.Task.State != observe.Success {
			t.Errorf("%+v", out)
		}
		tokyo := time.FixedZone("", 9*3600)
		day := time.Now().In(tokyo)
		if a.Version == airflowtest.V2 {
			day = day.AddDate(0, 0, -1)
		}
		if got := out.Run.Time.In(tokyo).Format(time.DateOnly); got != day.Format(time.DateOnly) {
			t.Errorf("it bears %s", got)
		}
		var same ran
		for _, run := range []string{out.Run.Session, day.Format(time.DateOnly), day.Format(time.DateOnly) + "T00:00", "latest"} {
			a.act("airflow.wait", at("@"+run)).into(&same)
			if same.Run.Session != out.Run.Session {
				t.Errorf("%s: %+v", run, same.Run)
			}
		}
		a.act("airflow.wait", map[string]any{"address": "acts_daily", "since": "24h"}).into(&same)
		a.act("airflow.wait", map[string]any{"address": "acts_daily/say", "since": "24h"}).into(&same)
	})
}

// TestAirflowWaitSince: a failure of one run is none while another is open.
func TestAirflowWaitSince(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		since := time.Now().Format(time.RFC3339)
		a.over("acts_chain", "failed")
		a.act("airflow.wait", map[string]any{"address": "acts_long", "since": time.Now().Add(-time.Second).Format(time.RFC3339), "timeout": "2s", "every": "1s"}).fails(1, "timeout", "none was there since")
		log := &lineWatch{want: "a clear is waited for", seen: make(chan struct{})}
		over := a.begin("airflow.wait", map[string]any{"address": "acts_chain/send", "since": since, "grace": "5m", "every": "1s"}, log)
		log.await(deadline(t), t)
		a.touch("fixed")
		a.over("acts_chain", "success")
		var out ran
		(<-over).into(&out)
		if out.Run.State.Ended() && out.Run.State != observe.Success || out.Task == nil || out.Task.Name != "send" {
			t.Errorf("%+v", out)
		}
		s := a.over("acts_short", "success")
		a.act("airflow.wait", map[string]any{"address": "acts_short@" + s.ID + "/rest"}).fails(1, "task_failed", "was skipped")
		if got := a.act("airflow.clear", map[string]any{"address": "acts_short@" + s.ID}); !strings.Contains(got.stderr, "nothing to do") {
			t.Errorf("a branch's skips are no failures: %s", got.stderr)
		}
	})
}

// TestAirflowWaitOutlastsServers: the server is killed and started again while a run is
// waited for, and a scheduler that is dead is told of.
func TestAirflowWaitOutlastsServers(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		var p struct{}
		a.act("airflow.pause", map[string]any{"address": "acts_paused"}).into(&p)
		queued := a.start("acts_paused")
		gone := &lineWatch{want: "the server does not answer; waiting goes on", seen: make(chan struct{})}
		begun := &lineWatch{want: "is queued", seen: make(chan struct{})}
		over := a.begin("airflow.wait", map[string]any{"address": "acts_paused@" + queued.ID, "every": "1s", "request_timeout": "2s"}, gone, begun)
		begun.await(deadline(t), t)
		server := a.Names()[0]
		a.killGroup(t, server)
		gone.await(deadline(t), t)
		if err := a.Restart(deadline(t), server); err != nil {
			t.Fatal(err)
		}
		a.act("airflow.pause", map[string]any{"address": "acts_paused", "paused": false}).into(&p)
		(<-over).succeeded()
		a.act("airflow.pause", map[string]any{"address": "acts_paused"}).into(&p) // as it was

		a.kill(t, "scheduler")
		r := a.start("acts_ok") // stays queued
		dead := &lineWatch{want: "Airflow's scheduler seems dead", seen: make(chan struct{})}
		over = a.begin("airflow.wait", map[string]any{"address": "acts_ok@" + r.ID, "every": "1s"}, dead)
		dead.await(deadline(t), t)
		if err := a.Restart(deadline(t), "scheduler"); err != nil {
			t.Fatal(err)
		}
		(<-over).succeeded()
	})
}

// TestAirflowWaitDeleted: a run, and its DAG, are deleted while they are waited for.
func TestAirflowWaitDeleted(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		var p struct{}
		a.act("airflow.pause", map[string]any{"address": "acts_paused"}).into(&p)
		r := a.start("acts_paused")
		log := &lineWatch{want: "is queued", seen: make(chan struct{})}
		over := a.begin("airflow.wait", map[string]any{"address": "acts_paused@" + r.ID, "every": "1s"}, log)
		log.await(deadline(t), t)
		a.delete("dags/acts_paused/dagRuns/" + r.ID)
		(<-over).fails(3, "run_deleted", "acts_paused@"+r.ID+" was deleted while it was waited for")
	})
}
