package checkercli

import (
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/checker/watch"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

func (a *app) watch() *cli.Command {
	return command(cli.Command{
		Name: "watch", Usage: "look again and again, and answer over HTTP meanwhile",
		Description: "  outrider-checker watch --every 60s --listen 127.0.0.1:9469\n" +
			"  outrider-checker watch --listen :9469 --token env:CHECKER_TOKEN\n\n" +
			"GET /metrics is for Prometheus; GET /healthz answers 200 while passes are made. With a token events\n" +
			"are taken, each of which leads to an early pass: POST /v1/signal {\"name\", \"value\", \"labels\"}, and\n" +
			"POST /digdag as a Digdag posts it that has these lines in its server's properties:\n\n" +
			"  notification.type=http\n" +
			"  notification.http.url=http://HOST:9469/digdag\n" +
			"  notification.http.headers.Authorization=Bearer TOKEN\n\n" +
			"That is the signal digdag.notification, with message, project, workflow, attempt and task as labels.\n" +
			"SIGTERM ends it after the pass under way. The config is read anew for each pass.",
		Flags: append(append(sourceFlags(), tellFlags()...),
			&cli.StringFlag{Name: "every", Usage: "make a pass every `TIME` (default: interval of the config, else 60s)"},
			&cli.StringFlag{Name: "listen", Usage: "answer over HTTP at `HOST:PORT`"},
			&cli.StringFlag{Name: "token", Usage: "what has to be known to post events, as `REFERENCE`: env:NAME or file:PATH"},
		),
		Action: a.runWatch,
	})
}

func (a *app) runWatch(c *cli.Context) error {
	if _, err := term.Args(c, 0, 0, "watch"); err != nil {
		return err
	}
	g, err := parse(c)
	if err != nil {
		return err
	}
	var every threshold.Duration
	if t := c.String("every"); t != "" {
		if every, err = threshold.ParseDuration(t); err != nil || time.Duration(every) < time.Second {
			return term.Usage("--every %q: want a time of at least a second, such as 60s", t)
		}
	}
	token, err := a.token(c)
	if err != nil {
		return err
	}
	w, err := a.watcher(c.Context, g, a.Out)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	pulse := watch.NewPulse(max(time.Duration(every), time.Minute))
	var serving sync.WaitGroup
	if at := c.String("listen"); at != "" {
		var config net.ListenConfig
		l, err := config.Listen(c.Context, "tcp", at)
		if err != nil {
			return term.Usage("--listen %s: %w", at, err)
		}
		w.Inbox = watch.NewInbox(time.Now)
		if w.Inbox.Name, err = signalsAt(l.Addr()); err != nil {
			return err
		}
		s := &watch.Server{Metrics: w.Metrics, Inbox: w.Inbox, Token: token, Alive: pulse.Alive}
		a.say("answering at http://%s", l.Addr())
		serving.Go(func() {
			if err := s.Serve(c.Context, l); err != nil {
				a.say("%v", err)
			}
		})
	}
	w.Loop(c.Context, time.Duration(every), pulse, a.passed)
	serving.Wait()
	a.say("ended")
	return nil
}

// signalsAt names the source of what is posted to a listener: each that shares a database
// has its own.
func signalsAt(listener net.Addr) (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name the source of signals: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.String())
	if err != nil {
		return "", fmt.Errorf("name the source of signals: %w", err)
	}
	return watch.SignalsSource + "@" + host + "-" + port, nil
}

// token is what who posts has to know. A literal would be seen by who lists processes.
func (a *app) token(c *cli.Context) (string, error) {
	ref := c.String("token")
	if ref == "" {
		return "", nil
	}
	if !isReference(ref) {
		return "", term.Usage("--token: want env:NAME or file:PATH, since others see a command line")
	}
	if c.String("listen") == "" {
		return "", term.Usage("--token is of use with --listen alone")
	}
	value, err := secret(ref)
	if err != nil {
		return "", term.Usage("--token: %w", err)
	}
	return value, nil
}

// passed says a line of each pass.
func (a *app) passed(s watch.Summary, err error) {
	if err != nil {
		a.say("no pass: %v", err)
		return
	}
	word := [...]string{"ok", "warning", "critical", "unknown"}[s.Exit]
	down := ""
	for _, x := range s.Sources {
		if x.Failure != "" {
			down += fmt.Sprintf("; no answer from %s: %s", x.Name, term.OneLine(x.Failure, 200))
		}
	}
	a.say("pass at %s: %s, %d firing, %d told, %.1fs%s", s.At.Local().Format(time.TimeOnly), word, len(s.Alerts), s.Told, s.Took, down)
}
