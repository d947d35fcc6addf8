package e2e

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/dig/digdagtest"
)

// stage is what the examples of the pages speak of: servers and files, on this machine.
type stage struct {
	api, address, mail, dir string
	// heard is what was posted, by path, and mailed, by recipient.
	heard chan string
	// digdag is a server with two workflows that ran, daily well and broken not.
	digdag, project string
	// airflow is a server with a DAG for each of its components, which ran.
	airflow airflow
}

// stageDAGs hold a task load each; that of airflow.clear fails.
const stageDAGs = `
for name in ("status", "trigger", "wait", "clear", "kill", "logs", "pause"):
    with DAG(f"stage_{name}", schedule=None):
        BashOperator(task_id="load", bash_command="exit 1" if name == "clear" else "echo loads")
`

func newStage(t *testing.T) stage {
	t.Helper()
	s := stage{dir: t.TempDir(), heard: make(chan string, 9)}
	answers := map[string]string{"/v1/jobs/7": `{"job":{"state":"done"}}`, "/health": "up", "/hook": "ok"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.Path]
		if !known {
			http.NotFound(w, r)
			return
		}
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body) // what is missing shows in the text
			s.heard <- r.URL.Path + " " + string(body)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	s.api, s.address = server.URL, strings.TrimPrefix(server.URL, "http://")
	s.mail = mailServer(t, s.heard)
	file := filepath.Join(s.dir, "orders-1.csv")
	if err := os.WriteFile(file, []byte("id,price\n"+strings.Repeat("1,2.50\n", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	template := "text: ${task_name} of ${session_date} is done\n"
	if err := os.WriteFile(filepath.Join(s.dir, "good.yml"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, filepath.Join(s.dir, "orders.csv")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Now(), time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	d := onDigdag(t)
	s.digdag, s.project = d.URL, d.Push(digdagtest.Files{
		"daily.dig":  "timezone: UTC\nschedule: {monthly>: '1,07:00:00'}\n+load:\n  echo>: loads\n",
		"broken.dig": "timezone: UTC\n+load:\n  sh>: exit 1\n",
	})
	d.done(d.startIn(s.project, "daily", nil))
	d.Wait(d.startIn(s.project, "broken", nil).ID)
	return s
}

// onto is a stage with an Airflow.
func (s stage) onto(t *testing.T, a airflow) stage {
	t.Helper()
	if err := a.PutDAG(deadline(t), "stage.py", dagImports(t)+stageDAGs, "stage_pause"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"status", "wait", "clear", "kill", "logs"} {
		if err := a.AwaitDAG(deadline(t), "stage_"+name); err != nil {
			t.Fatal(err)
		}
		if _, err := a.triggerConf(t, "stage_"+name, nil).Wait(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
	s.airflow = a
	return s
}

// onIts are the names of a Digdag and a workflow in an example, and these here.
func (s stage) onIts(workflow string) []string {
	return []string{"http://digdag.internal:65432", s.digdag, "etl/daily", s.project + "/" + workflow}
}

// atAirflow is an example on the stage's Airflow, of the DAG that stands for this one.
func (s stage) atAirflow(doc, component, dag string, outputs map[string]string) example {
	return example{
		doc: doc, env: map[string]string{"AIRFLOW_PASSWORD": s.airflow.Password}, outputs: outputs,
		replace: []string{"http://airflow.internal:8080", s.airflow.URL, "--user outrider", "--user " + airflowtest.User, "--address " + dag, "--address stage_" + component},
	}
}

// mailServer is a real SMTP server, which tells of each mail in one line.
func mailServer(t *testing.T, heard chan<- string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{heard: heard}, nil }))
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return l.Addr().String()
}

type mailSession struct {
	heard chan<- string
	to    string
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	s.heard <- s.to + " | " + m.Header.Get("Subject") + " | " + strings.TrimSpace(string(body))
	return err
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// hear waits for what the stage's servers are sent.
func (s stage) hear(t *testing.T) string {
	t.Helper()
	select {
	case text := <-s.heard:
		return text
	case <-time.After(time.Minute):
		t.Error("nothing was sent")
		return ""
	}
}
