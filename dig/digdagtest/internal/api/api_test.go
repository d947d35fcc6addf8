package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// What a real server answers and the double cannot is 501, by name.
func TestWhatIsNotInTheDoubleIsRefusedByName(t *testing.T) {
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	e, err := engine.New(store, engine.Config{TempDir: t.TempDir(), Output: io.Discard, Heartbeat: time.Minute, ExpireInterval: time.Minute, ReapInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Drain(t.Context())
	handler := Handler(store, e, Config{MaxAttemptsPage: 100, MaxSessionsPage: 100})
	for request, want := range map[string]string{
		"GET /api/projects/1/secrets":                             "secrets: not in the double of Digdag",
		"PUT /api/projects?project=p&revision=r&clear_schedule=w": "clear_schedule: not in the double of Digdag",
		"GET /api/workflow":                                       "/api/workflow: not in the double of Digdag",
		"PUT /api/projects/1/secrets/k":                           "secrets: not in the double of Digdag",
	} {
		method, path, _ := strings.Cut(request, " ")
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Content-Type", "application/gzip")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		if answer.Code != http.StatusNotImplemented || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", request, answer.Code, answer.Body, want)
		}
	}
}
