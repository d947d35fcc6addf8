package watch

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// maxBody is the largest event that is read.
	maxBody = 64 << 10
	// maxLabels and maxLabel bound what a signal carries.
	maxLabels, maxLabel = 20, 300
)

// Server is what `watch` answers over HTTP: metrics, whether passes are made, and the
// taking of events.
type Server struct {
	Metrics *Metrics
	Inbox   *Inbox
	// Token is what who posts has to know; "": nobody may.
	Token string
	// Alive says why passes are not made, nil where they are.
	Alive func() error
}

// Handler answers.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Metrics.Registry(), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("POST /v1/signal", s.taking(readSignal))
	mux.HandleFunc("POST /digdag", s.taking(readDigdag))
	return mux
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if err := s.Alive(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// taking takes an event in, which makes for an early pass.
func (s *Server) taking(read func(body []byte) (observe.Signal, bool, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if status, err := s.allowed(r); err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			http.Error(w, fmt.Sprintf("want at most %d bytes", maxBody), http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "the body did not come whole", http.StatusBadRequest)
			return
		}
		signal, event, err := read(body)
		if err == nil {
			err = checkSignal(signal)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.Inbox.Post(signal, event); err != nil {
			http.Error(w, err.Error(), http.StatusTooManyRequests)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func (s *Server) allowed(r *http.Request) (status int, err error) {
	if s.Token == "" {
		return http.StatusForbidden, errors.New("no events are taken: watch has no --token")
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.Token))
	if !ok || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return http.StatusUnauthorized, errors.New("want the header Authorization: Bearer TOKEN")
	}
	return 0, nil
}

// readSignal reads {"name": …, "value": …, "labels": {…}}.
func readSignal(body []byte) (observe.Signal, bool, error) {
	var s struct {
		Name   string            `json:"name"`
		Value  *float64          `json:"value"`
		Labels map[string]string `json:"labels"`
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return observe.Signal{}, false, fmt.Errorf(`want {"name": "queue_length", "value": 7, "labels": {"queue": "etl"}}: %w`, err)
	}
	if s.Value == nil {
		return observe.Signal{}, false, errors.New("value: it is missing")
	}
	return observe.Signal{Name: s.Name, Value: *s.Value, Labels: s.Labels}, false, nil
}

// DigdagSignal is the name of what Digdag notifies of.
const DigdagSignal = "digdag.notification"

// readDigdag reads what Digdag posts with notification.type=http. Ids are numbers there.
func readDigdag(body []byte) (observe.Signal, bool, error) {
	var n struct {
		Message   string      `json:"message"`
		Project   string      `json:"project_name"`
		Workflow  string      `json:"workflow_name"`
		Attempt   json.Number `json:"attempt_id"`
		Task      string      `json:"task_name"`
		Timestamp any         `json:"timestamp"`
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return observe.Signal{}, false, fmt.Errorf("want a notification of Digdag's: %w", err)
	}
	if n.Message == "" {
		return observe.Signal{}, false, errors.New("message: it is missing")
	}
	labels := map[string]string{}
	for name, value := range map[string]string{
		"message": n.Message, "project": n.Project, "workflow": n.Workflow, "attempt": n.Attempt.String(), "task": n.Task,
	} {
		if value != "" {
			labels[name] = cut(value)
		}
	}
	labels["event_key"] = cut(strings.Join([]string{n.Attempt.String(), n.Task, n.Message}, " "))
	return observe.Signal{Name: DigdagSignal, Value: 1, Labels: labels}, true, nil
}

func cut(text string) string {
	r := []rune(text)
	return string(r[:min(len(r), maxLabel/4)])
}

var signalName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$`)

func checkSignal(s observe.Signal) error {
	switch {
	case !signalName.MatchString(s.Name):
		return fmt.Errorf("name: %s: want letters, digits, _, ., :, / and -, at most 128", strconv.QuoteToASCII(s.Name))
	case math.IsNaN(s.Value) || math.IsInf(s.Value, 0):
		return errors.New("value: want a number")
	case len(s.Labels) > maxLabels:
		return fmt.Errorf("labels: want at most %d", maxLabels)
	}
	for name, value := range s.Labels {
		if !signalName.MatchString(name) || len(value) > maxLabel {
			return fmt.Errorf("labels: %s: want a name of letters, digits, _, . and -, and at most %d bytes of text", strconv.QuoteToASCII(name), maxLabel)
		}
	}
	return nil
}

// Serve answers on a listener until ctx ends; then it lets requests under way end.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if h.Shutdown(late) != nil {
			_ = h.Close()
		}
	})()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answer over HTTP: %w", err)
	}
	<-stopped
	return nil
}
