package client_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

// aStart asks for the attempt of the recorded answers.
func aStart() client.StartRequest {
	return client.StartRequest{Workflow: "49", SessionTime: at("2026-11-21T10:00:00+09:00")}
}

func TestStartBody(t *testing.T) {
	odd := map[string]any{"q": `"'$x ${y}`, "line": "a\nb", "unicode": "日本 🚀", "long": strings.Repeat("x", 300<<10), "number": json.Number("12345678901234567890")}
	for name, c := range map[string]struct {
		change func(*client.StartRequest)
		want   map[string]any
	}{
		"the least":   {func(*client.StartRequest) {}, map[string]any{"params": map[string]any{}}},
		"a nil map":   {func(r *client.StartRequest) { r.Params = map[string]any(nil) }, map[string]any{"params": map[string]any{}}},
		"odd params":  {func(r *client.StartRequest) { r.Params = odd }, map[string]any{"params": odd}},
		"a retry":     {func(r *client.StartRequest) { r.RetryAttemptName = "again" }, map[string]any{"params": map[string]any{}, "retryAttemptName": "again"}},
		"resume":      {func(r *client.StartRequest) { r.Resume = &client.Resume{Attempt: "7"} }, map[string]any{"params": map[string]any{}, "resume": map[string]any{"mode": "failed", "attemptId": "7"}}},
		"resume from": {func(r *client.StartRequest) { r.Resume = &client.Resume{Attempt: "7", From: "+load"} }, map[string]any{"params": map[string]any{}, "resume": map[string]any{"mode": "from", "attemptId": "7", "from": "+load"}}},
		"a fraction":  {func(r *client.StartRequest) { r.SessionTime = r.SessionTime.Add(999 * time.Millisecond) }, map[string]any{"params": map[string]any{}}},
	} {
		f := serve(t, recorded(t, "attempt_retried"))
		r := aStart()
		c.change(&r)
		s, err := ask(t, f).Start(t.Context(), r)
		if err != nil || s.Existed || s.Unsure || s.Attempt.ID != "34" {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		sent := f.all()[0]
		var body map[string]any
		d := json.NewDecoder(strings.NewReader(sent.Body))
		d.UseNumber()
		if err := d.Decode(&body); err != nil {
			t.Fatal(err)
		}
		c.want["workflowId"], c.want["sessionTime"] = "49", "2026-11-21T01:00:00Z"
		if !reflect.DeepEqual(body, c.want) || sent.Method != "PUT" || sent.URI != "/api/attempts" || sent.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: sent %s %s %.200s", name, sent.Method, sent.URI, sent.Body)
		}
	}
	for says, params := range map[string]any{"the params are no JSON object": []int{1}, "cannot be written as JSON": map[string]any{"x": make(chan int)}} {
		f := serve(t, reply{})
		r := aStart()
		r.Params = params
		if _, err := ask(t, f).Start(t.Context(), r); err == nil || !strings.Contains(err.Error(), says) || len(f.all()) > 0 {
			t.Errorf("%v, %v; want %s", err, f.lines(), says)
		}
	}
}

