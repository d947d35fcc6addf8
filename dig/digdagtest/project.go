package digdagtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// Push pushes the folder as a new revision of the project. Workflows are the
// .dig files at its top; file modes go along.
func (s *Server) Push(ctx context.Context, project, dir string) (Project, error) {
	archive, err := Archive(dir)
	if err != nil {
		return Project{}, err
	}
	var p Project
	query := url.Values{"project": {project}, "revision": {rand.Text()}}
	err = s.client.do(ctx, http.MethodPut, "/api/projects?"+query.Encode(), "application/gzip", archive, &p)
	return p, err
}

// Archive packs a folder as Digdag wants it: a tar.gz with its regular files
// and links.
func Archive(dir string) ([]byte, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	t := tar.NewWriter(z)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(path); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		if h.Name, err = filepath.Rel(dir, path); err != nil {
			return err
		}
		if err := t.WriteHeader(h); err != nil || link != "" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = t.Write(data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", dir, err)
	}
	if err := t.Close(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", dir, err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", dir, err)
	}
	return packed.Bytes(), nil
}

// Workflow finds a workflow in the newest revision of a project.
func (s *Server) Workflow(ctx context.Context, project, workflow string) (Workflow, error) {
	var projects struct{ Projects []Project }
	if err := s.Get(ctx, "/api/projects?name="+url.QueryEscape(project), &projects); err != nil {
		return Workflow{}, err
	}
	if len(projects.Projects) == 0 {
		return Workflow{}, fmt.Errorf("no project %q", project)
	}
	var w Workflow
	err := s.Get(ctx, "/api/projects/"+projects.Projects[0].ID+"/workflows/"+url.PathEscape(workflow), &w)
	return w, err
}
