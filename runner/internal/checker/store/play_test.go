package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

// A play is a life of sources that is the same whoever makes its passes: what the sources
// say in the nth is a function of n, and n is their cursor.

const playSources = 4

// playTime is when pass n is made: seldom enough that nothing flaps.
func playTime(n int) time.Time { return at(float64(5 * n)) }

// quietTime is for how many passes it plays on when all is well.
const quietTime = 5

// scene is what the sources say in pass n. From last on all is well.
func scene(n, last int) (reports []checker.Report) {
	for i := range playSources {
		s := observe.Snapshot{Engine: "digdag", At: playTime(n)}
		for part := range 2 {
			bad := (n+3*i)%(10+i) < 5+2*part && n < last
			s.Health = append(s.Health, observe.Health{Name: fmt.Sprint("part", part), OK: !bad})
		}
		reports = append(reports, checker.Report{Source: fmt.Sprint("s", i), Snapshot: s})
	}
	return reports
}

func playConfig() (checker.Config, error) {
	set, err := rule.NewSet(nil)
	return checker.Config{Rules: set}, err
}

// played are the events of the first n passes, by incident.
func played(n, last int) (map[string][]alert.Event, error) {
	config, err := playConfig()
	if err != nil {
		return nil, err
	}
	var state checker.State
	by := map[string][]alert.Event{}
	for i := range n {
		r := checker.Pass(state, scene(i, last), config, playTime(i))
		state = r.State
		for _, e := range r.Events {
			by[e.Incident] = append(by[e.Incident], e)
		}
	}
	return by, nil
}

// position is the pass that comes next.
func position(l Loaded) int {
	n, _ := strconv.Atoi(string(l.Cursors["s0"])) // none yet is 0
	return n
}

// play makes the next pass and tells what is due.
func play(ctx context.Context, s *Store, ttl time.Duration, last int, send func(Row) (sure bool, err error)) (n int, err error) {
	config, err := playConfig()
	if err != nil {
		return 0, err
	}
	turn, ok, err := s.Begin(ctx, ttl)
	if err != nil || !ok {
		return 0, errors.Join(err, errBusy)
	}
	defer func() { err = errors.Join(err, turn.End(ctx)) }()
	l, err := s.Load(ctx)
	if err != nil {
		return 0, err
	}
	n = position(l)
	now := playTime(n)
	p := Passed{Before: l.State, Result: checker.Pass(l.State, scene(n, last), config, now), Cursors: map[string]json.RawMessage{}, At: now}
	p.Events = p.Result.Events
	for i := range playSources {
		p.Cursors[fmt.Sprint("s", i)] = json.RawMessage(strconv.Itoa(n + 1))
	}
	if err := s.Commit(ctx, turn, p); err != nil {
		return n, err
	}
	rows, err := s.Due(ctx, alert.Console, now, 0)
	if err != nil {
		return n, err
	}
	for _, r := range rows {
		if err := s.Sending(ctx, r.ID); err != nil {
			return n, err
		}
		if sure, err := send(r); err != nil {
			if err := s.Retry(ctx, r.ID, err.Error(), now, sure); err != nil {
				return n, err
			}
			continue
		}
		if err := s.Sent(ctx, r.ID, json.RawMessage(`{}`), now); err != nil {
			return n, err
		}
	}
	return n, s.Finish(ctx, turn, Last{At: now, Complete: true})
}

var errBusy = errors.New("it is another's turn")

// message is what a receiver gets.
type message struct {
	Incident string          `json:"incident"`
	Seq      int             `json:"seq"`
	Kind     alert.EventKind `json:"kind"`
	Merged   bool            `json:"merged"`
	Doubt    bool            `json:"doubt"`
}

// post tells a receiver at a URL. It is sure that nobody was told when there is an answer
// that says so.
func post(url string, r Row) (sure bool, err error) {
	data, err := json.Marshal(message{r.Incident, r.Event.Seq, r.Event.Kind, r.Event.Merged, r.Doubt})
	if err != nil {
		return true, err
	}
	answer, err := http.Post(url, "application/json", bytes.NewReader(data))
	if err != nil {
		return false, err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return true, errors.New(answer.Status)
	}
	return false, nil
}

// childPlay plays on, with a pass and its messages again and again: URL of the store, URL
// of the receiver, the last pass; until all of it is told.
func childPlay(args []string) error {
	ctx := context.Background()
	last, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	s, err := Open(ctx, args[0])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		n, err := play(ctx, s, 30*time.Second, last, func(r Row) (bool, error) { return post(args[1], r) })
		if errors.Is(err, errBusy) {
			time.Sleep(time.Millisecond) // nothing tells when it is free
			continue
		}
		if err != nil {
			return err
		}
		if n <= last+quietTime {
			continue
		}
		waiting, err := s.Backlog(ctx)
		if err != nil || len(waiting) == 0 {
			return errors.Join(err, s.Close())
		}
	}
}
