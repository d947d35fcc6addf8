package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
)

const (
	// lostAgain is after how long receivers are told again that nothing can be stored.
	lostAgain = 4 * time.Hour
	// lostAfter is the pass in a row that cannot be made of which they are told first.
	lostAfter = 3
	// pingTimeout bounds the sign of life.
	pingTimeout = 10 * time.Second
	// undeliveredFor is after how long a critical message that is unsent is a failure.
	undeliveredFor = 5 * time.Minute
)

// outage is a time in which no pass can be made.
type outage struct {
	Since time.Time `json:"since"`
	// Failed are the passes in a row that could not be made.
	Failed int    `json:"failed"`
	Why    string `json:"why"`
	// Told is when receivers were told of it last.
	Told time.Time `json:"told,omitzero"`
}

// due reports whether receivers are to be told. One pass may fail: a database restarts.
func (o outage) due(now time.Time, interval time.Duration) bool {
	if o.Failed < lostAfter && now.Sub(o.Since) < 2*interval {
		return false
	}
	return o.Told.IsZero() || now.Sub(o.Told).Abs() >= lostAgain
}

// lost says that no pass can be made. Without the database nothing is known of who was
// told what, so every receiver is told directly, once in a while.
func (p *pass) lost(ctx context.Context, why error) {
	p.ping(ctx, false)
	o := p.remembered()
	if o.Failed == 0 || o.Since.After(p.Now()) {
		o.Since = p.Now()
	}
	o.Failed++
	o.Why = why.Error()
	if o.due(p.Now(), p.interval()) {
		p.everybody(ctx, lostEvent(*o, p.Now()))
		o.Told = p.Now()
	}
	p.remember(*o)
}

// found says that passes are made again, to whom the contrary was told.
func (p *pass) found(ctx context.Context) {
	o := p.remembered()
	if o.Failed == 0 {
		return
	}
	if !o.Told.IsZero() {
		p.everybody(ctx, foundEvent(*o, p.Now()))
	}
	*o = outage{}
	if err := os.Remove(p.Mark); err != nil && p.Mark != "" && !errors.Is(err, fs.ErrNotExist) {
		p.Say("forget that there was no database: %v", err)
	}
}

// remembered is the outage of this program, or of one before: it is none without a pass
// that failed. What is written in the mark goes for nothing where it cannot be read.
func (p *pass) remembered() *outage {
	if p.outage == nil {
		p.outage = &outage{}
		if text, err := os.ReadFile(p.Mark); err == nil && json.Unmarshal(text, p.outage) != nil {
			*p.outage = outage{}
		}
	}
	return p.outage
}

func (p *pass) remember(o outage) {
	if p.Mark == "" {
		return
	}
	text, err := json.Marshal(o)
	if err == nil {
		err = os.WriteFile(p.Mark, append(text, '\n'), 0o600)
	}
	if err != nil {
		p.Say("note that no pass can be made: %v", err)
	}
}

// everybody is told directly; who wants no recoveries is told of none.
func (p *pass) everybody(ctx context.Context, e alert.Event) {
	for _, name := range receivers(p.Settings.Policy) {
		if r, ok := p.Settings.Receivers[name]; ok && e.Kind == alert.Recovered && !r.Recovered {
			continue
		}
		e.Receiver = name
		if err := p.direct(ctx, e); err != nil {
			p.Say("tell %s: %v", name, err)
		}
	}
}

// receivers are all that a policy may tell.
func receivers(p alert.Policy) []string {
	var all []string
	for _, r := range p.Routes {
		for _, name := range []string{r.Receiver, r.Second} {
			if name != "" && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	if len(all) == 0 {
		all = []string{alert.Console}
	}
	return all
}

// undelivered reports whether a critical message waits for too long.
func undelivered(s Summary, now time.Time) bool {
	return slices.ContainsFunc(s.Waiting, func(w Waiting) bool {
		return !w.Critical.IsZero() && now.Sub(w.Critical) > undeliveredFor
	})
}

// ping gives the sign of life, or says that something is wrong. The URL may be a secret:
// it is in no text.
func (p *pass) ping(ctx context.Context, well bool) {
	if p.Ping == "" {
		return
	}
	to := p.Ping
	if !well {
		to = strings.TrimRight(to, "/") + "/fail"
	}
	if err := get(ctx, to); err != nil {
		p.Say("ping: %v", err)
	}
}

func get(ctx context.Context, to string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return errors.New("it is no URL")
	}
	resp, err := http.DefaultClient.Do(req)
	var about *url.Error
	if errors.As(err, &about) {
		err = about.Err
	}
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 4096)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("answer %s", resp.Status)
	}
	return nil
}
