package double

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/api"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
)

// settings are what a configuration file can say.
type settings struct {
	runtimeInfo string
	engine      engine.Config
	api         api.Config
}

// readSettings reads a Digdag server's configuration. A key that the double
// does not heed is an error, since a test that set it means something by it.
func readSettings(text []byte) (settings, error) {
	s := settings{
		engine: engine.Config{
			LockRetention: 300 * time.Second, Heartbeat: 60 * time.Second, ExpireInterval: 10 * time.Second,
			MaxAttempts: 100, AgentEnabled: true, ExecutorEnabled: true, SchedulerEnabled: true,
			AttemptTTL: 7 * 24 * time.Hour, TaskTTL: 24 * time.Hour, ReapInterval: 5 * time.Second,
			Notify: engine.Notify{Method: http.MethodPost, Headers: http.Header{}, Retries: 10, MinWait: time.Second, Max: 30 * time.Second},
		},
		api: api.Config{MaxAttemptsPage: 100, MaxSessionsPage: 100},
	}
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return s, fmt.Errorf("settings, line %d: expected key=value", n+1)
		}
		if err := s.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return s, fmt.Errorf("settings, line %d: %s: %w", n+1, strings.TrimSpace(key), err)
		}
	}
	return s, nil
}

func (s *settings) set(key, value string) error {
	switch key {
	case "server.runtime-info.path":
		s.runtimeInfo = value
	case "tmpdir":
		s.engine.TempDir = value
	case "agent.lock-retention-time":
		return seconds(&s.engine.LockRetention, value)
	case "agent.heartbeat-interval":
		return seconds(&s.engine.Heartbeat, value)
	case "database.queue.expireLockInterval":
		return seconds(&s.engine.ExpireInterval, value)
	case "agent.enabled":
		return boolean(&s.engine.AgentEnabled, value)
	case "server.executor.enabled":
		return boolean(&s.engine.ExecutorEnabled, value)
	case "schedule.enabled":
		return boolean(&s.engine.SchedulerEnabled, value)
	case "executor.attempt_max_run":
		return number(&s.engine.MaxAttempts, value)
	case "executor.attempt_ttl":
		return duration(&s.engine.AttemptTTL, value)
	case "executor.task_ttl":
		return duration(&s.engine.TaskTTL, value)
	case "executor.ttl_reaping_interval":
		return duration(&s.engine.ReapInterval, value)
	case "api.max_attempts_page_size":
		return number(&s.api.MaxAttemptsPage, value)
	case "api.max_sessions_page_size":
		return number(&s.api.MaxSessionsPage, value)
	case "server.authenticator.basic.username":
		s.api.User = value
	case "server.authenticator.basic.password":
		s.api.Password = value
	default:
		if rest, ok := strings.CutPrefix(key, "notification."); ok {
			return s.setNotification(rest, value)
		}
		return fmt.Errorf("not in the double of Digdag")
	}
	return nil
}

func (s *settings) setNotification(key, value string) error {
	n := &s.engine.Notify
	switch key {
	case "type":
		if value != "http" && value != "shell" {
			return fmt.Errorf("only http and shell are in the double of Digdag, not %q", value)
		}
	case "http.url":
		n.URL = value
	case "http.method":
		n.Method = value
	case "shell.command":
		n.Command = value
	case "retries":
		var retries int
		err := number(&retries, value)
		n.Retries = uint(max(retries, 0))
		return err
	case "min_retry_wait":
		return milliseconds(&n.MinWait, value)
	case "max_retry_wait":
		return milliseconds(&n.Max, value)
	default:
		name, ok := strings.CutPrefix(key, "http.headers.")
		if !ok {
			return fmt.Errorf("not in the double of Digdag")
		}
		n.Headers.Add(name, value)
	}
	return nil
}

func duration(to *time.Duration, value string) (err error) {
	*to, err = engine.ParseDuration(value)
	return err
}

func milliseconds(to *time.Duration, value string) error {
	var n int
	err := number(&n, value)
	*to = time.Duration(n) * time.Millisecond
	return err
}

func number(to *int, value string) (err error) {
	*to, err = strconv.Atoi(value)
	return err
}

func boolean(to *bool, value string) (err error) {
	*to, err = strconv.ParseBool(value)
	return err
}

func seconds(to *time.Duration, value string) error {
	var n int
	if err := number(&n, value); err != nil || n < 1 {
		return fmt.Errorf("expected a number of seconds, not %q", value)
	}
	*to = time.Duration(n) * time.Second
	return nil
}
