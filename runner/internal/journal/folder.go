package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const suffix = ".log.zst"

// Path is where the log of a run stands in the folder of the logs.
func Path(dir, run string) string { return filepath.Join(dir, run+suffix) }

// Prune removes the logs of the runs that keep does not want, and returns how many
// and how many bytes they had. It goes on after an error. A folder that is not
// there has no logs; other files in it are left alone.
func Prune(dir string, keep func(run string) bool) (files int, bytes int64, err error) {
	var errs []error
	err = eachLog(dir, func(run string, size int64) {
		if keep(run) {
			return
		}
		switch err := os.Remove(Path(dir, run)); {
		case err == nil:
			files, bytes = files+1, bytes+size
		case !errors.Is(err, fs.ErrNotExist): // another process prunes too
			errs = append(errs, fmt.Errorf("remove the log of %s: %w", run, err))
		}
	})
	return files, bytes, errors.Join(append(errs, err)...)
}

// Size is how many bytes the logs in a folder have.
func Size(dir string) (int64, error) {
	var sum int64
	err := eachLog(dir, func(_ string, size int64) { sum += size })
	return sum, err
}

func eachLog(dir string, do func(run string, size int64)) error {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list logs: %w", err)
	}
	var errs []error
	for _, f := range files {
		run, ok := strings.CutSuffix(f.Name(), suffix)
		if !ok || !f.Type().IsRegular() {
			continue
		}
		info, err := f.Info()
		switch {
		case err == nil:
			do(run, info.Size())
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
