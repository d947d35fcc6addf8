// Command probe is a plugin for tests: components that end, talk and misbehave in
// every way that the host has to deal with.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

type empty struct{}

type endParams struct {
	Kind    string        `json:"kind" enum:"ok,unchanged,fail,permanent,skip,code,later,panic,exit,segv" help:"How to end."`
	Message string        `json:"message" default:"because"`
	After   time.Duration `json:"after" default:"0s" help:"With later: the wish."`
	Fails   int           `json:"fails" default:"0" help:"End well after this many attempts."`
}

type endOutput struct {
	Attempt int    `json:"attempt"`
	Key     string `json:"key"`
}

// end ends in the way that kind says; with fails only the first attempts do.
func end(_ context.Context, run *sdk.Run, p endParams) (endOutput, error) {
	out := endOutput{run.Attempt(), run.Key()}
	if p.Fails > 0 && run.Attempt() > p.Fails {
		return out, nil
	}
	err := errors.New(p.Message)
	switch p.Kind {
	case "unchanged":
		return out, sdk.Unchanged()
	case "fail":
		return out, err
	case "permanent":
		return out, sdk.Permanent(err)
	case "skip":
		return out, sdk.Skip(p.Message)
	case "code":
		return out, sdk.Code("stable_code", err)
	case "later":
		return out, sdk.RetryAfter(p.After, err)
	case "panic":
		panic(p.Message)
	case "exit":
		os.Exit(7)
	case "segv":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	}
	return out, nil
}

type echoParams struct {
	Text   string            `json:"text" default:""`
	Token  *sdk.Secret       `json:"token" help:"Said in every encoding."`
	Tags   []string          `json:"tags" default:"[]"`
	Map    map[string]string `json:"map" default:"{}"`
	Number int64             `json:"number" default:"0"`
	Flag   bool              `json:"flag" default:"false"`
	Well   bool              `json:"well" default:"false" help:"End well with a token too."`
}

// echo says its parameters, the secret in every encoding, in logs and output.
func echo(_ context.Context, run *sdk.Run, p echoParams) (map[string]any, error) {
	out := map[string]any{"text": p.Text, "tags": p.Tags, "map": p.Map, "number": p.Number, "flag": p.Flag}
	if p.Token == nil {
		return out, nil
	}
	s := p.Token.Reveal()
	quoted, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	forms := []string{
		s, string(quoted), url.QueryEscape(s), url.PathEscape(s),
		base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
		base64.StdEncoding.EncodeToString([]byte("user:" + s)),
	}
	for _, f := range forms {
		run.Log().Info("raw "+f, "value", f)
		fmt.Fprintln(os.Stderr, "stderr", f)
		fmt.Println("stdout", f)
	}
	out["echo"] = forms
	if p.Well {
		return out, nil
	}
	return out, sdk.Code("echo", fmt.Errorf("failed with %s", strings.Join(forms, " ")))
}

type stayParams struct {
	Mark  string        `json:"mark" default:"" help:"FIFO to write the pid to once it runs."`
	Obey  bool          `json:"obey" default:"true"`
	Well  bool          `json:"well" default:"false" help:"When told to stop, say that all is well."`
	Child bool          `json:"child" default:"false" help:"Start a child that stays too."`
	For   time.Duration `json:"for" default:"0s" help:"Stop after this long; 0 is never."`
}

// stay stays until it is told to stop, or longer.
func stay(ctx context.Context, run *sdk.Run, p stayParams) (empty, error) {
	dir, err := run.TempDir()
	if err != nil {
		return empty{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, "left"), []byte("x"), 0o600); err != nil {
		return empty{}, err
	}
	if p.Child {
		if err := exec.Command("sleep", "1000").Start(); err != nil {
			return empty{}, err
		}
	}
	if p.Mark != "" {
		if err := os.WriteFile(p.Mark, []byte(fmt.Sprint(os.Getpid())), 0o600); err != nil {
			return empty{}, err
		}
	}
	if !p.Obey {
		select {}
	}
	var over <-chan time.Time
	if p.For > 0 {
		over = time.After(p.For)
	}
	select {
	case <-over:
		return empty{}, nil
	case <-ctx.Done():
	}
	run.Log().Info("stopping", "why", context.Cause(ctx).Error())
	if p.Well {
		return empty{}, nil
	}
	return empty{}, context.Cause(ctx)
}

type stepsParams struct {
	Steps int           `json:"steps" default:"4"`
	Pause time.Duration `json:"pause" default:"0s"`
}

// steps reports its progress.
func steps(_ context.Context, run *sdk.Run, p stepsParams) (empty, error) {
	for i := range p.Steps {
		time.Sleep(p.Pause)
		run.Progress(float64(i+1), float64(p.Steps), fmt.Sprintf("step %d", i+1))
	}
	return empty{}, nil
}

type keepParams struct {
	Name string `json:"name" default:"report.txt"`
	Text string `json:"text" default:"kept"`
}

// keep makes an artifact.
func keep(_ context.Context, run *sdk.Run, p keepParams) (empty, error) {
	w, err := run.Create(p.Name)
	if err != nil {
		return empty{}, err
	}
	if _, err := w.Write([]byte(p.Text)); err != nil {
		return empty{}, err
	}
	return empty{}, w.Close()
}

