package address_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
)

func TestFindTasks(t *testing.T) {
	run := client.DAGRun{DAG: "daily", ID: "r1", State: "running"}
	tasks := []client.TaskInstance{
		{Task: "load", MapIndex: 2},
		{Task: "load", MapIndex: 0},
		{Task: "load", MapIndex: 1},
		{Task: "g.sum", MapIndex: -1, State: "success"},
		{Task: "later", MapIndex: -1},
		{Task: "single", MapIndex: 0},
		{Task: "nothing", MapIndex: -1, State: "skipped"},
	}
	for name, want := range map[string]struct {
		indexes []int
		what    string
		says    string
	}{
		"load":       {indexes: []int{0, 1, 2}},
		"load[1]":    {indexes: []int{1}},
		"g.sum":      {indexes: []int{-1}},
		"single":     {indexes: []int{0}},
		"load[3]":    {what: "index", says: "no load[3] in run r1 of daily: it has [0] to [2]"},
		"single[1]":  {what: "index", says: "no single[1] in run r1 of daily: it has [0] alone"},
		"later[0]":   {what: "index", says: "how many there will be is not known yet"},
		"nothing[0]": {what: "index", says: "was mapped over nothing"},
		"loa":        {what: "task", says: `no task "loa" in run r1 of daily; near: load`},
		"sum":        {what: "task", says: `near: g.sum`},
	} {
		a, err := address.Parse("daily/" + name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := address.FindTasks(run, tasks, a)
		var got []int
		for _, x := range found {
			got = append(got, x.MapIndex)
		}
		var m *address.Missing
		if want.what == "" && (err != nil || !slices.Equal(got, want.indexes)) ||
			want.what != "" && (!errors.As(err, &m) || m.What != want.what || !strings.Contains(err.Error(), want.says)) {
			t.Errorf("%s: %v, %v, want %+v", name, got, err, want)
		}
		one, err := address.FindTask(run, tasks, a)
		switch {
		case name == "load":
			if !errors.As(err, &m) || m.What != "index" || !strings.Contains(err.Error(), "load in run r1 of daily is mapped: name one, as load[0]; it has [0] to [2]") {
				t.Errorf("%s: %v", name, err)
			}
		case (err == nil) != (want.what == "") || err == nil && one.Task != a.Task:
			t.Errorf("%s: %+v, %v", name, one, err)
		}
	}
	if _, err := address.FindTasks(run, nil, address.Address{Task: "a"}); err == nil || err.Error() != "run r1 of daily has no tasks" {
		t.Errorf("%v", err)
	}
}
