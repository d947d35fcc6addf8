package main

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

type waitParams struct {
	Glob         string        `json:"glob" help:"The files to wait for: *, ?, [a-z], {a,b}, and ** for folders of any depth" min:"1"`
	MinFiles     int           `json:"min_files" help:"So many files have to be ready" default:"1" min:"1"`
	MinSize      sdk.Bytes     `json:"min_size" help:"A file smaller than this is not ready" default:"0B"`
	UnchangedFor time.Duration `json:"unchanged_for" help:"A file is ready when it has not changed for so long while it was watched; 0s takes it as it is" default:"10s" min:"0s"`
	Timeout      time.Duration `json:"timeout" help:"How long to wait, longer than unchanged_for; 0s looks once, with unchanged_for 0s" default:"1h" min:"0s"`
	Every        time.Duration `json:"every" help:"The time between two looks" default:"5s" min:"100ms"`
	Limit        int           `json:"limit" help:"The output lists at most so many files, the newest" default:"1000" min:"1"`
}

// Validate checks what a tag cannot say.
func (p waitParams) Validate() error {
	if p.UnchangedFor > 0 && p.Timeout <= p.UnchangedFor {
		return fmt.Errorf("timeout: %v is too short to watch files that are to be unchanged_for %v", p.Timeout, p.UnchangedFor)
	}
	return checkPattern(p.Glob)
}

func (p waitParams) conditions() conditions {
	return conditions{files: p.MinFiles, size: p.MinSize, unchanged: p.UnchangedFor}
}

type waited struct {
	Count     int          `json:"count" help:"How many files are ready, whatever the limit"`
	TotalSize sdk.Bytes    `json:"total_size" help:"Their bytes in all"`
	Newest    string       `json:"newest" help:"The path of the newest"`
	Files     []waitedFile `json:"files" help:"Those that are ready, newest first, as many as limit allows"`
	NotReady  int          `json:"not_ready" help:"How many match as well, but are too small or still changing"`
}

// waitedFile has the name twice if JSON, which is UTF-8, cannot hold it.
type waitedFile struct {
	Path      string    `json:"path" help:"Absolute; in a name that is no UTF-8 each bad byte is U+FFFD"`
	PathBytes []byte    `json:"path_bytes,omitempty" help:"The path as it is, if it is no UTF-8"`
	Size      sdk.Bytes `json:"size" help:"In bytes"`
	Modified  time.Time `json:"modified" help:"When its content was last changed, as the file says"`
}

func waitComponent() sdk.Component {
	return sdk.Define("file.wait", wait,
		sdk.Doc(`Waits until files are there, large enough and no longer changing.

The output lists the files that are ready, newest first, with absolute paths, sizes and times. Files that match but are too small or still changing are counted as not_ready; min_files says for how many to wait. When the time is up the run fails with the code timeout and says what was there.

A file is unchanged while its size, its time of change and the file itself (it may be replaced by another of that name) stay the same. That is watched, not read off the file's time, which copying sets at will: a file that was there for long is watched for unchanged_for as well. Only regular files and links to such are looked at. A name that begins with a dot is matched only by a pattern that says the dot. A pattern with ** enters no folder that is a link, so that loops end; other patterns do. What cannot be read is logged and stands in the error.`),
		sdk.Example("The newest export, when it is whole", `{"glob": "/srv/in/orders-*.csv", "min_size": "1KiB", "unchanged_for": "30s", "limit": 1}`),
		sdk.Example("Three parts anywhere below a folder, written elsewhere and moved there", `{"glob": "/srv/in/**/part-*.parquet", "min_files": 3, "unchanged_for": "0s", "timeout": "6h", "every": "1m"}`))
}

func wait(ctx context.Context, run *sdk.Run, p waitParams) (waited, error) {
	where, err := parsePattern(p.Glob)
	if err != nil {
		return waited{}, err
	}
	wanted := p.conditions()
	deadline := time.Now().Add(p.Timeout)
	var seen map[string]sighting
	told := map[string]bool{}
	for {
		began := time.Now()
		f, err := find(ctx, osDisk{}, where)
		if err != nil {
			return waited{}, fmt.Errorf("looking for %q: %w", p.Glob, err)
		}
		for _, problem := range f.problems {
			if text := problem.Error(); !told[text] {
				told[text] = true
				run.Log().Warn("part of the glob cannot be looked at", "problem", text)
			}
		}
		seen = remember(seen, f.files, began, time.Now())
		v := judge(seen, wanted)
		run.Progress(float64(len(v.ready)), float64(p.MinFiles), v.summary(wanted))
		if len(v.ready) >= p.MinFiles {
			return output(v, p.Limit), nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return waited{}, sdk.Code("timeout", timeoutError(p, where, v, f.problems))
		}
		if err := sleep(ctx, pause(v, p.Every, left)); err != nil {
			return waited{}, fmt.Errorf("waiting for %q, of which %s: %w", p.Glob, v.summary(wanted), err)
		}
	}
}

// sleep returns early, with the cause, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
