package e2e

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// bullet kills a checker when Slack has taken a message of it, and so many before that:
// when Slack has not answered yet, or so long after that.
type bullet struct {
	skip   atomic.Int32
	before bool
	after  time.Duration
	kill   func()
}

// armedSlack is a Slack that fires when it gets messages.
type armedSlack struct {
	*slacktest.Server
	loaded atomic.Pointer[bullet]
}

// fires is the bullet that this message sets off, nil without.
func (a *armedSlack) fires() *bullet {
	b := a.loaded.Load()
	if b == nil || b.skip.Add(-1) >= 0 || !a.loaded.CompareAndSwap(b, nil) {
		return nil
	}
	return b
}

func (a *armedSlack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said := httptest.NewRecorder()
	a.Server.ServeHTTP(said, r)
	var b *bullet
	if strings.HasPrefix(r.URL.Path, "/api/chat.") {
		b = a.fires()
	}
	if b != nil && b.before {
		b.kill()
	}
	for name, values := range said.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(said.Code)
	_, _ = w.Write(said.Body.Bytes()) // who asked may be dead
	if b != nil && !b.before {
		_ = http.NewResponseController(w).Flush()
		time.AfterFunc(b.after, b.kill)
	}
}

// killedChecker is one that a test kills, with the database that it leaves.
type killedChecker struct {
	checkerWorld
	slack *armedSlack
	more  []string // of its environment
	db    *sql.DB  // of its memory, for the test to look at
	// expire ends the turn of a dead checker, as time does.
	expire func()
}

func newKilledChecker(t *testing.T, more ...string) *killedChecker {
	t.Helper()
	slack := &armedSlack{Server: slacktest.New(t, "#data")}
	server := httptest.NewServer(slack)
	t.Cleanup(server.Close)
	w := checkerWorld{newWorld(t), t}
	w.write(fmt.Sprintf(`sources: {play: {engine: probe, calm: %q}}
rules: [{name: parts, kind: unhealthy, for: 1, severity: warning}]
receivers: {team: {component: slack.post, params: {token: env:SLACK_TOKEN, channel: '#data', api_url: %q}}}
routes: [{receiver: team}]
`, w.path("calm"), server.URL+"/api/"))
	return &killedChecker{checkerWorld: w, slack: slack, more: append(more, "SLACK_TOKEN="+slacktest.Token), expire: func() {}}
}

// open opens the memory of the checker beside it.
func (k *killedChecker) open(driver, source string) {
	k.t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		k.t.Fatal(err)
	}
	k.db = db
	k.t.Cleanup(func() { _ = db.Close() })
}

// asked is what a query of one value answers.
func (k *killedChecker) asked(query string) (answer string) {
	k.t.Helper()
	if err := k.db.QueryRow(query).Scan(&answer); err != nil {
		k.t.Fatalf("%s: %v", query, err)
	}
	return answer
}

// pass makes one that arm may kill, and says whether it was killed.
func (k *killedChecker) pass(arm func(kill func()) (disarm func())) (killed bool, took time.Duration) {
	k.t.Helper()
	cmd := k.checker("check")
	cmd.Env = append(cmd.Env, k.more...)
	var said strings.Builder
	cmd.Stderr = &said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	disarm := arm(func() { _ = cmd.Process.Kill() }) // it may have ended
	err := cmd.Wait()
	took = time.Since(began)
	disarm()
	if exit, ok := err.(*exec.ExitError); ok && exit.Sys().(syscall.WaitStatus).Signaled() {
		k.expire()
		return true, took
	}
	if code := cmd.ProcessState.ExitCode(); code > 1 {
		k.t.Fatalf("a pass: exit %d\n%s", code, said.String())
	}
	return false, took
}

// clean makes passes that nobody kills, and returns how long the last one took.
func (k *killedChecker) clean(passes int) (took time.Duration) {
	k.t.Helper()
	for range passes {
		_, took = k.pass(func(func()) func() { return func() {} })
	}
	return took
}

// aimed makes a pass that is killed about when one of its first messages is posted.
func (k *killedChecker) aimed(before bool) bool {
	killed, _ := k.pass(func(kill func()) func() {
		b := &bullet{before: before, after: rand.N(15 * time.Millisecond), kill: kill}
		b.skip.Store(rand.Int32N(4))
		k.slack.loaded.Store(b)
		return func() { k.slack.loaded.Store(nil) }
	})
	return killed
}

