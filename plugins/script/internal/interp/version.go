package interp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"
)

// probeOutput is how much of an answer to `X --version` is read.
const probeOutput = 8 << 10

// versionText finds a version in what `X --version` prints: Python 3.11.7,
// v20.11.0, GNU bash, version 5.2.37(1)-release, (v5.40.1), 3.14.0rc1.
var versionText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(\d+)\.(\d+)(?:\.(\d+))?(?:[-.]?((?:a|b|rc|alpha|beta|pre|preview|dev|nightly)[0-9]*))?`)
})

// parseVersion returns the first version in text, or nil.
func parseVersion(text string) *semver.Version {
	m := versionText().FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	s := m[1] + "." + m[2]
	if m[3] != "" {
		s += "." + m[3]
	}
	if m[4] != "" {
		s += "-" + m[4]
	}
	v, err := semver.NewVersion(s)
	if err != nil {
		return nil // a number beyond 64 bits
	}
	return v
}

// probe asks the program for its version. It runs in the script's folder, since
// the shims of version managers choose by the folder.
func (f Finder) probe(ctx context.Context, path string) (*semver.Version, error) {
	timeout := cmp.Or(f.Timeout, 5*time.Second)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out capped
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Dir, cmd.Env = f.Dir, f.Env
	cmd.Stdout, cmd.Stderr = &out, &out // Python 2 answers on stderr
	cmd.WaitDelay = time.Second         // for one that leaves a child behind
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("--version gave no answer within %s", timeout)
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return nil, fmt.Errorf("--version failed: %w%s", err, firstLine(out.text))
	}
	v := parseVersion(string(out.text))
	if v == nil {
		return nil, fmt.Errorf("--version names no version%s", firstLine(out.text))
	}
	return v, nil
}

// firstLine returns ": " and the first line that says something, cut short.
func firstLine(text []byte) string {
	for line := range strings.Lines(strings.ToValidUTF8(string(text), "\uFFFD")) {
		if line = strings.TrimSpace(line); line != "" {
			return fmt.Sprintf(": %.120s", line)
		}
	}
	return ""
}

// capped keeps the start of what is written to it and drops the rest. Stdout
// and stderr share one, which os/exec then writes from a single goroutine.
type capped struct{ text []byte }

func (c *capped) Write(p []byte) (int, error) {
	c.text = append(c.text, p[:min(len(p), probeOutput-len(c.text))]...)
	return len(p), nil
}
