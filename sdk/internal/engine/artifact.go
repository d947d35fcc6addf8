package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// maxArtifactName leaves room for the suffix in a file system's 255 bytes.
const maxArtifactName = 200

// Artifact is a file that becomes visible under its name when Close returned
// nil, and not before.
type Artifact struct {
	run  *Run
	name string
	path string
	file *os.File
	sum  hash.Hash
	size int64

	once sync.Once
	err  error
	bad  error // of a write: nothing may be committed after it
}

// Create begins an artifact. One of the same name that is not committed yet is
// abandoned: what it holds is worth nothing to whoever begins anew.
func (r *Run) Create(name string) (*Artifact, error) {
	if err := checkArtifactName(name); err != nil {
		return nil, err
	}
	dir := r.Start.GetArtifactDir()
	if dir == "" {
		return nil, errors.New("the host gave no folder for artifacts")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for artifacts: %w", err)
	}
	file, err := os.CreateTemp(dir, "."+name+".*.partial")
	if err != nil {
		return nil, fmt.Errorf("creating artifact %q: %w", name, err)
	}
	a := &Artifact{run: r, name: name, path: filepath.Join(dir, name), file: file, sum: sha256.New()}
	r.mu.Lock()
	if r.artifacts == nil {
		r.artifacts = map[string]*Artifact{}
	}
	before := r.artifacts[name]
	r.artifacts[name] = a
	r.mu.Unlock()
	if before != nil {
		before.abandon("it was begun anew")
	}
	return a, nil
}

func checkArtifactName(name string) error {
	if name == "" || len(name) > maxArtifactName || strings.HasPrefix(name, ".") ||
		strings.ContainsAny(name, "/\\\x00") || valid(name) != name {
		return fmt.Errorf("%.40q is no name for an artifact: up to %d bytes, no slash, no leading dot", name, maxArtifactName)
	}
	return nil
}

func (a *Artifact) Write(b []byte) (int, error) {
	n, err := a.file.Write(b)
	a.sum.Write(b[:n])
	a.size += int64(n)
	if err != nil {
		a.bad = fmt.Errorf("writing artifact %q: %w", a.name, err)
	}
	return n, a.bad
}

// Close commits the artifact: it is on the disk, under its name, and the host
// knows of it. A second Close returns what the first did.
func (a *Artifact) Close() error {
	a.once.Do(func() {
		a.run.mu.Lock()
		if a.run.artifacts[a.name] == a {
			delete(a.run.artifacts, a.name)
		}
		a.run.mu.Unlock()
		if a.err = a.commit(); a.err != nil {
			a.file.Close()
			os.Remove(a.file.Name())
		}
	})
	return a.err
}

func (a *Artifact) commit() error {
	if a.bad != nil {
		return a.bad
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("writing artifact %q: %w", a.name, err)
	}
	if err := a.file.Close(); err != nil {
		return fmt.Errorf("writing artifact %q: %w", a.name, err)
	}
	if err := os.Rename(a.file.Name(), a.path); err != nil {
		return fmt.Errorf("committing artifact %q: %w", a.name, err)
	}
	if err := syncDir(filepath.Dir(a.path)); err != nil {
		return fmt.Errorf("committing artifact %q: %w", a.name, err)
	}
	m := &taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Artifact{Artifact: &taskv1.Artifact{
		Name: a.name, Size: a.size, Sha256: hex.EncodeToString(a.sum.Sum(nil)),
	}}}
	// A cancelled run may still commit what it has: the stream's end is what
	// ends the wait.
	if _, err := a.run.ask(context.WithoutCancel(a.run.ctx), m); err != nil {
		return fmt.Errorf("committing artifact %q: %w", a.name, err)
	}
	return nil
}

// abandon is Close without the commit.
func (a *Artifact) abandon(why string) {
	a.once.Do(func() {
		a.err = fmt.Errorf("artifact %q was not closed before %s", a.name, why)
		a.file.Close()
		os.Remove(a.file.Name())
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
