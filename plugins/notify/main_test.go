package main

import (
	"os"
	"os/exec"
	"path/filepath"
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

// shoutrrr's router links all of its services: that must not make it large.
func TestTheBinaryIsSmall(t *testing.T) {
	out := filepath.Join(t.TempDir(), "plugin")
	build := exec.Command("go", "build", "-trimpath", "-tags", "urfave_cli_no_docs,grpcnotrace", "-ldflags", "-s -w", "-o", out, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if msg, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, msg)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 25<<20 {
		t.Errorf("%d bytes", info.Size())
	}
}
