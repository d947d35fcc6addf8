package rule

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// load reads rules as a config has them.
func load(t *testing.T, yaml string) ([]Rule, error) {
	t.Helper()
	var f struct {
		Rules []Rule `json:"rules"`
	}
	err := manifest.DecodeYAML([]byte(yaml), &f)
	return f.Rules, err
}

func set(t *testing.T, yaml string) *Set {
	t.Helper()
	rules, err := load(t, yaml)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSet(rules)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRulesAreRead(t *testing.T) {
	rules, err := load(t, `
rules:
  - name: etl-long
    kind: running
    source: prod*
    project: [etl, "dwh_*"]
    labels: {team: data}
    threshold: usual*1.5
    floor: 10m
    cap: 1d
    for: 3
    severity: critical
    owner: data
    runbook: https://wiki/etl
    text: look at the warehouse
    continue: true
  - {name: morning, kind: deadline, workflow: report, by: "07:00", days: "mon-fri", zone: Asia/Tokyo}
  - {name: often, kind: failed, failures: 3, of: 5}
  - {name: queue, kind: signal, signal: "queue_*", above: 100, below: 2}
`)
	if err != nil {
		t.Fatal(err)
	}
	above, below := 100.0, 2.0
	want := []Rule{
		{
			Name: "etl-long", Kind: Running, Source: Globs{"prod*"}, Project: Globs{"etl", "dwh_*"}, Labels: map[string]Glob{"team": "data"},
			Threshold: threshold.Spec{Factor: 1.5}, Bounds: threshold.Bounds{Floor: threshold.Duration(10 * time.Minute), Cap: threshold.Duration(24 * time.Hour)},
			For: 3, Severity: Critical, Owner: "data", Runbook: "https://wiki/etl", Text: "look at the warehouse", Continue: true,
		},
		{Name: "morning", Kind: Deadline, Workflow: Globs{"report"}, By: Clock{7, 0}, Days: 0b0111110, Zone: "Asia/Tokyo"},
		{Name: "often", Kind: Failed, Failures: 3, Of: 5},
		{Name: "queue", Kind: Signal, Signal: "queue_*", Above: &above, Below: &below},
	}
	if !reflect.DeepEqual(rules, want) {
		t.Errorf("got %+v\nwant %+v", rules, want)
	}
	if _, err := NewSet(rules); err != nil {
		t.Error(err)
	}
	raw, err := json.Marshal(rules)
	var back []Rule
	if err != nil || json.Unmarshal(raw, &back) != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("%s is read back as %+v, %v", raw, back, err)
	}
}

