package deliver

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
)

// webhook is the body of Alertmanager's webhooks.
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type webhook struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []webhookAlert    `json:"alerts"`
}

type webhookAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"` // of one that fires the zero time
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

func alertmanager(r Receiver, m message.Message) webhook {
	w := webhook{
		Version: "4", GroupKey: m.Incident, TruncatedAlerts: m.More, Status: "firing", Receiver: r.Name,
		GroupLabels: map[string]string{}, CommonAnnotations: map[string]string{}, Alerts: []webhookAlert{},
	}
	if m.Kind == alert.Recovered {
		w.Status = "resolved"
	}
	for _, it := range m.Items {
		a := webhookAlert{
			Status: "firing", Labels: map[string]string{"alertname": it.Rule}, Annotations: map[string]string{},
			StartsAt: it.Since, GeneratorURL: it.Link, Fingerprint: fingerprint(it.Key),
		}
		for name, value := range it.Labels {
			a.Labels[name] = value
		}
		if a.StartsAt.IsZero() {
			a.StartsAt = m.At
		}
		if it.State == alert.Resolved {
			a.Status, a.EndsAt = "resolved", m.At
		}
		note(a.Annotations, "summary", it.Where+": "+it.What)
		note(a.Annotations, "description", message.Text(message.Message{Title: m.Title, Note: m.Note, Items: []message.Item{it}, Missed: m.Missed}, message.Plain))
		note(a.Annotations, "runbook_url", it.Runbook)
		w.Alerts = append(w.Alerts, a)
		w.CommonLabels = common(w.CommonLabels, a.Labels)
	}
	if w.CommonLabels == nil {
		w.CommonLabels = map[string]string{}
	}
	return w
}

func note(annotations map[string]string, name, text string) {
	if text != "" {
		annotations[name] = text
	}
}

// common are the labels that both have; of nothing yet all.
func common(all, more map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range more {
		if all == nil || all[name] == value {
			out[name] = value
		}
	}
	return out
}

func fingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}
