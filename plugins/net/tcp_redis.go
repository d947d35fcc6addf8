package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// redisConn speaks as much of Redis's protocol as a PING needs: commands are
// arrays of bulk strings, the answers simple strings (+OK) or errors (-CODE
// text), each a line that ends in CR LF. Source: "Redis serialization protocol
// specification", redis.io. A client library brings a pool and retries of its
// own for these two commands, which would hide what is looked for here.
type redisConn struct {
	io.Writer
	r    *bufio.Reader
	hide func(string) string // takes secrets out of what is said
}

// errRedisAuth is in the error of a server that refuses us by name or password.
var errRedisAuth = errors.New("the server refuses the login")

// check logs in, if there is a password, and sends PING.
func (c redisConn) check(user, password string) error {
	if password != "" {
		login := []string{"AUTH", password}
		if user != "" {
			login = []string{"AUTH", user, password} // since Redis 6
		}
		if err := c.ask("OK", login...); err != nil {
			return err
		}
	}
	return c.ask("PONG", "PING")
}

// ask sends one command and wants that answer.
func (c redisConn) ask(want string, command ...string) error {
	if _, err := c.Write(redisCommand(command)); err != nil {
		return fmt.Errorf("sending %s: %w", command[0], err)
	}
	line, err := c.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return fmt.Errorf("its answer to %s has no end within %d bytes: %s", command[0], maxTCPAnswer, tcpExcerpt(c.hide(string(line))))
	case errors.Is(err, io.EOF):
		return fmt.Errorf("it closed the connection instead of answering %s; it said %s", command[0], tcpExcerpt(c.hide(string(line))))
	case err != nil:
		return fmt.Errorf("waiting for the answer to %s: %w", command[0], err)
	}
	return redisAnswer(command[0], want, c.hide(string(line)))
}

func redisCommand(words []string) []byte {
	out := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		out = fmt.Appendf(out, "$%d\r\n%s\r\n", len(w), w)
	}
	return out
}

// redisRefusals begin errors that waiting does not mend. The last two are from
// before Redis 6.
var redisRefusals = []string{"NOAUTH ", "WRONGPASS ", "NOPERM ", "ERR AUTH ", "ERR Client sent AUTH", "ERR invalid password"}

// redisAnswer judges the line that answers a command.
func redisAnswer(command, want, line string) error {
	text := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if text == "+"+want {
		return nil
	}
	said, isError := strings.CutPrefix(text, "-")
	if !isError {
		return fmt.Errorf("it answered %s with %s, wanted +%s; is it Redis?", command, tcpExcerpt(text), want)
	}
	err := fmt.Errorf("it answered %s with the error %s", command, tcpExcerpt(said))
	if slices.ContainsFunc(redisRefusals, func(start string) bool { return strings.HasPrefix(said, start) }) {
		return fmt.Errorf("%w: %w", errRedisAuth, err)
	}
	return err
}
