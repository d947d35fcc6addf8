package digdagtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scheduled is a schedule as the server shows it.
type scheduled struct {
	ID                            string
	Project, Workflow             struct{ ID, Name string }
	NextRunTime, NextScheduleTime time.Time
	DisabledAt                    *time.Time
}

// schedulesOf lists those of a project by the name of their workflow.
func schedulesOf(t *testing.T, s *Tester, project string) map[string]scheduled {
	t.Helper()
	var answer struct{ Schedules []scheduled }
	if err := s.Get(s.Context(), "/api/projects/"+project+"/schedules", &answer); err != nil {
		t.Fatal(err)
	}
	byName := map[string]scheduled{}
	for _, x := range answer.Schedules {
		byName[x.Workflow.Name] = x
	}
	return byName
}

// scheduleOf pushes a workflow of that schedule, which does not run by itself.
func scheduleOf(t *testing.T, s *Tester, dig string) scheduled {
	t.Helper()
	project := s.Push(Files{"w.dig": dig})
	w, err := s.Workflow(s.Context(), project, "w")
	if err != nil {
		t.Fatal(err)
	}
	x := schedulesOf(t, s, w.Project.ID)["w"]
	if err := s.Send(s.Context(), http.MethodPost, "/api/schedules/"+x.ID+"/disable", nil, nil); err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSkippedSchedule(t *testing.T) {
	s := onShared(t)
	x := scheduleOf(t, s, "timezone: Asia/Tokyo\nschedule: {daily>: '07:00:00'}\n+a: {echo>: a}\n")
	skip := func(body map[string]any) (after scheduled, err error) {
		err = s.Send(s.Context(), http.MethodPost, "/api/schedules/"+x.ID+"/skip", body, &after)
		return after, err
	}
	next := x.NextScheduleTime
	day := func(n int) time.Time { return next.AddDate(0, 0, n) }
	local := day(5).Format("2006-01-02T15:04:05") // in the zone of the workflow
	for _, c := range []struct {
		name  string
		body  map[string]any
		slot  time.Time
		delay time.Duration
	}{
		{"dry", map[string]any{"nextTime": day(9), "dryRun": true}, day(9), 7 * time.Hour},
		{"to a time", map[string]any{"nextTime": day(1).Add(8 * time.Hour), "dryRun": false}, day(2), 7 * time.Hour},
		{"to a local time", map[string]any{"nextTime": local, "dryRun": false}, day(5), 7 * time.Hour},
		{"by count", map[string]any{"fromTime": day(5), "count": 2, "dryRun": false}, day(7), 7 * time.Hour},
		{"with a time to run", map[string]any{"nextTime": day(8), "nextRunTime": day(8).Add(time.Hour), "dryRun": false}, day(8), time.Hour},
	} {
		after, err := skip(c.body)
		if err != nil || !after.NextScheduleTime.Equal(c.slot) || after.NextRunTime.Sub(after.NextScheduleTime) != c.delay || after.ID != x.ID {
			t.Errorf("%s: %+v, %v; want %v", c.name, after, err, c.slot)
		}
	}
	if after := schedulesOf(t, s, x.Project.ID)["w"]; !after.NextScheduleTime.Equal(day(8)) {
		t.Errorf("after all: %+v", after)
	}
	for want, body := range map[string]map[string]any{
		`409: {"message":"Specified time to skip schedules is already past","status":409}`: {"nextTime": day(3), "dryRun": false},
		`required attributes are not set [dryRun]`:                                         {"nextTime": day(9)},
		`nextTime or (fromTime and count) are required`:                                    {"count": 1, "dryRun": false},
	} {
		if _, err := skip(body); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v\nwant %s", body, err, want)
		}
	}
	var on scheduled
	if err := s.Send(s.Context(), http.MethodPost, "/api/schedules/"+x.ID+"/enable", map[string]any{"skipSchedule": true, "nextTime": day(20)}, &on); err != nil ||
		on.DisabledAt != nil || !on.NextScheduleTime.Equal(day(20)) {
		t.Errorf("enabled with a skip: %+v, %v", on, err)
	}
	// A push makes nothing of what was skipped.
	s.Push(Files{"w.dig": "timezone: Asia/Tokyo\nschedule: {daily>: '07:00:00'}\n+b: {echo>: b}\n"})
	if after := schedulesOf(t, s, x.Project.ID)["w"]; !after.NextScheduleTime.Equal(next) || after.ID != x.ID {
		t.Errorf("after a push: %+v, want %v", after, next)
	}
}