// kill kills so many passes: some at a random time of their life, others about when a
// message was posted. Now and then one gets through, else there would be nothing but a
// backlog to tell.
func (k *killedChecker) kill(kills int) {
	k.t.Helper()
	length := k.clean(6) // by then there is something to tell of both kinds
	var random, before, after int
	for n := 0; n < kills; n = random + before + after {
		k.clean(rand.IntN(2))
		switch rand.IntN(5) {
		case 0:
			if k.aimed(true) {
				before++
			}
		case 1:
			if k.aimed(false) {
				after++
			}
		default:
			killed, _ := k.pass(func(kill func()) func() {
				timer := time.AfterFunc(rand.N(length), kill)
				return func() { timer.Stop() }
			})
			if killed {
				random++
			}
		}
	}
	k.t.Logf("a pass takes %s; killed: %d at random, %d when a message was posted, %d when that was answered", length.Round(time.Millisecond), random, before, after)
}

// check ends the play, and holds what Slack was told against what there was to tell.
func (k *killedChecker) check() {
	k.t.Helper()
	k.clean(1)
	var last int // look whose part is ill
	if _, err := fmt.Sscan(k.asked(`SELECT position FROM outrider_checker_sources WHERE name = 'play'`), &last); err != nil {
		k.t.Fatal(err)
	}
	if err := os.WriteFile(k.path("calm"), fmt.Append(nil, last), 0o600); err != nil {
		k.t.Fatal(err)
	}
	k.clean(8)
	if left := k.asked(`SELECT count(*) FROM outrider_checker_outbox`); left != "0" {
		k.t.Errorf("%s messages are still to be told", left)
	}
	if code, out, said := k.last(); code != 0 {
		k.t.Errorf("all is well, and it exits with %d: %s%s", code, out, said)
	}
	part := regexp.MustCompile(`part-(\d+) is not well`)
	threads := k.slack.Threads()
	if first := threads[0][0].Seen(); !strings.Contains(first, "is watched from now on") {
		k.t.Errorf("the first message:\n%s", first)
	}
	roots := map[string]int{}
	replies := 0
	for _, thread := range threads[1:] {
		m := part.FindStringSubmatch(thread[0].Seen())
		if m == nil {
			k.t.Errorf("nothing was said to tell this:\n%s", thread[0].Seen())
			continue
		}
		roots[m[1]]++
		ends := 0
		for _, reply := range thread {
			if strings.Contains(reply.Seen(), "resolved after") && (reply.TS != thread[0].TS || len(thread) == 1) {
				ends++
			}
		}
		if ends != 1 || len(thread) > 2 {
			k.t.Errorf("of part %s %d messages say that it is well again, of %d", m[1], ends, len(thread))
		}
		replies += len(thread) - 1
	}
	for n := 1; n < last; n++ {
		if name := fmt.Sprint(n); roots[name] != 1 {
			k.t.Errorf("part %s was ill: told %d times", name, roots[name])
		}
	}
	if len(roots) != last-1 {
		k.t.Errorf("%d parts were ill, and %d are told of", last-1, len(roots))
	}
	calls := strings.Join(k.slack.Calls(), " ")
	history, ofThread := strings.Count(calls, "conversations.history"), strings.Count(calls, "conversations.replies")
	k.t.Logf("%d alerts, %d first messages and %d replies; looked for a message in doubt %d times in the channel, %d times in a thread", last-1, len(threads)-1, replies, history, ofThread)
	if replies < last/4 || history == 0 || ofThread == 0 {
		k.t.Error("the play was too dull")
	}
}

// last makes one more pass.
func (k *killedChecker) last() (code int, stdout, stderr string) {
	cmd := k.checker("check")
	cmd.Env = append(cmd.Env, k.more...)
	return ended(k.t, cmd)
}

// TestCheckerKilledAnywhere kills the checker 200 times in the middle of passes that tell
// Slack: nothing is lost, nothing is told twice, and its memory is whole.
func TestCheckerKilledAnywhere(t *testing.T) {
	k := newKilledChecker(t)
	k.clean(1)
	k.open("sqlite", filepath.Join(k.state(), "checker.db"))
	k.kill(200)
	k.check()
	if answer := k.asked(`PRAGMA integrity_check`); answer != "ok" {
		t.Errorf("the database: %s", answer)
	}
}

// TestCheckerKilledAnywhereOnPostgres is the same where the turn of a dead checker ends
// by time alone.
func TestCheckerKilledAnywhereOnPostgres(t *testing.T) {
	url := dbtest.Postgres(t)
	k := newKilledChecker(t, "OUTRIDER_LEDGER="+url)
	k.clean(1)
	k.open("pgx", url+"&search_path=outrider")
	k.expire = func() {
		if _, err := k.db.Exec(`UPDATE outrider_checker_meta SET until = 1`); err != nil {
			t.Fatal(err)
		}
	}
	k.kill(30)
	k.check()
}
