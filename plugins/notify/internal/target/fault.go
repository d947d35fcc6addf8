package target

import (
	"errors"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/util/jsonclient"

	"github.com/outrider-run/outrider/plugins/notify/internal/redact"
)

// Fault is why a message was not sent.
type Fault struct {
	// Code is bad_target, unreachable, refused, timed_out or failed.
	Code string
	// Text says what happened; no secret stands in it.
	Text string
	// Permanent says that a retry does not help.
	Permanent bool
}

func (f *Fault) Error() string { return f.Text }

// badTarget is of an address that shoutrrr cannot use. Its own error repeats
// the address, or leaves out why.
func badTarget(address string, err error) *Fault {
	what := "the address is not as the service " + Service(address) + " wants it"
	if errors.Is(err, router.ErrUnknownService) || Service(address) == "" {
		what = "the address begins with no service's name, such as smtp:// or teams://"
	}
	return &Fault{Code: "bad_target", Permanent: true, Text: what + ": see the service's page on shoutrrr.nickfedor.com"}
}

// of says which receiver it was, where there are several.
func (f *Fault) of(r Receiver) *Fault {
	if r.name != "" {
		f.Text = r.name + ": " + f.Text
	}
	return f
}

// joined makes one of several, nil of none. It is permanent only if all are.
func joined(faults []*Fault) error {
	if len(faults) == 0 {
		return nil
	}
	all := *faults[0]
	for _, f := range faults[1:] {
		if f.Code != all.Code {
			all.Code = "failed"
		}
		all.Permanent = all.Permanent && f.Permanent
		all.Text += "; " + f.Text
	}
	return &all
}

// faultOf judges what sending to one receiver ended with; nil for nil.
func faultOf(address string, err error) *Fault {
	if err == nil {
		return nil
	}
	f := &Fault{Code: "failed"}
	var mail *textproto.Error
	var answer jsonclient.Error
	var good *refusal
	var broken net.Error
	switch {
	case errors.As(err, &mail):
		f.Code, f.Permanent = "refused", isForGood(err)
	case errors.As(err, &answer):
		f.Code, f.Permanent = "refused", isPermanent(answer.StatusCode)
	case errors.As(err, &good), strings.Contains(err.Error(), refused):
		f.Code = "refused"
	case errors.As(err, &broken):
		f.Code = "unreachable"
	}
	// In this order: half a secret would not be known for one.
	f.Text = shorten(redact.Text(flat(err), address, serverOf(address)))
	return f
}

// isForGood says that a mail server refuses for good (RFC 5321, 4.2.1: 5yz), and not
// also for now.
func isForGood(err error) bool {
	switch e := err.(type) {
	case *textproto.Error:
		return e.Code >= 500
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !isForGood(err) })
	case interface{ Unwrap() error }:
		return isForGood(e.Unwrap())
	}
	return false
}

func isPermanent(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// flat is an error on one line. Some services add what they were answered: of that
// no more than is looked through in a moment.
func flat(err error) string {
	const most = 64 << 10
	text := err.Error()
	return strings.Join(strings.Fields(text[:min(len(text), most)]), " ")
}

func shorten(text string) string {
	const most = 500
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// serverOf is the name of the server that an address leads to, which an error
// may tell. Of services that have no server of one's own it is "": a token
// stands there instead.
func serverOf(address string) string {
	switch Service(address) {
	case "smtp", "ntfy", "gotify", "mattermost", "rocketchat", "matrix", "zulip", "bark", "signal", "generic":
		if u, err := url.Parse(address); err == nil {
			return u.Hostname()
		}
	}
	return ""
}