func TestBackfill(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	command, release := waiting(dir)
	x := scheduleOf(t, s, fmt.Sprintf("timezone: Asia/Tokyo\nschedule: {daily>: '07:00:00'}\nsla: {duration: '00:00:01'}\n+a: {sh>: '%s'}\n+b: {echo>: '${last_executed_session_time}'}\n", command))
	first := x.NextScheduleTime.AddDate(0, 0, -9)
	backfill := func(body map[string]any) (attempts []Attempt, err error) {
		var answer struct {
			ID                string
			Project, Workflow struct{ ID, Name string }
			Attempts          []Attempt
		}
		if err = s.Send(s.Context(), http.MethodPost, "/api/schedules/"+x.ID+"/backfill", body, &answer); err == nil &&
			(answer.ID != x.ID || answer.Project != x.Project || answer.Workflow.Name != "w") {
			t.Errorf("%+v", answer)
		}
		return answer.Attempts, err
	}
	dry, err := backfill(map[string]any{"fromTime": first, "attemptName": "again", "dryRun": true})
	if err != nil || len(dry) != 9 || dry[0].ID != "0" || !dry[0].SessionTime.Equal(first) || dry[0].Status != "running" {
		t.Errorf("dry: %d %+v, %v", len(dry), dry, err)
	}
	got, err := backfill(map[string]any{"fromTime": first.Add(-3 * time.Hour), "attemptName": "again", "dryRun": false, "count": 3})
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, a := range got {
		if !a.SessionTime.Equal(first.AddDate(0, 0, i)) || *a.RetryAttemptName != "again" || a.Done || a.Status != "running" || a.Index != 1 {
			t.Errorf("%+v", a)
		}
	}
	if p := got[0].Params; p["last_session_time"] != first.AddDate(0, 0, -1).Format(time.RFC3339) || p["last_executed_session_time"] != nil {
		t.Errorf("the first one's %v", p)
	}
	if p := got[2].Params; p["next_session_time"] != first.AddDate(0, 0, 3).Format(time.RFC3339) || p["last_executed_session_time"] != first.AddDate(0, 0, 1).Format(time.RFC3339) {
		t.Errorf("the last one's %v", p)
	}
	s.Until(got[0].ID, "+w+a", "running")
	// The next one waits for it, without tasks, and cannot be killed.
	if tasks, err := s.Tasks(s.Context(), got[1].ID); err != nil || len(tasks) != 0 {
		t.Errorf("%+v, %v", tasks, err)
	}
	if err := s.Kill(s.Context(), got[1].ID); status(err) != http.StatusConflict || !strings.Contains(err.Error(), `{"message":"Session attempt already killed or finished","status":409}`) {
		t.Errorf("kill of a queued attempt: %v", err)
	}
	for want, body := range map[string]map[string]any{
		`attempt name=again already exists`:                                            {"fromTime": first, "attemptName": "again", "dryRun": false},
		`count is set to 5 but there are only 1 attempts until the next schedule time`: {"fromTime": first.AddDate(0, 0, 8), "count": 5, "attemptName": "n", "dryRun": false},
		`required attributes are not set [attemptName]`:                                {"fromTime": first, "dryRun": false},
		`Too many attempts running. Limit: 100, Current: 100`:                          {"fromTime": first.AddDate(-1, 0, 0), "attemptName": "year", "dryRun": false},
	} {
		if _, err := backfill(body); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v\nwant %s", body, err, want)
		}
	}
	release(t)
	for _, a := range got {
		r := s.Wait(a.ID) // no ^sla: it is not for backfills
		expect(t, r, "success", "+w success", "+w+a success", "+w+b success")
	}
}

