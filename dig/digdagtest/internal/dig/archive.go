package dig

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxArchive is how much an archive may hold, unpacked, by default.
const maxArchive = 2 << 20

// LoadArchive reads the workflows of a pushed tar.gz: the .dig files of its
// root, in the order in which the archive has them.
func LoadArchive(data []byte) ([]Definition, error) {
	var defs []Definition
	var failures []string
	total := int64(0)
	err := walk(data, func(h *tar.Header, r io.Reader) error {
		name := filepath.ToSlash(filepath.Clean(h.Name))
		if total += h.Size; total > maxArchive {
			return say("Total size of the archive exceeds limit (%d > %d bytes)", total, maxArchive)
		}
		if h.Typeflag != tar.TypeReg || strings.Contains(name, "/") || !strings.HasSuffix(name, ".dig") {
			return nil
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		workflow := strings.TrimSuffix(name, ".dig")
		d, err := Load(workflow, text)
		if err == nil {
			err = checkWorkflow(workflow)
		}
		if err != nil {
			failures = append(failures, fmt.Sprintf("workflow %s %s", name, err))
		}
		defs = append(defs, d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(failures) > 0 {
		return nil, say("Validating project failed\n%s", strings.Join(failures, "\n"))
	}
	return defs, nil
}

// Extract unpacks an archive into an empty folder. File modes are kept, owners
// and times are not.
func Extract(data []byte, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack the project: %w", err)
	}
	defer root.Close()
	err = walk(data, func(h *tar.Header, r io.Reader) error {
		name := filepath.Clean(h.Name)
		if name == "." {
			return nil
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeDir:
			return root.MkdirAll(name, 0o755)
		case tar.TypeSymlink:
			return root.Symlink(h.Linkname, name)
		case tar.TypeReg:
			f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
			if err != nil {
				return err
			}
			_, err = io.Copy(f, r)
			return errors.Join(err, f.Chmod(h.FileInfo().Mode().Perm()), f.Close())
		}
		return fmt.Errorf("an archive entry of type %q is not in the double", h.Typeflag)
	})
	if err != nil {
		return fmt.Errorf("unpack the project: %w", err)
	}
	return nil
}

func walk(data []byte, visit func(*tar.Header, io.Reader) error) error {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return say("Input is not in the .gz format")
	}
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		if err := visit(h, t); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}
