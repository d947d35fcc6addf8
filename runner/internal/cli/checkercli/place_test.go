package checkercli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// placeOf is where the checker with these flags and this config keeps what it remembers.
func placeOf(t *testing.T, text string, g given) place {
	t.Helper()
	g.config = filepath.Join(t.TempDir(), "outrider.yml")
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, s, err := g.settings()
	if err != nil {
		t.Fatal(err)
	}
	return g.place(cfg, s, "/s")
}

// TestOthersSourcesAreElsewhere: who watches other sources does not share their memory.
func TestOthersSourcesAreElsewhere(t *testing.T) {
	t.Setenv("OUTRIDER_LEDGER", "")
	t.Setenv("OUTRIDER_INSTANCE", "")
	const prod = "sources: {digdag: {engine: digdag, endpoint: 'http://prod'}}\n"
	names := map[string]string{}
	for what, p := range map[string]place{
		"the config":           placeOf(t, prod, given{}),
		"digdag":               placeOf(t, "", given{digdag: "http://d"}),
		"airflow":              placeOf(t, "", given{airflow: "http://d"}),
		"both":                 placeOf(t, "", given{digdag: "http://d", airflow: "http://d"}),
		"digdag elsewhere":     placeOf(t, "", given{digdag: "http://staging"}),
		"beside a config":      placeOf(t, prod, given{ledger: true}),
		"a source is replaced": placeOf(t, prod, given{digdag: "http://test"}),
	} {
		file := p.file(".db")
		if other, taken := names[file]; taken {
			t.Errorf("%s and %s share %s", what, other, file)
		}
		names[file] = what
	}
	if names["/s/checker.db"] != "the config" {
		t.Errorf("%v", names)
	}
	if p := placeOf(t, prod, given{digdag: "http://prod/"}); p.file(".db") != "/s/checker.db" {
		t.Errorf("the same server is another: %s", p)
	}
	t.Setenv("OUTRIDER_DIGDAG_ENDPOINT", "http://d")
	if a, b := placeOf(t, "", given{}), placeOf(t, "rules: []\n", given{digdag: "http://d"}); a != b || a.name == "" {
		t.Errorf("%s is not %s", a, b)
	}
	if p := placeOf(t, prod, given{}); p.file(".lost") != "/s/checker.lost" {
		t.Error(p.file(".lost"))
	}
}

// TestWhereAServerKeepsIt: by installation and by what is watched.
func TestWhereAServerKeepsIt(t *testing.T) {
	const prod = "sources: {digdag: {engine: digdag, endpoint: 'http://prod'}}\n"
	t.Setenv("OUTRIDER_LEDGER", "")
	t.Setenv("OUTRIDER_INSTANCE", "")
	if p := placeOf(t, prod+"ledger: sqlite:/elsewhere/ledger.db\n", given{}); p.url != "" || p.file(".db") != "/s/checker.db" {
		t.Errorf("%+v", p)
	}
	if p := placeOf(t, prod+"ledger: postgresql://db/o\n", given{}); p.url != "postgresql://db/o" || p.schema() != "" {
		t.Errorf("%+v %s", p, p.schema())
	}
	t.Setenv("OUTRIDER_LEDGER", "postgres://env/o")
	schemas := map[string]bool{}
	for _, p := range []place{
		placeOf(t, prod+"ledger: postgres://db/o\n", given{}), placeOf(t, prod+"instance: a\n", given{}), placeOf(t, prod+"instance: b\n", given{}),
		placeOf(t, "instance: a\n", given{digdag: "http://d"}), placeOf(t, "", given{digdag: "http://d"}),
	} {
		if p.url != "postgres://env/o" || schemas[p.schema()] {
			t.Errorf("%+v shares %s", p, p)
		}
		schemas[p.schema()] = true
	}
	config := placeOf(t, prod+"instance: a\n", given{})
	t.Setenv("OUTRIDER_INSTANCE", "a")
	if p := placeOf(t, prod, given{}); p != config || p.schema() == "" {
		t.Errorf("%s is not %s", p, config)
	}
}