type climbParams struct {
	FailAt int `json:"fail_at" help:"The step at which a climb that began below it fails."`
}

type climbOutput struct {
	Began int `json:"began"`
}

// climb goes on from its last checkpoint.
func climb(ctx context.Context, run *sdk.Run, p climbParams) (climbOutput, error) {
	var out climbOutput
	if _, err := run.Restore(&out.Began); err != nil {
		return out, err
	}
	for step := out.Began + 1; step <= p.FailAt+2; step++ {
		if err := run.Checkpoint(ctx, step); err != nil {
			return out, err
		}
		if step == p.FailAt {
			return out, fmt.Errorf("fell at step %d", step)
		}
	}
	return out, nil
}

type callerOutput struct {
	Engine      string    `json:"engine"`
	Project     string    `json:"project"`
	Workflow    string    `json:"workflow"`
	Task        string    `json:"task"`
	LogicalTime time.Time `json:"logical_time"`
	Link        string    `json:"link"`
	Attempt     int       `json:"attempt"`
}

// caller tells who called.
func caller(_ context.Context, run *sdk.Run, _ empty) (callerOutput, error) {
	c := run.Caller()
	return callerOutput{c.Engine, c.Project, c.Workflow, c.Task, c.LogicalTime, c.Link, run.Attempt()}, nil
}

type bodyParams struct {
	File  string        `json:"file" help:"What tells of its bodies, and whose flock a body holds."`
	For   time.Duration `json:"for" default:"0s"`
	Mark  string        `json:"mark" default:"" help:"FIFO to write the pid to once it runs."`
	Until bool          `json:"until" default:"false" help:"Stay until told to stop, then say that all is well."`
	// Release is looked for as a task's shell would do.
	Release string `json:"release" default:"" help:"Stay until this file is there."`
}

type bodyOutput struct {
	Run   string `json:"run"`
	Fence int64  `json:"fence"`
}

// body tells in a file when it begins and ends, and whether another body runs.
func body(ctx context.Context, run *sdk.Run, p bodyParams) (bodyOutput, error) {
	fence, _ := run.Fence()
	out := bodyOutput{run.ID(), fence}
	f, err := os.OpenFile(p.File, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return out, err
	}
	defer func() { _ = f.Close() }()
	say := func(word string) {
		if err == nil {
			_, err = fmt.Fprintf(f, "%s %s %.6f\n", word, run.ID(), float64(time.Now().UnixMicro())/1e6)
		}
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		say("overlap")
	}
	say("begin")
	run.Log().Info("begun")
	if p.Mark != "" && err == nil {
		err = os.WriteFile(p.Mark, []byte(fmt.Sprint(os.Getpid())), 0o600)
	}
	var over <-chan time.Time
	if !p.Until {
		over = time.After(p.For)
	}
	released := func() bool {
		_, missing := os.Stat(p.Release)
		return p.Release == "" || missing == nil
	}
	for ctx.Err() == nil && !released() {
		time.Sleep(20 * time.Millisecond)
	}
	if ctx.Err() == nil {
		select {
		case <-over:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil && !p.Until {
		return out, context.Cause(ctx)
	}
	say("end")
	return out, err
}

type readParams struct {
	Task string `json:"task" default:""`
	Name string `json:"name" default:"report.txt"`
}

type readOutput struct {
	Text string `json:"text"`
}

// read reads an artifact of another task.
func read(_ context.Context, run *sdk.Run, p readParams) (readOutput, error) {
	f, err := run.Open(p.Task, p.Name)
	if err != nil {
		return readOutput{}, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(f)
	return readOutput{string(text)}, err
}

func destroy(context.Context, *sdk.Run, empty) (empty, error) { return empty{}, nil }

func main() {
	sdk.Serve(
		sdk.Define("probe.end", end, sdk.Doc("Ends in the way asked for.")),
		sdk.Define("probe.echo", echo, sdk.Doc("Says its parameters.")),
		sdk.Define("probe.say", say, sdk.Doc("Has the outputs that it is told to have.")),
		sdk.Define("probe.stay", stay, sdk.Doc("Stays until told to stop.")),
		sdk.Define("probe.steps", steps, sdk.Doc("Reports progress.")),
		sdk.Define("probe.keep", keep, sdk.Doc("Makes an artifact.")),
		sdk.Define("probe.climb", climb, sdk.Doc("Climbs, and remembers how far.")),
		sdk.Define("probe.caller", caller, sdk.Doc("Tells who called.")),
		sdk.Define("probe.body", body, sdk.Doc("Tells of its bodies.")),
		sdk.Define("probe.read", read, sdk.Doc("Reads an artifact.")),
		sdk.Define("probe.observe", look, sdk.Doc("Observes an engine that is none.")),
		sdk.Define("probe.destroy", destroy, sdk.Doc("Destroys nothing, but asks."), sdk.Destructive()),
		toy("status"), toy("start"), toy("wait"), toy("retry"), toy("logs"), toy("kill", sdk.Destructive()),
	)
}
