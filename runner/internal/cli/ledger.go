package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/state"
)

// book is the open ledger with the folder that its files stand in.
type book struct {
	*ledger.Ledger
	dir    state.Dir
	config config.Config
}

// openBook opens the ledger for the verbs that read it or change what is in it.
func openBook(ctx context.Context, configFile string) (*book, error) {
	cfg, err := config.Load(configFile, os.Getenv)
	if err != nil {
		return nil, &term.Exit{Code: term.Misused, Err: err}
	}
	d, err := state.Open(os.Getenv)
	if err != nil {
		return nil, host(err)
	}
	url, err := ledgerURL(cfg, d)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(ctx, url, true)
	if err != nil {
		return nil, host(err)
	}
	return &book{l, d, cfg}, nil
}

// ledgerURL is where runs are recorded: $OUTRIDER_LEDGER, the config's ledger, else
// a file in the state folder.
func ledgerURL(cfg config.Config, d state.Dir) (string, error) {
	if url := os.Getenv("OUTRIDER_LEDGER"); url != "" {
		if err := config.CheckLedger(url); err != nil {
			return "", term.Usage("OUTRIDER_LEDGER: %w", err)
		}
		return url, nil
	}
	if cfg.Ledger != "" {
		return cfg.Ledger, nil
	}
	return "sqlite:" + filepath.Join(d.Root(), "ledger.db"), nil
}

// logPath is where a run's full log stands.
func logPath(d state.Dir, id string) string { return filepath.Join(d.Root(), "logs", id+".log.zst") }
