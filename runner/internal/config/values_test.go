package config

import (
	"reflect"
	"testing"
	"time"
)

// TestLedgerSettings reads all that the config says of the ledger.
func TestLedgerSettings(t *testing.T) {
	file := write(t, "ledger: postgres://me@db/outrider\ninstance: prod\nartifacts: {dir: /share/a/}\nprune: {after: 30d, above: 2GB}\n", t.TempDir(), "outrider.yml")
	got, err := Load(file, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		File: file, Ledger: "postgres://me@db/outrider", Instance: "prod", ArtifactsDir: "/share/a",
		PruneAfter: 30 * 24 * time.Hour, PruneAbove: 2_000_000_000,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for text, want := range map[string]string{
		"prune: {after: 30}\n":       `FILE:1:16: prune.after: 30: want a duration above zero, such as 30d or 36h`,
		"prune: {after: 0d}\n":       `FILE:1:16: prune.after: "0d": want a duration above zero, such as 30d or 36h`,
		"prune: {above: 0}\n":        `FILE:1:16: prune.above: 0: want a size above zero, such as 10GB`,
		"ledger: here.db\n":          `FILE:1:9: ledger: "here.db": want sqlite:/ABSOLUTE/PATH or postgres://USER@HOST/DATABASE`,
		"instance: a b\n":            `FILE:1:11: instance: "a b": want a short name without blanks, such as prod`,
		"artifacts:\n  dir: here\n":  `FILE:2:8: artifacts.dir: "here": want an absolute path`,
		"artifacts: {dir: /a, b: 1}": `FILE:1:22: artifacts.b: unknown key; known here: dir`,
	} {
		file := write(t, text, t.TempDir(), "outrider.yml")
		_, err := Load(file, func(string) string { return "" })
		if got := shown(err, file); got != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		}
	}
}