func TestTruncatedSessionTime(t *testing.T) {
	s := onShared(t)
	schedules := map[string]string{
		"plain": "", "daily": "daily>: '07:00:00'", "hourly": "hourly>: '30:00'", "minutes": "minutes_interval>: 25",
		"cron": "cron>: '30 9 * * 1-5'", "both": "cron>: '0 0 13 * 5'", "month": "monthly>: 1,09:00:00", "week": "weekly>: Sun,09:00:00", "seven": "cron>: '5,20 */6 * jan-mar 0'",
		"begins": "daily>: '07:00:00'\n  start: 2026-05-01", "ended": "daily>: '07:00:00'\n  end: 2026-03-01", "seconds": "seconds_interval>: 7",
	}
	files := Files{}
	for name, schedule := range schedules {
		files[name+".dig"] = "timezone: America/New_York\n+a: {echo>: a}\n"
		if schedule != "" {
			files[name+".dig"] += "schedule:\n  " + schedule + "\n"
		}
	}
	project := s.Push(files)
	for _, c := range []struct{ workflow, mode, at, want string }{
		{"plain", "day", "2026-03-08T12:34:56Z", "2026-03-08T00:00:00-05:00"}, // in EDT since an hour
		{"plain", "hour", "2026-03-08T12:34:56Z", "2026-03-08T08:00:00-04:00"},
		{"plain", "", "2026-03-08T12:34:56", "2026-03-08T12:34:56-04:00"},
		{"daily", "schedule", "2026-03-07T12:34:56Z", "2026-03-08T00:00:00-05:00"},
		{"daily", "schedule", "2026-03-07T11:34:56Z", "2026-03-07T00:00:00-05:00"},
		{"daily", "next_schedule", "2026-03-08T05:00:00Z", "2026-03-09T00:00:00-04:00"},
		{"hourly", "schedule", "2026-03-07T12:30:00Z", "2026-03-07T07:00:00-05:00"},
		{"hourly", "next_schedule", "2026-03-08T06:00:00Z", "2026-03-08T03:00:00-04:00"},
		{"minutes", "next_schedule", "2026-03-07T12:50:00Z", "2026-03-07T08:00:00-05:00"},
		{"minutes", "schedule", "2026-03-07T12:50:00Z", "2026-03-07T07:50:00-05:00"},
		{"minutes", "schedule", "2026-03-07T12:50:01Z", "2026-03-07T08:00:00-05:00"},
		{"cron", "next_schedule", "2026-03-06T15:00:00Z", "2026-03-09T09:30:00-04:00"},
		{"both", "schedule", "2026-01-01T00:00:00Z", "2026-02-13T00:00:00-05:00"},
		{"month", "next_schedule", "2026-03-06T15:00:00Z", "2026-04-01T00:00:00-04:00"},
		{"week", "next_schedule", "2026-03-06T15:00:00Z", "2026-03-08T00:00:00-05:00"},
		{"seven", "next_schedule", "2026-03-29T22:00:00Z", "2026-03-29T18:05:00-04:00"},
		{"seven", "next_schedule", "2026-03-29T22:20:00Z", "2027-01-03T00:05:00-05:00"},
		{"begins", "next_schedule", "2026-03-06T15:00:00Z", "2026-05-01T00:00:00-04:00"},
		{"ended", "next_schedule", "2026-03-06T15:00:00Z", "9998-12-31T19:00:00-05:00"},
		{"seconds", "next_schedule", "2026-03-06T15:00:00Z", "2026-03-06T10:00:06-05:00"},
	} {
		w, err := s.Workflow(s.Context(), project, c.workflow)
		if err != nil {
			t.Fatal(err)
		}
		q := url.Values{"session_time": {c.at}}
		if c.mode != "" {
			q.Set("mode", c.mode)
		}
		var got struct {
			SessionTime, Timezone, Revision string
			Project                         struct{ ID, Name string }
		}
		err = s.Get(s.Context(), "/api/workflows/"+w.ID+"/truncated_session_time?"+q.Encode(), &got)
		if err != nil || got.SessionTime != c.want || got.Timezone != "America/New_York" || got.Project.Name != project || got.Revision != w.Revision {
			t.Errorf("%s %s %s: %+v, %v; want %s", c.workflow, c.mode, c.at, got, err, c.want)
		}
	}
	w, err := s.Workflow(s.Context(), project, "plain")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"mode=day": 400, "session_time=x": 404, "session_time=2026-01-01T00:00:00Z&mode=minute": 404, "session_time=2026-01-01T00:00:00Z&mode=schedule": 400} {
		if got, body := call(t, s, "GET", "/api/workflows/"+w.ID+"/truncated_session_time?"+query, "", nil); got != want {
			t.Errorf("%s: %d %s, want %d", query, got, body, want)
		}
	}
}

// pushFrom pushes one workflow with the time from which its schedule counts.
func pushFrom(t *testing.T, s *Tester, dig string, from time.Time) (project string) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "w.dig", dig)
	archive, err := Archive(dir)
	if err != nil {
		t.Fatal(err)
	}
	var p Project
	q := url.Values{"project": {"from-" + rand.Text()}, "revision": {"r"}, "schedule_from": {from.UTC().Format(time.RFC3339)}}
	if err := s.client.do(s.Context(), http.MethodPut, "/api/projects?"+q.Encode(), "application/gzip", archive, &p); err != nil {
		t.Fatal(err)
	}
	return p.ID
}

func attemptsOf(t *testing.T, s *Tester, project string) []Attempt {
	t.Helper()
	var p Project
	var page struct{ Attempts []Attempt }
	if err := s.Get(s.Context(), "/api/projects/"+project, &p); err != nil {
		t.Fatal(err)
	}
	if err := s.Get(s.Context(), "/api/attempts?include_retried=true&project="+p.Name, &page); err != nil {
		t.Fatal(err)
	}
	return page.Attempts
}

