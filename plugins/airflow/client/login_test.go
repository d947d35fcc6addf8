package client_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

// gate is an Airflow 3 that gives out tokens and takes them, until it takes them no more.
type gate struct {
	mu       sync.Mutex
	password string
	made     int
	refusal  reply // to a token that is not the last
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/auth/token" && r.Method == http.MethodPost:
		var body [200]byte
		n, _ := r.Body.Read(body[:])
		if !strings.Contains(string(body[:n]), `"password":"`+g.password+`"`) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"detail":"Invalid credentials"}`))
			return
		}
		g.made++
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"access_token":"token-%d"}`, g.made)
	case r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", g.made):
		g.refusal.give(w, r)
	default:
		_, _ = w.Write([]byte(`{"pools":[],"total_entries":0}`))
	}
}

// expire has the server take no token that it gave so far.
func (g *gate) expire(password string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.made++
	g.password = password
}

func (g *gate) serve(t *testing.T) *fake { return serve(t, 2, reply{act: g.ServeHTTP}) }

// TestTokenOfAPassword: it is asked for once, and again when it is taken no more, be
// that said with 401 or with 403; a password that was changed meanwhile ends it.
func TestTokenOfAPassword(t *testing.T) {
	for _, refusal := range []string{"error-expired-token", "error-401-bad-token"} {
		g := &gate{password: "geheim", refusal: recorded(t, 2, refusal)}
		f := g.serve(t)
		c := newClient(t, client.Options{Endpoints: []string{f.URL}, User: "ann", Password: "geheim"})
		for range 3 {
			if _, err := c.Pools(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		get := "GET /api/v2/pools?limit=100"
		if want := []string{"POST /auth/token", get, get, get}; !slices.Equal(f.lines(), want) {
			t.Errorf("asked %v", f.lines())
		}
		if first := f.all()[0]; first.Body != `{"password":"geheim","username":"ann"}` || first.Header.Get("Authorization") != "" {
			t.Errorf("asked for a token with %+v", first)
		}
		g.expire("geheim")
		if _, err := c.Pools(t.Context()); err != nil {
			t.Errorf("a token that ended: %v", err)
		}
		if got := f.lines()[4:]; !slices.Equal(got, []string{get, "POST /auth/token", get}) {
			t.Errorf("asked %v", got)
		}
		g.expire("another")
		_, err := c.Pools(t.Context())
		if code(err) != client.CodeUnauthorized || !strings.Contains(err.Error(), `POST /auth/token: 401: Invalid credentials; check user "ann" and the password`) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("a password that was changed: %v", err)
		}
		if got := f.lines()[7:]; !slices.Equal(got, []string{get, "POST /auth/token"}) {
			t.Errorf("asked %v", got)
		}
		g.expire("geheim")
		if _, err := c.Pools(t.Context()); err != nil {
			t.Errorf("the password is back: %v", err)
		}
	}
}

// TestNoTokenHelps: a server that takes no token at all is asked twice, not for ever.
func TestNoTokenHelps(t *testing.T) {
	f := serve(t, 2, reply{act: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/auth/token" {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"jwt_token":"t"}`))
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"detail":"Not authenticated"}`))
	}})
	_, err := newClient(t, client.Options{Endpoints: []string{f.URL}, User: "ann", Password: "x"}).Pools(t.Context())
	if code(err) != client.CodeUnauthorized || len(f.all()) > 4 {
		t.Errorf("%v, %v", err, f.lines())
	}
}

// TestManyAskForOneToken: many goroutines that find the token ended get one new one.
func TestManyAskForOneToken(t *testing.T) {
	g := &gate{password: "x", refusal: recorded(t, 2, "error-expired-token")}
	f := g.serve(t)
	c := newClient(t, client.Options{Endpoints: []string{f.URL}, User: "ann", Password: "x"})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.Pools(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if g.made != 1 {
		t.Errorf("%d tokens were made", g.made)
	}
}

// TestEverybodyIsAdmin: without credentials a token is asked for once, and what is open
// is seen without.
func TestEverybodyIsAdmin(t *testing.T) {
	none := `{"pools":[]}`
	f := serve(t, 2, recorded(t, 2, "auth-token-created"), reply{body: none})
	c := newClient(t, client.Options{Endpoints: []string{f.URL}})
	if _, err := c.Pools(t.Context()); err != nil || c.HasCredentials() || f.all()[0].Method != "GET" || f.all()[1].Header.Get("Authorization") != "Bearer REDACTED.JWT.TOKEN" {
		t.Errorf("%v, %v", err, f.all())
	}
	f = serve(t, 2, recorded(t, 2, "auth-token-get-not-all-admins"), recorded(t, 2, "error-401-no-token"))
	c = newClient(t, client.Options{Endpoints: []string{f.URL}})
	for range 2 {
		if _, err := c.Pools(t.Context()); code(err) != client.CodeUnauthorized || !strings.Contains(err.Error(), "401: Not authenticated; set user and password, or a token") {
			t.Error(err)
		}
	}
	if want := []string{"GET /auth/token", "GET /api/v2/pools?limit=100", "GET /api/v2/pools?limit=100"}; !slices.Equal(f.lines(), want) {
		t.Errorf("asked %v", f.lines())
	}
	// Airflow 2 has no tokens.
	f = serve(t, 1, reply{body: none})
	if _, err := newClient(t, client.Options{Endpoints: []string{f.URL}}).Pools(t.Context()); err != nil || len(f.all()) != 1 || f.all()[0].Header.Get("Authorization") != "" {
		t.Errorf("%v, %v", err, f.lines())
	}
}

func TestNoTokensThere(t *testing.T) {
	for _, r := range []reply{recorded(t, 1, "auth-token"), recorded(t, 2, "api-unknown-route"), recorded(t, 2, "unknown-path-html")} {
		f := serve(t, 2, r)
		_, err := newClient(t, client.Options{Endpoints: []string{f.URL}, User: "ann", Password: "x"}).Pools(t.Context())
		if code(err) != client.CodeUnauthorized || !strings.Contains(err.Error(), "POST /auth/token: this Airflow gives no token for a password; give a token or a token_command instead") {
			t.Error(err)
		}
	}
	f := serve(t, 2, reply{status: 201, body: `{"access_token":""}`})
	if _, err := newClient(t, client.Options{Endpoints: []string{f.URL}, User: "ann", Password: "x"}).Pools(t.Context()); code(err) != client.CodeBadAnswer {
		t.Error(err)
	}
}

// TestWhatIsSentAlong: one kind of login, and what the user wants in every request.
func TestWhatIsSentAlong(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:geheim"))
	for name, c := range map[string]struct {
		api  int
		o    client.Options
		want string
	}{
		"a user of Airflow 2":    {1, client.Options{User: "ann", Password: "geheim"}, basic},
		"a token of Airflow 2":   {1, client.Options{Token: "tok"}, "Bearer tok"},
		"a token of Airflow 3":   {2, client.Options{Token: "tok"}, "Bearer tok"},
		"a command of Airflow 2": {1, client.Options{TokenCommand: []string{"echo", "tok"}}, "Bearer tok"},
		"a header":               {2, client.Options{Headers: map[string]string{"authorization": "Own x"}}, "Own x"},
		"a header beside a user": {2, client.Options{User: "ann", Password: "x", Headers: map[string]string{"Authorization": "Own x"}}, "Own x"},
	} {
		f := serve(t, c.api, reply{body: `{"pools":[]}`})
		c.o.Endpoints = []string{f.URL + "/api/v2/"}
		if c.o.Headers == nil {
			c.o.Headers = map[string]string{}
		}
		c.o.Headers["X-Tenant"] = "a"
		k := newClient(t, c.o)
		if _, err := k.Pools(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := f.all(); len(got) != 1 || got[0].Header.Get("Authorization") != c.want || got[0].Header.Get("X-Tenant") != "a" || !k.HasCredentials() {
			t.Errorf("%s: sent %+v", name, got)
		}
	}
}

func TestTokenCommands(t *testing.T) {
	dir := t.TempDir()
	count := filepath.Join(dir, "count")
	sh := func(script string) []string { return []string{"sh", "-c", script, "sh", count} }
	f := serve(t, 2, reply{body: `{"pools":[]}`})
	for says, command := range map[string][]string{
		"":  sh(`echo '{"access_token": "tok"}'`),
		" ": sh(`echo; echo "  tok "; echo noise >&2`),
		"the token command sh failed: exit status 3: no such account":                       sh(`echo geheim; echo first >&2; echo no such account >&2; exit 3`),
		"the token command false failed: exit status 1":                                     {"false"},
		"the token command nowhere failed: exec: \"nowhere\": executable file not found":    {"nowhere"},
		"the token command true printed no token: want one word, or JSON with access_token": {"true"},
		"the token command echo printed no token: want one":                                 {"echo", "two geheim words"},
		"the token command sh printed no token: want one word":                              sh(`echo '{"secret": "geheim"}'`),
		"the token command sh printed no token: want one word, or JSON":                     sh(`printf 'geheim\001'`),
		"the token command sh printed no token":                                             sh(`head -c 100000 /dev/zero | tr '\0' x`),
		"the token command sh has not ended within 200ms":                                   sh(`exec sleep 1000`),
		"the token command sh has not ended within 200ms ":                                  sh(`sleep 1000 & echo $! >>"$1.left"; wait`),
	} {
		c := newClient(t, client.Options{Endpoints: []string{f.URL}, TokenCommand: command, Timeout: map[bool]time.Duration{true: 200 * time.Millisecond}[strings.Contains(says, "200ms")]})
		_, err := c.Pools(t.Context())
		if says = strings.TrimSpace(says); says == "" {
			if err != nil || f.all()[len(f.all())-1].Header.Get("Authorization") != "Bearer tok" {
				t.Errorf("%q: %v", command, err)
			}
			continue
		}
		if code(err) != client.CodeTokenCommand || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v\nwant %s", command, err, says)
		}
	}

	// What a command leaves behind holds nobody up; only the test ends it.
	left, err := os.ReadFile(count + ".left")
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range strings.Fields(string(left)) {
		if pid, err := strconv.Atoi(pid); err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
			t.Errorf("%d of %q: %v", pid, left, err)
		}
	}

	// It is run again when its token is refused, once, and not else.
	next := sh(`echo x >>"$1"; echo "token-$(wc -l <"$1" | tr -d ' ')"`)
	refusals := []reply{{body: `{"pools":[]}`}, recorded(t, 2, "error-expired-token"), {body: `{"pools":[]}`}, recorded(t, 2, "error-401-bad-token")}
	f = serve(t, 2, refusals...)
	c := newClient(t, client.Options{Endpoints: []string{f.URL}, TokenCommand: next})
	for i := range 3 {
		_, err := c.Pools(t.Context())
		if (err != nil) != (i == 2) || i == 2 && !strings.Contains(err.Error(), "check what the token command prints") {
			t.Errorf("%d: %v", i, err)
		}
	}
	var sent []string
	for _, r := range f.all() {
		sent = append(sent, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer token-"))
	}
	if runs, err := os.ReadFile(count); err != nil || len(runs) != 2*3 || !slices.Equal(sent, []string{"1", "1", "2", "2", "3"}) {
		t.Errorf("sent %v, %d runs, %v", sent, len(runs)/2, err)
	}

	// The caller's end ends the command.
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user has had enough")
	go func() {
		_, _ = os.ReadFile(fifo)
		cancel(why)
	}()
	c = newClient(t, client.Options{Endpoints: []string{f.URL}, TokenCommand: []string{"sh", "-c", `echo x >"$1"; exec sleep 1000`, "sh", fifo}})
	if _, err := c.Pools(ctx); !errors.Is(err, why) {
		t.Errorf("the command was not ended: %v", err)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	at := []string{"h"}
	for says, o := range map[string]client.Options{
		"endpoints: none given; want the URL of an Airflow server, such as http://localhost:8080": {},
		"user: there is a password":                    {Endpoints: at, Password: "x"},
		"user, token and token_command: more than one": {Endpoints: at, User: "ann", Token: "x"},
		"user, token and token_command: more than":     {Endpoints: at, Token: "x", TokenCommand: []string{"y"}},
		"token: it cannot be sent":                     {Endpoints: at, Token: "a\nb"},
		"token_command: it names no program":           {Endpoints: at, TokenCommand: []string{""}},
		`headers: "X Y" cannot be sent`:                {Endpoints: at, Headers: map[string]string{"X Y": "1"}},
		"timeout: -1ns is less":                        {Endpoints: at, Timeout: -1},
		"endpoint: the one on h holds a user":          {Endpoints: []string{"http://ann:geheim@h"}},
	} {
		if _, err := client.New(o); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v, want … %s", err, says)
		}
	}
	for given, want := range map[string]string{
		"h:8080/api/v1": "http://h:8080", "https://h/airflow/api/v2/": "https://h/airflow", "http://h/api": "http://h/api",
	} {
		if c := newClient(t, client.Options{Endpoints: []string{given}}); c.Endpoint() != want {
			t.Errorf("%s is %s, want %s", given, c.Endpoint(), want)
		}
	}
}