// TestStartOfWhatExists: a 409 with an attempt is an answer, one with a message is not.
func TestStartOfWhatExists(t *testing.T) {
	exists := recorded(t, "error_409_attempt_exists")
	s, err := ask(t, serve(t, exists)).Start(t.Context(), aStart())
	if err != nil || !s.Existed || s.Unsure || s.Attempt.ID != "32" || s.Attempt.State() != client.Failed {
		t.Errorf("%+v, %v", s, err)
	}
	f := serve(t, cut(""), reply{status: 503}, exists)
	if s, err = ask(t, f).Start(t.Context(), aStart()); err != nil || !s.Existed || !s.Unsure || len(f.all()) != 3 {
		t.Errorf("after a cut connection: %+v, %v, %v", s, err, f.lines())
	}
	var e *client.Error
	for name, r := range map[string]reply{
		client.CodeConflict:  {status: 409, body: `{"message":"Session attempt conflicts","status":409}`},
		client.CodeBadAnswer: {status: 409},
		client.CodeNotFound:  {status: 404, body: `{"message":"Resource does not exist: workflow id=99999","status":404}`},
	} {
		s, err := ask(t, serve(t, r)).Start(t.Context(), aStart())
		if !errors.As(err, &e) || e.Code != name || s.Existed {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestKill(t *testing.T) {
	flagged, done, queued := recorded(t, "attempt_cancelling"), recorded(t, "attempt_killed"), recorded(t, "attempt_queued_backfill")
	before, over := recorded(t, "attempt_kill_200_body"), recorded(t, "error_409_kill_done")
	for name, c := range map[string]struct {
		replies                      []reply
		accepted, cancelling, isDone bool
	}{
		"one that runs":            {[]reply{before, flagged}, true, true, false},
		"one that is done":         {[]reply{over, done}, false, true, true},
		"one that waits":           {[]reply{recorded(t, "error_409_kill_queued_backfill"), queued}, false, false, false},
		"with a cut connection":    {[]reply{cut(""), before, flagged}, true, true, false},
		"which ended it meanwhile": {[]reply{cut(""), over, done}, true, true, true},
	} {
		f := serve(t, c.replies...)
		got, err := ask(t, f).Kill(t.Context(), "7")
		if err != nil || got.Accepted != c.accepted || got.Attempt.CancelRequested != c.cancelling || got.Attempt.Done != c.isDone {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		first, last := f.all()[0], f.lines()[len(c.replies)-1]
		if first.Method+" "+first.URI != "POST /api/attempts/7/kill" || first.Body != "{}" || last != "GET /api/attempts/7" {
			t.Errorf("%s: sent %v %q", name, f.lines(), first.Body)
		}
	}
	_, err := ask(t, serve(t, recorded(t, "error_404_attempt"))).Kill(t.Context(), "999999")
	var e *client.Error
	if !errors.As(err, &e) || e.Code != client.CodeNotFound {
		t.Errorf("kill of none: %v", err)
	}
}

// TestWhatIsDoneOnceOnly: a backfill or skip that may have been begun is not sent
// again; that it was turned away, or not sent, is known.
func TestWhatIsDoneOnceOnly(t *testing.T) {
	backfill := func(c *client.Client) error {
		_, err := c.Backfill(t.Context(), "2", client.BackfillRequest{FromTime: at("2026-11-11T00:00:00+09:00"), AttemptName: "bf1"})
		return err
	}
	skip := func(c *client.Client) error {
		_, err := c.Skip(t.Context(), "2", client.SkipRequest{NextTime: at("2026-12-01T00:00:00Z")})
		return err
	}
	for name, do := range map[string]func(*client.Client) error{"backfill": backfill, "skip": skip} {
		good := recorded(t, map[string]string{"backfill": "schedule_backfill", "skip": "schedule_skip"}[name])
		for _, trouble := range []reply{cut(""), {status: 500}, {status: 503}, {status: 408}} {
			f := serve(t, trouble, good)
			var e *client.Error
			if err := do(ask(t, f)); !errors.As(err, &e) || !e.Sent || len(f.all()) != 1 {
				t.Errorf("%s after %d: %v, %d requests", name, trouble.status, err, len(f.all()))
			}
		}
		f := serve(t, reply{status: 429}, good)
		if err := do(ask(t, f)); err != nil || len(f.all()) != 2 {
			t.Errorf("%s after 429: %v, %d requests", name, err, len(f.all()))
		}
		f = serve(t, good)
		if err := do(newClient(t, client.Options{Endpoints: []string{dead(), f.URL}})); err != nil || len(f.all()) != 1 {
			t.Errorf("%s after a dead endpoint: %v", name, err)
		}
	}
}

func TestScheduleBodies(t *testing.T) {
	summary, ctx := recorded(t, "schedule_disable"), t.Context()
	f := serve(t, summary)
	c := ask(t, f)
	next, from := at("2026-12-01T09:00:00+09:00"), at("2026-11-20T00:00:00Z")
	one, errOne := c.Disable(ctx, "2")
	_, errTwo := c.Enable(ctx, "2", client.EnableRequest{})
	_, errThree := c.Enable(ctx, "2", client.EnableRequest{Skip: true, SkipTo: next})
	_, errFour := c.Skip(ctx, "2", client.SkipRequest{NextTime: next, NextRunTime: next.Add(time.Hour)})
	_, errFive := c.Skip(ctx, "2", client.SkipRequest{Count: 3, FromTime: from, DryRun: true})
	if err := errors.Join(errOne, errTwo, errThree, errFour, errFive); err != nil || one.DisabledAt.IsZero() {
		t.Fatal(one, err)
	}
	_, err := c.Backfill(ctx, "2", client.BackfillRequest{FromTime: from, AttemptName: "bf", Count: 2})
	if err != nil { // a summary is no collection, but has an id
		t.Fatal(err)
	}
	var got []string
	for _, r := range f.all() {
		got = append(got, r.URI[len("/api/schedules/2/"):]+" "+r.Body)
	}
	if want := []string{
		`disable {}`,
		`enable {"skipSchedule":false}`,
		`enable {"skipSchedule":true,"nextTime":"2026-12-01T00:00:00Z"}`,
		`skip {"nextTime":"2026-12-01T00:00:00Z","nextRunTime":"2026-12-01T01:00:00Z","dryRun":false}`,
		`skip {"count":3,"fromTime":"2026-11-20T00:00:00Z","dryRun":true}`,
		`backfill {"fromTime":"2026-11-20T00:00:00Z","attemptName":"bf","count":2,"dryRun":false}`,
	}; !slices.Equal(got, want) {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	b, err := ask(t, serve(t, recorded(t, "schedule_backfill"))).Backfill(ctx, "2", client.BackfillRequest{FromTime: from, AttemptName: "bf1"})
	if err != nil || len(b.Attempts) != 3 || b.Attempts[0].ID != "29" || b.Workflow.Name != "daily" {
		t.Errorf("a backfill: %+v, %v", b, err)
	}
}