// lookedAt is the memory that a command without flags is about, and what it says of that.
func lookedAt(t *testing.T, config string, g given) (at place, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "outrider.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OUTRIDER_CONFIG", file)
	talk, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	at, err = (&app{Streams: term.Streams{Err: talk}}).lookAt(t.Context(), g)
	if errors.Is(err, errNothing) {
		return at, err.Error()
	}
	if err = errors.Join(err, talk.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(talk.Name())
	if err != nil {
		t.Fatal(err)
	}
	return at, string(text)
}

const (
	nothingYet = "no check has been made "
	oneOf      = "this looks at "
)

// TestWhichMemoryIsLookedAt where no source is named.
func TestWhichMemoryIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("OUTRIDER_STATE", dir)
	t.Setenv("OUTRIDER_LEDGER", "")
	now := time.Now()
	const prod = "sources: {digdag: {engine: digdag, endpoint: 'http://prod'}}\n"
	look := func(text, want, says string) {
		t.Helper()
		p, said := lookedAt(t, text, given{})
		if filepath.Base(p.file(".db")) != want || (says == "") != (said == "") || !strings.Contains(said, says) {
			t.Errorf("%s: %q", p, said)
		}
	}
	write := func(name string, age time.Duration) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	look("", "checker.db", nothingYet)
	write("checker-b.db", time.Minute)
	look("", "checker-b.db", "")
	look(prod, "checker.db", nothingYet)
	write("checker-a.db", time.Hour)
	look("", "checker-b.db", oneOf)
	write("checker.db", 2*time.Hour)
	look("", "checker.db", oneOf)
	look(prod, "checker.db", oneOf)
	if p, said := lookedAt(t, "", given{digdag: "http://d"}); !strings.Contains(said, nothingYet) || p.name == "" {
		t.Errorf("%s: %q", p, said)
	}
}

// TestWhichMemoryOfAServerIsLookedAt: the same, and of this installation alone.
func TestWhichMemoryOfAServerIsLookedAt(t *testing.T) {
	t.Setenv("OUTRIDER_STATE", t.TempDir())
	t.Setenv("OUTRIDER_LEDGER", dbtest.Postgres(t))
	for _, instance := range []string{"", "here"} {
		t.Setenv("OUTRIDER_INSTANCE", instance)
		made := time.Now()
		pass := func(g given) place {
			t.Helper()
			p, _ := lookedAt(t, "", g)
			s, err := p.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			turn, ok, err := s.Begin(t.Context(), time.Minute)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			made = made.Add(time.Minute)
			if err := s.Finish(t.Context(), turn, store.Last{At: made}); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(turn.End(t.Context()), s.Close()); err != nil {
				t.Fatal(err)
			}
			return p
		}
		if p, said := lookedAt(t, "", given{}); p.name != "" || !strings.Contains(said, nothingYet) {
			t.Errorf("%s: %q", p, said)
		}
		first := pass(given{digdag: "http://z"})
		if p, said := lookedAt(t, "", given{}); p != first || said != "" {
			t.Errorf("the only one is %s, not %s: %q", first, p, said)
		}
		second := pass(given{digdag: "http://a"})
		if p, said := lookedAt(t, "", given{}); p != second || p == first || !strings.Contains(said, oneOf) {
			t.Errorf("the last one is %s, not %s: %q", second, p, said)
		}
		pass(given{digdag: "http://z"})
		if p, said := lookedAt(t, "", given{}); p != first || !strings.Contains(said, oneOf) {
			t.Errorf("the last one is %s, not %s: %q", first, p, said)
		}
		config := pass(given{})
		if config != first { // without sources it is one of theirs
			t.Errorf("%s, not %s", config, first)
		}
		if p, said := lookedAt(t, "", given{digdag: "http://z"}); p != first || said != "" {
			t.Errorf("%s, not %s: %q", p, first, said)
		}
	}
}
