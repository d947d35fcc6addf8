package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// slaTime is when the sla: of a workflow that runs at some time is missed, nil
// when it has none.
func slaTime(d dig.Definition, run time.Time) (*time.Time, error) {
	if !d.Config.Has("sla") {
		return nil, nil
	}
	sla := d.Config.Object("sla")
	if sla.Has("time") == sla.Has("duration") {
		return nil, InvalidError("SLA must be specified using either the 'time' or 'duration' option")
	}
	key := "duration"
	if sla.Has("time") {
		key = "time"
	}
	fields := strings.Split(conf.String(sla.Get(key)), ":")
	var n [3]int
	err := error(nil)
	for i, f := range fields {
		if i < len(n) && err == nil {
			n[i], err = strconv.Atoi(f)
		}
	}
	if err != nil || len(fields) < 2 || len(fields) > 3 {
		return nil, InvalidError(fmt.Sprintf("SLA %s option needs to be HH:MM or HH:MM:SS format: %s", key, conf.String(sla.Get(key))))
	}
	if key == "duration" {
		at := run.Add(time.Duration(n[0])*time.Hour + time.Duration(n[1])*time.Minute + time.Duration(n[2])*time.Second)
		return &at, nil
	}
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil {
		return nil, err
	}
	local := run.In(zone)
	at := time.Date(local.Year(), local.Month(), local.Day(), n[0], n[1], n[2], 0, zone)
	if at.Before(run) {
		at = at.Add(24 * time.Hour)
	}
	return &at, nil
}

// missSLAs adds the tasks of an sla: to the attempts that are too late. Nothing
// is stopped by that.
func (e *Engine) missSLAs(st *state.State) {
	if !e.cfg.ExecutorEnabled {
		return
	}
	for _, id := range st.Open() {
		a := st.Attempts[id]
		tasks := st.Tasks(id)
		if a.SLATime == nil || a.SLATime.After(e.now()) || len(tasks) == 0 {
			continue
		}
		a.SLATime = nil
		st.Put(a)
		sla := st.Workflows[a.WorkflowID].Config.Object("sla").Clone()
		alert, err := conf.Bool(sla.Get("alert"))
		if alert || err != nil || !sla.Has("alert") {
			e.generate(st, a, tasks[0], "^sla^alert", builtin("notify", "SLA violation"), 0, false)
		}
		if fail, err := conf.Bool(sla.Get("fail")); fail && err == nil {
			e.generate(st, a, tasks[0], "^sla^fail", builtin("fail", "SLA violation"), 0, false)
		}
		for _, key := range []string{"time", "duration", "alert", "fail"} {
			sla.Delete(key)
		}
		e.generate(st, a, tasks[0], "^sla", sla, 0, false)
	}
}

// builtin is the configuration of a task that Digdag adds itself.
func builtin(operator, command string) *conf.Object {
	config := conf.Of("_type", operator)
	config.Set("_command", command)
	return config
}
