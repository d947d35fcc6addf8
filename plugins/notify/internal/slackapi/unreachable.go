package slackapi

import (
	"errors"
	"fmt"
	"net"
	"net/url"
)

// unreachable makes a fault of a request that brought no answer. The address in
// it is left out: a webhook's is a secret.
func unreachable(err error) *Fault {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return &Fault{Code: "unreachable", Unsent: true, Text: fmt.Sprintf("Slack cannot be reached: %v: look at the network, the proxy and the address", err)}
	}
	return &Fault{Code: "interrupted", Text: fmt.Sprintf("the connection to Slack broke off: %v; the message may stand there nevertheless", err)}
}
