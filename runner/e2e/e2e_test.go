package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// root is the repository's folder.
func root(t testing.TB) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(filepath.Dir(wd))
}
