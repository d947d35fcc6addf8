package rule

import (
	"strings"
	"testing"
)

func TestRulesThatCouldDecide(t *testing.T) {
	etl := Subject{Source: "prod", Project: "etl", Workflow: "daily"}
	off := OwnerOf(map[string]string{LabelOff: "running"})
	for _, c := range []struct {
		name, rules string
		kind        Kind
		owner       Owner
		want        string
	}{
		{"as Decide says", "rules:\n  - {name: a, kind: running, threshold: 6h, continue: true}", Running, Owner{}, "a, running"},
		{"the first that matches ends it", "rules:\n  - {name: a, kind: running, threshold: 6h}", Running, Owner{}, "a"},
		{"the owner's off", "", Running, off, "running off by owner"},
		{"the config's rule goes before it", "rules:\n  - {name: a, kind: running}", Running, off, "a"},
		{"off", "rules:\n  - {name: a, kind: running, project: etl, off: true}", Running, Owner{}, "a off by config"},
		{"nothing comes after off", "rules:\n  - {name: a, kind: running, off: true, continue: true}", Running, Owner{}, "a off by config"},
		{"each that names tasks, and the first that names none", "rules:\n  - {name: a, kind: task, task: '*load'}\n  - {name: b, kind: task, task: '*x', off: true}\n  - {name: c, kind: task}\n  - {name: d, kind: task}", Task, Owner{}, "a, b off by config, c"},
		{"not another workflow's", "rules:\n  - {name: a, kind: task, workflow: weekly, task: '*load'}", Task, Owner{}, ""},
	} {
		var got []string
		for _, d := range set(t, c.rules).Could(c.kind, etl, c.owner) {
			text := d.Name
			if d.OffBy != "" {
				text += " off by " + d.OffBy
			}
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %q, want %q", c.name, text, c.want)
		}
	}
}
