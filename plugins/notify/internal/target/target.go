// Package target sends one message to one service address of shoutrrr, and
// says of a failure whether a retry helps. No part of the address that could be
// a secret stands in what it returns. How many targets there are is not its
// matter. It puts a guard before http.DefaultTransport: nothing else of this
// plugin sends through that.
// https://shoutrrr.nickfedor.com lists the services and their addresses.
package target

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// Send sends a message, with a title unless it is empty, to receivers of one address,
// and returns the keys of those that have it. The error is ctx's cause or a *Fault.
//
// shoutrrr knows no context: a service that hangs is left behind when the time
// is over, which only ends with the process.
func Send(ctx context.Context, to []Receiver, title, text string, timeout time.Duration) (reached []string, err error) {
	ended := make(chan error, len(to)) // one for each, in order
	go func() {
		for _, r := range to {
			ended <- r.send(title, text)
		}
	}()
	over := time.NewTimer(timeout)
	defer over.Stop()
	var faults []*Fault
	for _, r := range to {
		select {
		case err := <-ended:
			if f := faultOf(r.address, err); f != nil {
				faults = append(faults, f.of(r))
				continue
			}
			reached = append(reached, r.Key)
		case <-over.C:
			return reached, joined(append(faults, (&Fault{Code: "timed_out", Text: fmt.Sprintf("no answer within %v; the message may have arrived nevertheless", timeout)}).of(r)))
		case <-ctx.Done():
			return reached, context.Cause(ctx)
		}
	}
	return reached, joined(faults)
}

// send makes an error of a panic, of which shoutrrr has some.
func (r Receiver) send(title, text string) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("the library shoutrrr failed: %v; the message may have arrived nevertheless", why)
		}
	}()
	body, params := compose(Service(r.address), r.address, title, text)
	return r.sender.Send(body, &params)
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
