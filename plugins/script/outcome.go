package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"

	"github.com/outrider-run/outrider/plugins/script/internal/command"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// failure is the error of a command that did not end well, as the manifest's
// exit_codes have it. Its text is what the command said of it on descriptor 3,
// else the last line on stderr that tells what is wrong.
func (s script) failure(ctx context.Context, exit command.Exit, h *hearer) error {
	text, code := h.said(), ""
	if h.failure != nil {
		code = h.failure.Code
		text = cmp.Or(h.failure.Message, text)
	}
	if exit.Cancelled {
		// Whatever code it ended with, 0 too: it did not do its work to the end.
		return fmt.Errorf("%w: the command was asked to stop and ended: %s", context.Cause(ctx), exit)
	}
	outcome, _ := s.Outcome(exit.Code)
	if exit.Signal != 0 {
		outcome = manifest.OutcomeFail
	}
	if outcome == manifest.OutcomeSkip {
		return sdk.Skip(cmp.Or(text, exit.String()))
	}
	err := errors.New(exit.String())
	if text != "" {
		err = fmt.Errorf("%s: %s", exit, text)
	}
	if code != "" {
		err = sdk.Code(code, err)
	}
	if outcome == manifest.OutcomePermanent {
		err = sdk.Permanent(err)
	}
	return err
}

// startError is the error of a command that could not be started at all.
func startError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, exec.ErrNotFound):
		return sdk.Code("program_not_found", sdk.Permanent(err))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOEXEC):
		return sdk.Code("program_not_executable", sdk.Permanent(err))
	}
	return err
}