// untilFuture waits until a schedule has caught up with the clock.
func untilFuture(t *testing.T, s *Tester, project string) scheduled {
	t.Helper()
	var x scheduled
	err := poll(s.Context(), 20*time.Millisecond, func() (bool, error) {
		x = schedulesOf(t, s, project)["w"]
		return x.NextRunTime.After(time.Now()), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// What was due while nobody looked starts all at once, but for what is too late.
func TestSchedulesThatCatchUp(t *testing.T) {
	s := onShared(t)
	past := time.Now().Add(-30 * time.Minute).Truncate(10 * time.Minute)
	all := pushFrom(t, s, "schedule: {minutes_interval>: 10}\n+a: {echo>: '${last_executed_session_time}'}\n", past)
	none := pushFrom(t, s, "schedule: {minutes_interval>: 10, skip_delayed_by: 1m}\n+a: {echo>: a}\n", past)
	untilFuture(t, s, all)
	untilFuture(t, s, none)
	got := attemptsOf(t, s, all)
	if len(got) < 4 || len(got) > 5 {
		t.Fatalf("%d sessions were caught up", len(got))
	}
	slices.Reverse(got)
	for i, a := range got {
		if r := s.Wait(a.ID); !r.SessionTime.Equal(past.Add(time.Duration(i)*10*time.Minute)) || !r.Success {
			t.Errorf("%d: %+v", i, a)
		}
	}
	want := got[0].SessionTime.UTC().Format("2006-01-02T15:04:05+00:00")
	if text := s.Result(got[1]).Output("+w+a"); text != want {
		t.Errorf("the second one's last was %q, want %q", text, want)
	}
	if late := attemptsOf(t, s, none); len(late) > 1 { // one may have come in time
		t.Errorf("too late: %+v", late)
	}
}

func TestSkipOnOvertime(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	command, release := waiting(dir)
	project := pushFrom(t, s, fmt.Sprintf("schedule: {seconds_interval>: 1, skip_on_overtime: true}\n+a: {sh>: '%s'}\n", command), time.Now())
	s.AwaitFile(dir + "/started")
	before := schedulesOf(t, s, project)["w"]
	if err := poll(s.Context(), 20*time.Millisecond, func() (bool, error) {
		return schedulesOf(t, s, project)["w"].NextScheduleTime.After(before.NextScheduleTime.Add(2 * time.Second)), nil
	}); err != nil {
		t.Fatal(err)
	}
	got := attemptsOf(t, s, project)
	if err := s.Send(s.Context(), http.MethodPost, "/api/schedules/"+before.ID+"/disable", nil, nil); err != nil {
		t.Fatal(err)
	}
	release(t)
	if len(got) != 1 {
		t.Errorf("%d attempts ran at a time: %+v", len(got), got)
	}
	for _, a := range attemptsOf(t, s, project) {
		s.Wait(a.ID)
	}
}

func TestSchedulesThatAreRefused(t *testing.T) {
	s := onShared(t)
	for schedule, want := range map[string]string{
		"{nosuch>: 1}":                                             "Unknown scheduler type: nosuch",
		"{daily>: noon}":                                           "scheduler requires hh:mm:ss format: noon",
		"{daily>: '07:00:00', nosuch: 1}":                          "Parameter 'nosuch' is not used at schedule.",
		"{daily>: '07:00:00', start: 2026-99-01}":                  "start",
		"{cron>: '* * * * *', delay: 5}":                           "Parameter 'delay' is not used at schedule.",
		"{skip_on_overtime: true}":                                 "Schedule config requires 'type>: at' parameter",
		"{daily>: '07:00:00', start: 2026-02-01, end: 2026-01-01}": "The schedule of end is earlier than start",
	} {
		dir := t.TempDir()
		writeFile(t, dir, "w.dig", "schedule: "+schedule+"\n+a: {echo>: a}\n")
		if _, err := s.Server.Push(s.Context(), "refused-"+rand.Text(), dir); status(err) != 400 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", schedule, err, want)
		}
	}
}

func TestWorkflowsOfAllProjects(t *testing.T) {
	s, tag := onShared(t), strings.ToLower(rand.Text())
	project := s.Push(Files{"a" + tag + ".dig": "+a: {echo>: a}\n", "b.dig": "+a: {echo>: a}\n"})
	for query, want := range map[string][]string{
		"name_pattern=" + tag: {"a" + tag}, "name_pattern=" + project: {},
		"search_project_name=true&name_pattern=" + project:            {"a" + tag, "b"},
		"search_project_name=true&order=desc&name_pattern=" + project: {"a" + tag, "b"},
	} {
		var answer struct{ Workflows []Workflow }
		if err := s.Get(s.Context(), "/api/workflows?"+query, &answer); err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for i, w := range answer.Workflows {
			names = append(names, w.Name)
			if i > 0 && (number(t, w.ID) < number(t, answer.Workflows[i-1].ID)) != strings.Contains(query, "order=desc") {
				t.Errorf("%s: out of order: %+v", query, answer.Workflows)
			}
		}
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Errorf("%s: %v, want %v", query, names, want)
		}
	}
}

func number(t *testing.T, id string) int {
	t.Helper()
	n, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
