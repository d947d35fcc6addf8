package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// state is what is known of a candidate without reading it.
type state int

const (
	unknown state = iota // it is new or has changed
	known                // what it serves is known
	failed               // it could not be described when it was last tried
	refused              // it may not be used, whatever it serves
)

// status is a candidate's state, what it serves as far as that is known, and why
// it is failed or refused.
func (c *Catalog) status(cand *candidate) (state, []string, error) {
	r, ok := c.cache.get(cand.path)
	names := r.Components
	if cand.err != nil {
		if cand.script && names == nil {
			// Reading is no risk, running is.
			if s, err := manifest.LoadScript(cand.path); err == nil {
				names = []string{s.Name}
			}
		}
		return refused, names, cand.err
	}
	if !ok || r.Key != cand.key {
		return unknown, names, nil
	}
	if c.options.Lock != nil {
		if d := c.options.Lock.compare(cand.path, r.SHA256); d != nil {
			return refused, append(c.options.Lock.components(cand.path), names...), d
		}
	}
	switch {
	case r.Error != "":
		return failed, names, errors.New(r.Error)
	case !r.Described:
		return unknown, names, nil
	}
	return known, names, nil
}

// learnAll learns in parallel what those candidates serve.
func (c *Catalog) learnAll(ctx context.Context, all []*candidate) {
	next := make(chan *candidate)
	var wg sync.WaitGroup
	for range min(runtime.NumCPU(), len(all)) {
		wg.Go(func() {
			for cand := range next {
				c.learn(ctx, cand)
			}
		})
	}
	for _, cand := range all {
		next <- cand
	}
	close(next)
	wg.Wait()
}

// learn brings the cache up to date with a candidate; it does next to nothing
// where it is already.
func (c *Catalog) learn(ctx context.Context, cand *candidate) {
	switch s, _, _ := c.status(cand); s {
	case refused:
		return
	case known:
		r, _ := c.cache.get(cand.path)
		if _, ok := c.cache.manifest(r.SHA256); ok {
			return
		}
	}
	const tries = 3
	for range tries {
		r, err := c.describeFile(ctx, cand)
		if err == nil || !errors.Is(err, errChanging) {
			cand.key = r.Key
			if err != nil {
				r.Error = err.Error()
				r.fleeting = r.fleeting || ctx.Err() != nil // not the file's fault
			}
			c.cache.put(cand.path, r)
			return
		}
	}
	c.cache.put(cand.path, record{Key: cand.key, Error: errChanging.Error(), fleeting: true})
}

// describeFile returns a record that has a key even with an error.
func (c *Catalog) describeFile(ctx context.Context, cand *candidate) (record, error) {
	if cand.script {
		return c.readScript(ctx, cand)
	}
	sum, key, settled, err := hash(ctx, cand.path)
	if err != nil {
		return record{Key: cand.key, fleeting: true}, err
	}
	r := record{Key: key, SHA256: sum, fleeting: !settled}
	if c.options.Lock != nil && c.options.Lock.compare(cand.path, sum) != nil {
		return r, nil // not to be run; status says why
	}
	m, ok := c.cache.manifest(sum)
	if !ok {
		if m, err = describe(ctx, cand.path, c.options.DescribeTimeout); err != nil {
			return r, err
		}
		// What answered must be what was hashed.
		if st, err := stat(cand.path); err != nil || keyOf(st) != key {
			return r, errChanging
		}
		c.cache.putManifest(sum, m)
	}
	return r.described(m), nil
}

func (c *Catalog) readScript(ctx context.Context, cand *candidate) (record, error) {
	var text bytes.Buffer
	key, settled, err := read(ctx, cand.path, func(r io.Reader) error {
		text.Reset()
		_, err := text.ReadFrom(io.LimitReader(r, manifest.MaxYAML+1))
		return err
	})
	if err != nil {
		return record{Key: cand.key, fleeting: true}, err
	}
	sum := sha256.Sum256(text.Bytes())
	r := record{Key: key, SHA256: hex.EncodeToString(sum[:]), fleeting: !settled}
	s, err := manifest.ParseScript(text.Bytes())
	if err != nil {
		return r, err
	}
	if program, isFile := s.Program(filepath.Dir(cand.path)); isFile {
		r.Program = program
		r.Executed = s.Interpreter == ""
	}
	m := manifest.Manifest{Components: []manifest.Component{s.Component()}}
	c.cache.putManifest(r.SHA256, m)
	return r.described(m), nil
}

func (r record) described(m manifest.Manifest) record {
	r.Described = true
	for _, comp := range m.Components {
		r.Components = append(r.Components, comp.Name)
	}
	return r
}

// entries returns what a known candidate serves; an error beside entries is
// something that their user should know.
func (c *Catalog) entries(cand *candidate, server *candidate) ([]Entry, error) {
	s, _, err := c.status(cand)
	if s != known {
		if err == nil {
			err = errChanging
		}
		return nil, err
	}
	r, _ := c.cache.get(cand.path)
	m, ok := c.cache.manifest(r.SHA256)
	if !ok {
		return nil, errors.New("what it serves could not be kept")
	}
	plugin, args := cand.path, []string(nil)
	if cand.script {
		if server == nil {
			return nil, fmt.Errorf("needs the plugin %s, which is in none of the folders", scriptPlugin)
		}
		if err := checkProgram(r); err != nil {
			return nil, err
		}
		plugin, args = server.path, []string{"--manifest", cand.path}
	}
	entries := make([]Entry, len(m.Components))
	for i, comp := range m.Components {
		entries[i] = Entry{
			Component: comp, Plugin: plugin, Args: args,
			Source: cand.path, SHA256: r.SHA256, Program: r.Program, Version: m.Version,
		}
	}
	if c.options.Lock != nil && cand.script {
		for _, e := range entries {
			if err := c.CheckEntry(e, *c.options.Lock); err != nil {
				return nil, err
			}
		}
	}
	return entries, checkProtocol(m)
}

// checkProgram reports why a manifest's program cannot be run, or must not.
func checkProgram(r record) error {
	if r.Program == "" {
		return nil
	}
	st, err := stat(r.Program)
	if err == nil {
		err = usable(st, r.Executed)
	}
	if err != nil {
		return fmt.Errorf("its program %s: %w", r.Program, err)
	}
	folder, err := stat(filepath.Dir(r.Program))
	if err == nil && folder.Mode&0o002 != 0 {
		err = errWorldWritable
	}
	if err != nil {
		return fmt.Errorf("the folder of its program %s: %w", r.Program, err)
	}
	return nil
}
