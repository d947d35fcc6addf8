package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/ledger"
)

// claiming is what the flags of run, exec and sh ask of the ledger.
type claiming struct {
	claims   []ledger.Claim
	once     bool
	onceKey  string
	noClaim  bool
	force    bool
	priority int64
	labels   map[string]string
	onBusy   string
	waitMax  time.Duration
	required bool
	scope    string
	due      time.Time
}

// What happens to a run whose claims are busy.
const (
	busyWait = "wait"
	busySkip = "skip"
	busyFail = "fail"
)

// claimExamples show the claims from Digdag, from Airflow and from cron, in the README's
// own lines.
const claimExamples = "\n\nOnce, one at a time, not too many: in a .dig file, a DAG, a crontab.\n\n" +
	"  sh>: outrider run --once --lock orders hello.greet --name orders\n\n" +
	"  BashOperator(task_id=\"load\", bash_command=\"outrider run --once --pool warehouse=2 hello.greet --name orders\")\n\n" +
	"  */30 * * * * outrider exec --once-key 'crawl {{.Slot \"30m\"}}' --lock crawler --expect '*/30 * * * *' -- ./crawl.sh"

func claimFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "once", Usage: "not again after a success of this task in this session", DisableDefaultText: true},
		&cli.StringFlag{Name: "once-key", Usage: "not again after a success under `KEY`, e.g. 'load-{{.Label \"day\"}}' or '{{.Slot \"30m\"}}'"},
		&cli.StringSliceFlag{Name: "lock", Usage: "run while no other holds lock `NAME` (again for more)"},
		&cli.StringSliceFlag{Name: "pool", Usage: "take `NAME[=SLOTS]` of a pool (again for more)"},
		&cli.Int64Flag{Name: "priority", Usage: "wait before those with a lower `N`"},
		&cli.StringSliceFlag{Name: "label", Usage: "record `K=V` with the run (again for more)"},
		&cli.StringFlag{Name: "on-busy", Usage: "`wait`, skip or fail when a claim is another's", Value: busyWait},
		&cli.DurationFlag{Name: "wait-max", Usage: "give up waiting after `T`, with exit code 75", Value: 10 * time.Minute},
		&cli.StringFlag{Name: "ledger-mode", Usage: "`required` (nothing runs unrecorded) or best-effort", DefaultText: "required with a claim"},
		&cli.StringFlag{Name: "scope", Usage: "`cluster` refuses claims that hold on this host alone"},
		&cli.StringFlag{Name: "expect", Usage: "record when the next run is due, by a crontab's `FIELDS`, e.g. '*/30 * * * *'"},
		&cli.StringFlag{Name: "tz", Usage: "`ZONE` of --expect, e.g. Asia/Tokyo", DefaultText: "this machine's"},
		&cli.BoolFlag{Name: "no-claim", Usage: "under Digdag: let a task that is delivered twice run twice", DisableDefaultText: true},
	}
}

func parseClaims(c *cli.Context, e engine.Engine) (claiming, error) {
	q := claiming{
		once: c.Bool("once"), onceKey: c.String("once-key"), noClaim: c.Bool("no-claim"), force: os.Getenv("OUTRIDER_FORCE") == "1",
		priority: c.Int64("priority"), labels: map[string]string{}, onBusy: c.String("on-busy"), waitMax: c.Duration("wait-max"), scope: c.String("scope"),
	}
	for _, name := range c.StringSlice("lock") {
		if name == "" {
			return q, term.Usage("--lock needs a name")
		}
		q.claims = append(q.claims, ledger.Lock(name))
	}
	for _, text := range c.StringSlice("pool") {
		name, slots, several := strings.Cut(text, "=")
		n, err := int64(1), error(nil)
		if several {
			n, err = strconv.ParseInt(slots, 10, 64)
		}
		if name == "" || err != nil || n < 1 {
			return q, term.Usage("--pool %q: want NAME or NAME=SLOTS, such as warehouse=2", text)
		}
		q.claims = append(q.claims, ledger.Pool(name, n))
	}
	for _, text := range c.StringSlice("label") {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return q, term.Usage("--label %q: want NAME=VALUE", text)
		}
		q.labels[name] = value
	}
	if q.onBusy != busyWait && q.onBusy != busySkip && q.onBusy != busyFail {
		return q, term.Usage("--on-busy %q: want wait, skip or fail", q.onBusy)
	}
	if q.waitMax < 0 {
		return q, term.Usage("--wait-max cannot be negative")
	}
	if q.scope != "" && q.scope != "host" && q.scope != "cluster" {
		return q, term.Usage("--scope %q: want host or cluster", q.scope)
	}
	if q.once && q.onceKey != "" {
		return q, term.Usage("--once and --once-key: want one of them")
	}
	q.required = len(q.claims) > 0 || q.once || q.onceKey != ""
	switch mode := c.String("ledger-mode"); mode {
	case "":
	case "required":
		q.required = true
	case "best-effort":
		q.required = false
	default:
		return q, term.Usage("--ledger-mode %q: want required or best-effort", mode)
	}
	if err := ledger.DistinctClaims(q.claims); err != nil {
		return q, term.Usage("%w", err)
	}
	var err error
	if q.due, err = expect(q.labels, c.String("expect"), c.String("tz"), time.Now()); err != nil {
		return q, err
	}
	q.onceKey, err = expandKey(q.onceKey, q.labels, e.Identity.LogicalTime, time.Now())
	return q, err
}

// keyData is what a key's template can use.
type keyData struct {
	labels map[string]string
	at     time.Time
}

// Label is the value of a label of this run.
func (d keyData) Label(name string) (string, error) {
	v, ok := d.labels[name]
	if !ok {
		return "", fmt.Errorf("there is no --label %s=…", name)
	}
	return v, nil
}

// Slot is the start of the slot of this length that the run is for, in UTC.
func (d keyData) Slot(length string) (string, error) {
	n, err := time.ParseDuration(length)
	if err != nil || n <= 0 {
		return "", fmt.Errorf("slot %q: want a duration such as 30m", length)
	}
	return d.at.UTC().Truncate(n).Format(time.RFC3339), nil
}

// expandKey fills a key's template. The time is the one that the engine's run is
// for, else now.
func expandKey(text string, labels map[string]string, logical string, now time.Time) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	if at, err := time.Parse(time.RFC3339, logical); err == nil {
		now = at
	}
	t, err := template.New("key").Parse(text)
	if err != nil {
		return "", term.Usage("--once-key: %w", err)
	}
	var out strings.Builder
	if err := t.Execute(&out, keyData{labels, now}); err != nil {
		return "", term.Usage("--once-key: %w", err)
	}
	return out.String(), nil
}
