package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/outrider-run/outrider/plugins/internal/rest"
)

// login keeps the token that requests carry.
type login struct {
	client *Client
	turn   chan struct{} // holds one while somebody looks for a token; guards what follows
	token  string        // "" before it is asked for
	nobody bool          // the server gives no token without a user
	had    bool          // the server gave one
}

// header is the Authorization of a request in an API, "" for none. refused is one that
// the server takes no more: another is found if there can be one, and else the same is
// given.
func (l *login) header(ctx context.Context, api int, refused string) (string, error) {
	o := l.client.options
	switch {
	case l.client.ownHeader():
		return "", nil
	case o.Token != "":
		return "Bearer " + o.Token, nil
	case o.User != "" && api == 1:
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(o.User+":"+o.Password)), nil
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if l.token != "" && refused != "Bearer "+l.token {
		return "Bearer " + l.token, nil // perhaps one that another goroutine has just found
	}
	var err error
	switch {
	case len(o.TokenCommand) > 0:
		l.token, err = l.run(ctx)
	case api == 1:
		return "", nil
	case o.User != "":
		l.token, err = l.ask(ctx, call{Method: http.MethodPost, Path: "/auth/token", Body: map[string]string{"username": o.User, "password": o.Password}})
	case l.nobody:
		return "", nil
	default:
		// [core] simple_auth_manager_all_admins.
		if l.token, err = l.ask(ctx, call{Method: http.MethodGet, Path: "/auth/token"}); err != nil && ctx.Err() == nil && !l.had {
			l.nobody = !retryable(err)
			return "", nil
		}
	}
	if err != nil || l.token == "" {
		return "", err
	}
	return "Bearer " + l.token, nil
}

func retryable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Retryable()
}

// ask gets a token of Airflow 3, which makes it for a day. Who says that there are none
// where there was one before is a proxy in the place of a server that restarts.
func (l *login) ask(ctx context.Context, q call) (string, error) {
	a, err := l.client.rest.Do(ctx, q)
	if e, ok := errors.AsType[*Error](err); ok && (e.Code == CodeNotAirflow || e.Code == CodeNotFound) {
		none := *e
		if l.had {
			none.Code = CodeNotAirflow
			return "", &none
		}
		none.Code, none.Message = CodeUnauthorized, "this Airflow gives no token for a password; give a token or a token_command instead"
		return "", &none
	}
	if err != nil {
		return "", err
	}
	token := tokenIn(a.Body)
	if token == "" {
		return "", l.client.rest.Bad(a, nil)
	}
	l.had = true
	return token, nil
}

// tokenIn is the token in a JSON object, "" where there is none.
func tokenIn(text []byte) string {
	var names map[string]any
	if json.Unmarshal(text, &names) != nil {
		return ""
	}
	for _, name := range []string{"access_token", "jwt_token", "token"} {
		if token, ok := names[name].(string); ok && token != "" && httpguts.ValidHeaderFieldValue(token) {
			return token
		}
	}
	return ""
}

// mostToken is the longest text that is taken for a token: headers have their limits.
const mostToken = 16 << 10

// run runs the token command. What it prints is in no message, nor are its arguments.
func (l *login) run(ctx context.Context) (string, error) {
	o := l.client.options
	failed := func(format string, args ...any) error {
		e := l.client.rest.Refuse(call{}, format, args...)
		e.Code = CodeTokenCommand
		return e
	}
	program := filepath.Base(o.TokenCommand[0])
	limit := o.Timeout
	if limit == 0 {
		limit = 30 * time.Second
	}
	inTime, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(inTime, o.TokenCommand[0], o.TokenCommand[1:]...)
	cmd.WaitDelay = time.Second // for what it leaves behind on its pipes
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case inTime.Err() != nil:
		return "", failed("the token command %s has not ended within %s", program, limit)
	case err != nil:
		said := strings.TrimSpace(complaint.String())
		if at := strings.LastIndexByte(said, '\n'); at >= 0 {
			said = said[at+1:]
		}
		if said != "" {
			return "", failed("the token command %s failed: %v: %s", program, err, rest.OneLine(said))
		}
		return "", failed("the token command %s failed: %v", program, err)
	}
	text := strings.TrimSpace(out.String())
	if strings.HasPrefix(text, "{") {
		text = tokenIn([]byte(text))
	}
	if text == "" || len(text) > mostToken || strings.ContainsAny(text, " \t\n") || !httpguts.ValidHeaderFieldValue(text) {
		return "", failed("the token command %s printed no token: want one word, or JSON with access_token", program)
	}
	return text, nil
}
