package main

import (
	"context"
	"errors"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

func TestTheBinaryConforms(t *testing.T) {
	addr, _ := silent(t)
	hung := map[string]string{"mail": "smtp://mailer:pa55pa55pa55@" + addr + "/?from=a@mail.example&to=b@mail.example"}
	s := newSlack(t, recorded(t, "posted"))
	b := sdktest.Build(t, ".")
	b.Conform(t, "notify.send", sdktest.Case{Params: notifyJSON(t, hung, `, "timeout": "1s"`)})
	b.Conform(t, "slack.post", sdktest.Case{Params: slackJSON(s, `, "channel": "C1", "text": "hi"`)})
}

// cancelledBy is a context that ends when a request has come.
func cancelledBy(t *testing.T, came <-chan struct{}) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-came
		cancel(errors.New("enough"))
	}()
	return ctx
}
