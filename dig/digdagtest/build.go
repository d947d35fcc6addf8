package digdagtest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// BuildDouble builds the double into dir and gives the path of the program, for
// Options.Double. Tests that start more than one server build it once.
func BuildDouble(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "digdag-double")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", path,
		"github.com/outrider-run/outrider/dig/digdagtest/cmd/digdag-double")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the double of Digdag: %w\n%s", err, out)
	}
	return path, nil
}
