package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/dustin/go-humanize"
	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/ledger"
)

func (a *app) artifacts() *cli.Command {
	return term.Group("outrider", "artifacts", "list and get files that runs have kept",
		"  outrider artifacts list 01KAMM2V\n"+
			"  outrider artifacts get -o report.csv 01KAMM2V report.csv",
		a.artifactsList(), a.artifactsGet())
}

func (a *app) artifactsList() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list the artifacts of a run", ArgsUsage: "RUN",
		Description: "  outrider artifacts list --format json 01KAMM2V",
		Flags:       []cli.Flag{term.FormatFlag("table", "json"), configFlag()},
		Action: onBook(func(ctx context.Context, b *book, c *cli.Context) error {
			format, err := term.Format(c, "table", "json")
			if err != nil {
				return err
			}
			got, err := term.Args(c, 1, 1, "the run's id")
			if err != nil {
				return err
			}
			r, all, err := artifactsOf(ctx, b, got[0])
			if err != nil {
				return err
			}
			if format == "json" {
				return term.JSON(a.Out, append([]ledger.Artifact{}, all...)) // none is [], not null
			}
			if len(all) == 0 {
				a.say("run %s has no artifacts", r.ID)
				return nil
			}
			rows := make([][]string, len(all))
			for i, x := range all {
				rows[i] = []string{term.Printable(x.Name), humanize.Bytes(uint64(max(x.Size, 0))), term.Clock(x.At), x.Host, x.Path}
			}
			return term.Table(a.Out, []string{"ARTIFACT", "SIZE", "MADE", "HOST", "PATH"}, rows)
		}),
	}
}

func artifactsOf(ctx context.Context, b *book, start string) (ledger.Run, []ledger.Artifact, error) {
	r, err := findRun(ctx, b, start)
	if err != nil {
		return r, nil, err
	}
	all, err := b.Artifacts(ctx, r.ID)
	if err != nil {
		return r, nil, host(err)
	}
	return r, all, nil
}

func (a *app) artifactsGet() *cli.Command {
	return &cli.Command{
		Name: "get", Usage: "print an artifact, or write it to a file", ArgsUsage: "RUN NAME",
		Description: "  outrider artifacts get 01KAMM2V report.csv | head\n" +
			"  outrider artifacts get -o report.csv 01KAMM2V report.csv",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write it to `FILE`, whole or not at all"},
			configFlag(),
		},
		Action: onBook(func(ctx context.Context, b *book, c *cli.Context) error {
			got, err := term.Args(c, 2, 2, "the run's id and the artifact's name")
			if err != nil {
				return err
			}
			r, all, err := artifactsOf(ctx, b, got[0])
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(x ledger.Artifact) bool { return x.Name == got[1] })
			if i < 0 {
				return term.Usage("run %s has no artifact %q; see outrider artifacts list %s", r.ID, got[1], r.ID)
			}
			return a.getArtifact(b, all[i], c.String("output"))
		}),
	}
}

func (a *app) getArtifact(b *book, x ledger.Artifact, to string) error {
	f, err := os.Open(x.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && x.Host != b.Host():
		return &term.Exit{Code: 1, Err: fmt.Errorf("artifact_elsewhere: %s is on %s, not on %s: get it there, or set artifacts.dir to a folder that all hosts share", x.Name, x.Host, b.Host())}
	case errors.Is(err, fs.ErrNotExist):
		return &term.Exit{Code: 1, Err: fmt.Errorf("artifact %s is gone: %w", x.Name, err)}
	case err != nil:
		return host(err)
	}
	defer func() { _ = f.Close() }()
	if to == "" {
		return copyChecked(a.Out, f, x)
	}
	if st, err := os.Stat(to); err == nil && !st.Mode().IsRegular() {
		return term.Usage("-o %s: it is no file; leave -o away to have the artifact on stdout", to)
	}
	out, err := renameio.NewPendingFile(to, renameio.WithPermissions(0o666))
	if err != nil {
		return host(fmt.Errorf("write --output: %w", err))
	}
	defer func() { _ = out.Cleanup() }()
	if err := copyChecked(out, f, x); err != nil {
		return err
	}
	if err := out.CloseAtomicallyReplace(); err != nil {
		return host(fmt.Errorf("write --output: %w", err))
	}
	return nil
}

// copyChecked copies an artifact and fails when it is not what was recorded.
func copyChecked(w io.Writer, f io.Reader, x ledger.Artifact) error {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(sum, w), f)
	if err != nil {
		return host(fmt.Errorf("copy artifact %s: %w", x.Name, err))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); x.SHA256 != "" && got != x.SHA256 {
		return &term.Exit{Code: 1, Err: fmt.Errorf("artifact %s was changed since: %s has %d bytes with sha256 %s, recorded are %d with %s", x.Name, x.Path, n, got, x.Size, x.SHA256)}
	}
	return nil
}