// What is wrong in itself is refused where it stands.
func TestRulesRefuseAtTheirLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{name: a, kind: slow}", `kind: "slow": want one of running, task, queued`},
		{"{name: a, kind: running, treshold: 2h}", `treshold: unknown key`},
		{"{name: a, kind: running, threshold: 2 hours}", `threshold: "2 hours": want a time such as 2h, or usual, or usual*1.5`},
		{"{name: a, kind: running, threshold: 2}", `threshold: `},
		{"{name: a, kind: running, severity: page}", `severity: "page": want none, info, warning or critical`},
		{"{name: a, kind: running, project: '[a'}", `project: "[a": want a name, a pattern with *, ? and [a-z], or a list of them`},
		{"{name: a, kind: running, labels: {team: ''}}", `want a name, or a pattern`},
		{"{name: a, kind: running, floor: -5m}", `floor: "-5m": want a duration such as 90s, 2h or 1d12h`},
		{"{name: a, kind: deadline, by: 7am}", `by: "7am": want a time of the day such as 07:00`},
		{"{name: a, kind: deadline, by: '07:00', days: workdays}", `days: "workdays": want days such as mon-fri or mon,wed,sun`},
		{"{name: a, kind: deadline, by: '07:00', zone: Tokyo}", `zone: "Tokyo": want a time zone such as Asia/Tokyo or UTC`},
	} {
		_, err := load(t, "rules:\n  - "+c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// What is wrong in one with another names rule, field and value.
func TestRulesRefuseWhatDoesNotGoTogether(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{kind: running}", `rules[0]: rule (without a name): name: "": want a short name without blanks and |, such as etl-long`},
		{"{name: a b, kind: running}", `rule a b: name: "a b": want a short name`},
		{"{name: late, kind: running}", `rule late: name: "late": it is that of a built-in rule of another kind`},
		{"{name: a}", `rule a: kind: "": want one of running`},
		{"{name: a, kind: running, failures: 3}", `rule a: failures: 3: a rule of kind running has no such field`},
		{"{name: a, kind: running, above: 3}", `rule a: above: 3: a rule of kind running has no such field`},
		{"{name: a, kind: failed, threshold: 2h}", `rule a: threshold: "2h": a rule of kind failed has none`},
		{"{name: a, kind: late, threshold: usual}", `rule a: threshold: "usual": want a time such as 2h; a rule of kind late knows nothing usual`},
		{"{name: a, kind: late, floor: 2m}", `rule a: floor: 2m: it bounds what is usual, which a rule of kind late does not know`},
		{"{name: a, kind: running, floor: 2h, cap: 1h}", `rule a: cap: 1h: it is below the floor, 2h`},
		{"{name: a, kind: running, for: -1}", `rule a: for: -1: want a number of checks from 1 to 10000`},
		{"{name: a, kind: deadline}", `rule a: by: "": a rule of kind deadline needs it`},
		{"{name: a, kind: fresh}", `rule a: threshold: "": a rule of kind fresh needs it`},
		{"{name: a, kind: signal, above: 1}", `rule a: signal: "": a rule of kind signal needs it`},
		{"{name: a, kind: signal, signal: q}", `rule a: signal: "q": want one of above, below, absent, changed and when`},
		{"{name: a, kind: signal, signal: q, above: 1, absent: true}", `rule a: signal: "q": want one of`},
		{"{name: a, kind: signal, signal: q, above: 1, below: 5}", `rule a: above: 1: every number is above it or below 5`},
		{"{name: a, kind: signal, signal: q, when: 'value >'}", `rule a: when: "value >": want a condition over value, previous`},
		{"{name: a, kind: signal, signal: q, when: 'value + 1'}", `rule a: when: "value + 1": want a condition`},
		{"{name: a, kind: signal, signal: q, when: 'valu > 1'}", `unknown name valu`},
		{"{name: a, kind: signal, signal: q, when: 'now().Hour() > 1'}", `unknown name now`},
		{"{name: a, kind: failed, failures: 5, of: 3}", `rule a: of: 3: want a number from failures (5) to 10`},
		{"{name: a, kind: failed, failures: 11}", `rule a: failures: 11: want a number from 1 to 10`},
		{"{name: a, kind: saturated, above: 80}", `rule a: above: 80: want a share above 0 and up to 1, such as 0.8`},
		{"{name: a, kind: overlap, above: 0}", `rule a: above: 0: want a number of runs from 1 on`},
		{"{name: a, kind: unreachable, project: etl}", `rule a: project: "etl": a rule of kind unreachable is about a source`},
		{"{name: a, kind: saturated, task: +load}", `rule a: task: "+load": a rule of kind saturated is about a source`},
		{"{name: a, kind: running, task: +load}", `rule a: task: "+load": a rule of kind running is about a run; want kind: task`},
		{"{name: a, kind: running}\n  - {name: a, kind: late}", `rule a: name: "a": another rule has it`},
	} {
		rules, err := load(t, "rules:\n  - "+c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if _, err = NewSet(rules); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestEveryKindHasARuleThatIsTaken(t *testing.T) {
	names, facts := Kinds()
	if len(names) != 20 {
		t.Errorf("%d kinds", len(names))
	}
	one := 1.0
	for _, k := range names {
		r := Rule{Name: "mine", Kind: k}
		switch k {
		case Deadline:
			r.By = Clock{7, 0}
		case Fresh:
			r.Threshold = threshold.Fixed(time.Hour)
		case Signal:
			r.Signal, r.Above = "q", &one
		}
		s, err := NewSet([]Rule{r})
		if err != nil {
			t.Errorf("%s: %v", k, err)
			continue
		}
		got := s.Decide(k, Subject{Source: "prod"}, Owner{})
		if len(got) != 1 || got[0].Name != "mine" || got[0].Severity != facts[k].Severity || got[0].For != facts[k].For {
			t.Errorf("%s: %+v", k, got)
		}
	}
}

func TestWhichRuleDecides(t *testing.T) {
	etl := Subject{Source: "prod", Project: "etl", Workflow: "daily", Labels: map[string]string{"team": "data"}}
	owner := OwnerOf(map[string]string{LabelThreshold: "3h"})
	off := OwnerOf(map[string]string{LabelOff: "running"})
	const mine = "rules:\n  - {name: mine, kind: running, project: etl, threshold: 2h}"
	for _, c := range []struct {
		name, rules string
		who         Subject
		owner       Owner
		want        string
	}{
		{"the built-in one", "", etl, Owner{}, "running usual default"},
		{"the config's goes before it", mine, etl, Owner{}, "mine 2h config"},
		{"whom it does not match is left to the built-in one", mine, Subject{Project: "x"}, Owner{}, "running usual default"},
		{"the first one decides", mine + "\n  - {name: two, kind: running, threshold: 1h}", etl, Owner{}, "mine 2h config"},
		{"continue", "rules:\n  - {name: a, kind: running, threshold: 6h, continue: true}\n  - {name: b, kind: running, threshold: 1h}", etl, Owner{}, "a 6h config, b 1h config"},
		{"severity none does not keep others away", "rules:\n  - {name: a, kind: running, threshold: 6h, severity: none}", etl, Owner{}, "a 6h config, running usual default"},
		{"off", "rules:\n  - {name: a, kind: running, project: etl, off: true}", etl, Owner{}, ""},
		{"labels", "rules:\n  - {name: a, kind: running, labels: {team: d*}, threshold: 6h}", etl, Owner{}, "a 6h config"},
		{"a label that is not there", "rules:\n  - {name: a, kind: running, labels: {x: '*'}, threshold: 6h}", etl, Owner{}, "running usual default"},
		{"the owner's threshold", "", etl, owner, "running 3h owner"},
		{"the config's goes before the owner's", mine, etl, owner, "mine 2h config"},
		{"a rule without a threshold leaves it to the owner", "rules:\n  - {name: a, kind: running, severity: critical}", etl, owner, "a 3h owner"},
		{"the owner's off", "", etl, off, ""},
		{"the config's rule goes before the owner's off", mine, etl, off, "mine 2h config"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range set(t, c.rules).Decide(Running, c.who, c.owner) {
				got = append(got, d.Name+" "+d.Limit.String()+" "+d.From)
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("%q, want %q", text, c.want)
			}
		})
	}
}

func TestOwnerOf(t *testing.T) {
	o := OwnerOf(map[string]string{LabelThreshold: "2h", LabelChannel: "#a", LabelOff: "true"}, map[string]string{LabelChannel: "#b", LabelRunbook: "r", LabelOff: "late, failed"})
	if o.Threshold != threshold.Fixed(2*time.Hour) || o.Channel != "#b" || o.Runbook != "r" || !reflect.DeepEqual(o.Off, []string{"late", "failed"}) || len(o.Problems) > 0 {
		t.Errorf("%+v", o)
	}
	bad := OwnerOf(map[string]string{LabelThreshold: "2 hours", LabelOff: "sometimes"})
	if !bad.Threshold.IsZero() || len(bad.Off) > 0 || len(bad.Problems) != 2 ||
		bad.Problems[0] != `label outrider.threshold: "2 hours": want a time such as 2h, or usual, or usual*1.5` {
		t.Errorf("%+v", bad)
	}
	if no := OwnerOf(map[string]string{LabelOff: "false"}); len(no.Off)+len(no.Problems) > 0 {
		t.Errorf("%+v", no)
	}
}

func TestWhen(t *testing.T) {
	s := set(t, `rules: [{name: a, kind: signal, signal: q, when: 'value > 2 * previous && labels["t"] == "x" && signals["open"] > 0'}]`)
	r := s.Decide(Signal, Subject{}, Owner{})[0].Rule
	c := Condition{Value: 5, Previous: 2, Labels: map[string]string{"t": "x"}, Signals: map[string]float64{"open": 1}}
	if is, err := s.When(r, c); err != nil || !is {
		t.Errorf("%v, %v", is, err)
	}
	c.Previous = 3
	if is, err := s.When(r, c); err != nil || is {
		t.Errorf("%v, %v", is, err)
	}
}
