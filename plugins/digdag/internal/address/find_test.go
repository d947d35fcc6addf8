package address_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
)

// digdag is a server with one project, etl, of one workflow, daily, in Berlin. The
// session of id n was made after those before it, an hour after its time at the
// earliest, by attempt 100+n.
type digdag struct {
	zone     *time.Location
	sessions map[int]string // id: time
}

func (d *digdag) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", "application/json")
	const named = `"project":{"id":"1","name":"etl"},"workflow":{"id":"5","name":"daily"}`
	session := func(id int) string {
		t := at(d.sessions[id])
		made := t
		for earlier := 1; earlier < id; earlier++ {
			if other := at(d.sessions[earlier]); other.After(made) {
				made = other
			}
		}
		return fmt.Sprintf(`{"id":"%d",%s,"sessionTime":%q,"lastAttempt":{"id":"%d","done":true,"success":true,"createdAt":%q}}`,
			id, named, t.In(d.zone).Format(time.RFC3339), 100+id, made.Add(time.Hour).UTC().Format(time.RFC3339))
	}
	none := func() {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"Resource does not exist","status":404}`)
	}
	workflow := `{"id":"5","name":"daily","project":{"id":"1","name":"etl"},"timezone":"Europe/Berlin","config":{}}`
	var id int
	switch path := r.URL.Path; {
	case path == "/api/projects":
		project := `{"id":"1","name":"etl"}`
		if q.Has("name") && q.Get("name") != "etl" {
			project = ""
		} else if !q.Has("name") {
			project += `,{"id":"2","name":"etl_b"}`
		}
		fmt.Fprintf(w, `{"projects":[%s]}`, project)
	case path == "/api/projects/1/workflows":
		if q.Has("name") && q.Get("name") != "daily" {
			workflow = ""
		}
		fmt.Fprintf(w, `{"workflows":[%s]}`, workflow)
	case path == "/api/workflows/5/truncated_session_time":
		t, err := time.Parse(time.RFC3339, q.Get("session_time"))
		if err != nil {
			if t, err = time.ParseInLocation("2006-01-02T15:04:05", q.Get("session_time"), d.zone); err != nil {
				panic(err)
			}
		}
		if t = t.In(d.zone); q.Get("mode") == "day" {
			t = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, d.zone)
		}
		fmt.Fprintf(w, `{"project":{"id":"1","name":"etl"},"revision":"r","sessionTime":%q,"timezone":"Europe/Berlin"}`, t.Format(time.RFC3339))
	case path == "/api/projects/1/sessions":
		var list []string
		if q.Get("workflow") == "daily" {
			for id := len(d.sessions); id > 0; id-- {
				list = append(list, session(id))
			}
		}
		if q.Get("page_size") == "1" {
			list = list[:min(1, len(list))]
		}
		fmt.Fprintf(w, `{"sessions":[%s]}`, strings.Join(list, ","))
	case scan(path, "/api/sessions/%d", &id) && d.sessions[id] != "":
		fmt.Fprint(w, session(id))
	case path == "/api/attempts/3":
		fmt.Fprint(w, `{"id":"3","project":{"id":"9","name":"other"},"workflow":{"id":"8","name":"w"},"sessionId":"3","sessionTime":"2026-01-01T00:00:00Z"}`)
	case scan(path, "/api/attempts/%d", &id) && d.sessions[id-100] != "":
		fmt.Fprintf(w, `{"id":"%d",%s,"sessionId":"%d","sessionTime":%q}`, id, named, id-100, d.sessions[id-100])
	default:
		none()
	}
}

func scan(path, form string, id *int) bool {
	_, err := fmt.Sscanf(path, form, id)
	return err == nil
}

func serve(t *testing.T, sessions ...string) *client.Client {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	d := &digdag{zone: zone, sessions: map[int]string{}}
	for i, s := range sessions {
		d.sessions[i+1] = s
	}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	c, err := client.New(client.Options{Endpoints: []string{s.URL}, Retry: client.Retry{Tries: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestFind: DST begins in Berlin on 2026-03-29 (23 h) and ends on 2026-10-25 (25 h).
func TestFind(t *testing.T) {
	c := serve(t,
		"2026-03-28T00:00:00+01:00", // 1
		"2026-03-29T00:00:00+01:00", // 2: the next day begins 23 h later
		"2026-03-30T00:00:00+02:00", // 3
		"2026-10-25T02:30:00+02:00", // 4: that time comes twice
		"2026-10-25T02:30:00+01:00", // 5
		"2026-10-25T23:30:00+01:00", // 6: the 25th hour
		"2026-03-28T12:00:00+01:00", // 7: a backfill of half a day
	)
	for text, want := range map[string]struct {
		now      string
		attempt  client.ID
		requests int
	}{
		"etl/daily":                           {"2026-03-29T10:00:00Z", "107", 3},
		"etl/daily@latest":                    {"2026-03-29T10:00:00Z", "107", 3},
		"etl/daily@today":                     {"2026-03-29T21:59:59Z", "102", 6},
		"etl/daily@2026-03-29":                {"", "102", 6},
		"etl/daily@2026-03-30":                {"", "103", 6},
		"etl/daily@2026-03-28":                {"", "107", 6},
		"etl/daily@2026-10-25":                {"", "106", 6},
		"etl/daily@2026-10-25T02:30:00+02:00": {"", "104", 3},
		"etl/daily@2026-10-25T01:30:00Z":      {"", "105", 3},
		"etl/daily@2026-03-29T00:00:00":       {"", "102", 5},
		"etl/daily@103":                       {"", "103", 1},
		"etl/daily@3":                         {"", "103", 3}, // attempt 3 is another workflow's
		"etl/daily@7":                         {"", "107", 3},
	} {
		now := time.Now()
		if want.now != "" {
			now = at(want.now)
		}
		a, err := address.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		before := c.Requests()
		got, err := address.FindAttempt(t.Context(), c, a, now)
		if err != nil || got.ID != want.attempt || c.Requests()-before != want.requests {
			t.Errorf("%s: attempt %s in %d requests, %v; want %+v", text, got.ID, c.Requests()-before, err, want)
		}
		s, err := address.FindSession(t.Context(), c, a, now)
		if err != nil || s.LastAttempt.ID != want.attempt {
			t.Errorf("%s: session %+v, %v", text, s, err)
		}
	}
}

func TestFindTime(t *testing.T) {
	c := serve(t)
	now := at("2026-03-29T21:59:59.5Z")
	_, w, err := address.FindWorkflow(t.Context(), c, address.Address{Project: "etl", Workflow: "daily"})
	if err != nil || w.Timezone != "Europe/Berlin" {
		t.Fatal(w, err)
	}
	for text, want := range map[string]string{
		"p/w": "2026-03-29T21:59:59Z", "p/w@today": "2026-03-29T00:00:00+01:00", "p/w@2026-03-30": "2026-03-30T00:00:00+02:00",
		"p/w@2026-03-29T12:00": "2026-03-29T12:00:00+02:00", "p/w@2026-03-29T12:00:00Z": "2026-03-29T12:00:00Z",
		"p/w@latest": "! @latest names a session that there is", "p/w@35": "! @35 names a session",
	} {
		a, err := address.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := address.FindTime(t.Context(), c, w, a.Session, now)
		if says, wrong := strings.CutPrefix(want, "! "); wrong && (err == nil || !strings.Contains(err.Error(), says)) || !wrong && (err != nil || got.Format(time.RFC3339) != want) {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestMissing(t *testing.T) {
	c := serve(t, "2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", "2026-03-31T00:00:00+02:00")
	for text, want := range map[string]struct {
		what string
		near []string
		says string
	}{
		"etll/daily":                 {"project", []string{"etl", "etl_b"}, `no project "etll" at http`},
		"etl/dayly":                  {"workflow", []string{"daily"}, `no workflow "dayly" in project etl at`},
		"etl/dayly@today":            {"workflow", []string{"daily"}, `no workflow "dayly"`},
		"etl/daily@2026-03-29T01:00": {"session", []string{"2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", "2026-03-28T00:00:00+01:00"}, "etl/daily has no session at 2026-03-29T01:00:00; near: 2026-03-29T00:00:00+01:00, "},
		"etl/daily@2027-01-01":       {"session", nil, "etl/daily has no session at 2027-01-01; near: 2026-03-31T00:00:00+02:00"},
		"etl/daily@999":              {"attempt", nil, "no attempt and no session of etl/daily has the id 999"},
		"etl/other@103":              {"attempt", nil, "attempt 103 is of etl/daily, not of etl/other"},
	} {
		a, err := address.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for name, find := range map[string]func() error{
			"attempt": func() error { _, err := address.FindAttempt(t.Context(), c, a, at("2026-05-01T00:00:00Z")); return err },
			"session": func() error { _, err := address.FindSession(t.Context(), c, a, at("2026-05-01T00:00:00Z")); return err },
		} {
			err := find()
			var m *address.Missing
			if !errors.As(err, &m) || m.What != want.what || want.near != nil && !slices.Equal(m.Near, want.near) || !strings.Contains(err.Error(), want.says) {
				t.Errorf("%s of %s: %v\n%+v", name, text, err, m)
			}
		}
	}
	none := serve(t)
	_, err := address.FindAttempt(t.Context(), none, address.Address{Project: "etl", Workflow: "daily"}, time.Now())
	if err == nil || err.Error() != "etl/daily has no session" {
		t.Errorf("a workflow that never ran: %v", err)
	}
}

// TestOtherTroubleIsNoMiss: a server that cannot say is not one that says no.
func TestOtherTroubleIsNoMiss(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(s.Close)
	c, err := client.New(client.Options{Endpoints: []string{s.URL}, Retry: client.Retry{Tries: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, text := range []string{"etl/daily", "etl/daily@7", "etl/daily@today"} {
		a, _ := address.Parse(text)
		_, err := address.FindAttempt(t.Context(), c, a, time.Now())
		var m *address.Missing
		var e *client.Error
		if errors.As(err, &m) || !errors.As(err, &e) || e.Code != client.CodeServerError {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestFindTask(t *testing.T) {
	var tasks []client.Task
	if err := json.Unmarshal([]byte(`[{"id":"9","fullName":"+w"},{"id":"10","fullName":"+w+g"},{"id":"11","fullName":"+w+g+load"},{"id":"12","fullName":"+w+g+load"},{"id":"8","fullName":"+w+g+load"},{"id":"13","fullName":"+w^failure-alert"}]`), &tasks); err != nil {
		t.Fatal(err)
	}
	attempt := client.Attempt{ID: "7", Project: client.Ref{Name: "p"}, Workflow: client.Ref{Name: "w"}}
	for name, want := range map[string]client.ID{"+g+load": "12", "+w+g+load": "12", "+g": "10", "+w": "9"} {
		if got, err := address.FindTask(attempt, tasks, name); err != nil || got.ID != want {
			t.Errorf("%s: %s, %v, want %s", name, got.ID, err, want)
		}
	}
	_, err := address.FindTask(attempt, tasks, "+g+laod")
	var m *address.Missing
	if !errors.As(err, &m) || m.What != "task" || m.Near[0] != "+g+load" || err.Error() != `no task "+g+laod" in attempt 7 of p/w; near: +g+load` {
		t.Errorf("%v", err)
	}
	if _, err = address.FindTask(attempt, nil, "+a"); err == nil || err.Error() != "attempt 7 of p/w has no tasks yet" {
		t.Errorf("%v", err)
	}
}
