package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

type lookOutput struct{ Looks int }

// lookUntil runs until as a component.
func lookUntil(t *testing.T, w Waiting, look func(n int) error) (int, sdktest.Outcome) {
	t.Helper()
	out, o := sdktest.Run(t, func(ctx context.Context, run *sdk.Run, _ struct{}) (lookOutput, error) {
		n := 0
		_, looks, err := until(ctx, run, w, func(context.Context) (struct{}, error) {
			n++
			return struct{}{}, look(n)
		})
		if looks != n {
			t.Errorf("%d looks are told, there were %d", looks, n)
		}
		return lookOutput{looks}, err
	}, struct{}{})
	return out.Looks, o
}

// TestTheLastLookIsAtTheEnd of the time, however long every is.
func TestTheLastLookIsAtTheEnd(t *testing.T) {
	began := time.Now()
	w := Waiting{Wait: new(30 * time.Millisecond), Every: time.Hour}
	looks, o := lookUntil(t, w, func(n int) error {
		if n == 1 {
			return errors.New("not yet")
		}
		if time.Since(began) < *w.Wait {
			t.Error("it looked before the end")
		}
		return nil
	})
	if o.Err() != nil || looks != 2 {
		t.Errorf("%d looks, %v", looks, o.Err())
	}
	if _, o := lookUntil(t, w, func(n int) error { return fmt.Errorf("no %d", n) }); o.Error != "not so within 30ms, after 2 looks: no 2" {
		t.Errorf("%q", o.Error)
	}
}

func TestLooksAreToldOnceEachReason(t *testing.T) {
	errs := []error{errors.New("a"), errors.New("a"), errors.New("b"), backoff.Permanent(errors.New("never"))}
	_, o := lookUntil(t, Waiting{Wait: new(time.Hour), Every: time.Millisecond}, func(n int) error { return errs[n-1] })
	if o.Error != "never" {
		t.Errorf("%q", o.Error)
	}
	var told []string
	for _, l := range o.Logs {
		told = append(told, fmt.Sprint(l.Fields["why"]))
	}
	if strings.Join(told, " ") != "a b" || len(o.Progress) == 0 || o.Progress[len(o.Progress)-1].Note != "look 3: b" {
		t.Errorf("%v, %+v", told, o.Progress)
	}
	if looks, o := lookUntil(t, Waiting{Every: time.Millisecond}, func(int) error { return errors.New("alone") }); looks > 1 || o.Error != "alone" || len(o.Logs)+len(o.Progress) > 0 {
		t.Errorf("%d looks, %q, %v", looks, o.Error, o.Logs)
	}
}
