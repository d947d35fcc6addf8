// Package target sends one message to one service address of shoutrrr, and
// says of a failure whether a retry helps. No part of the address that could be
// a secret stands in what it returns. How many targets there are is not its
// matter.
// https://shoutrrr.nickfedor.com lists the services and their addresses.
package target

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// Send sends a message, with a title unless it is empty. The error is ctx's
// cause or a *Fault.
//
// shoutrrr knows no context: a service that hangs is left behind when the time
// is over, which only ends with the process.
func Send(ctx context.Context, address, title, text string, timeout time.Duration) error {
	service := Service(address)
	if service == "logger" {
		return &Fault{Code: "bad_target", Permanent: true, Text: "logger sends to nobody: name another service"}
	}
	sender, err := (&router.ServiceRouter{}).Locate(address)
	if err != nil {
		return badTarget(address, err)
	}
	body, params := compose(service, address, title, text)
	done := make(chan error, 1)
	go func() { done <- sender.Send(body, &params) }()
	over := time.NewTimer(timeout)
	defer over.Stop()
	select {
	case err := <-done:
		return faultOf(address, err)
	case <-over.C:
		return &Fault{Code: "timed_out", Text: fmt.Sprintf("no answer within %v; the message may have arrived nevertheless", timeout)}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Service is the name that an address begins with, such as smtp; "" if there is
// none. Of generic+https it is generic.
func Service(address string) string {
	scheme, _, ok := strings.Cut(address, "://")
	scheme, _, _ = strings.Cut(scheme, "+")
	if !ok || strings.ContainsFunc(scheme, func(r rune) bool { return !isNamePart(r) }) {
		return ""
	}
	return strings.ToLower(scheme)
}

func isNamePart(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// compose puts the title where the service has a place for it, else on the
// first line. Line breaks are taken out of it: shoutrrr writes it into the
// headers of mails and requests as it is.
func compose(service, address, title, text string) (string, types.Params) {
	title = oneLine(title)
	params := types.Params{}
	switch {
	case title == "":
	case takesTitle(service, address):
		params.SetTitle(encoded(service, title))
	default:
		text = title + "\n\n" + text
	}
	return text, params
}

// takesTitle is false for the services whose configuration has no title;
// shoutrrr fails, or drops it, then.
func takesTitle(service, address string) bool {
	switch service {
	case "googlechat", "hangouts", "wecom", "rocketchat", "pagerduty", "signal", "notifiarr":
		return false
	case "generic": // without a template it sends the bare message
		u, err := url.Parse(address)
		return err == nil && u.Query().Get("template") != ""
	}
	return true
}
