package checkercli

import (
	"os"
	"path/filepath"
	"testing"
	"time"
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

// TestWhichMemoryIsLookedAt where no source is named.
func TestWhichMemoryIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	look := func(unnamed bool, want string, others bool) {
		t.Helper()
		p, several, err := place{dir: dir}.choose(unnamed)
		if err != nil || filepath.Base(p.file(".db")) != want || several != others {
			t.Errorf("%s, %v, %v", p, several, err)
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
	look(true, "checker.db", false)
	write("checker-b.db", time.Minute)
	look(true, "checker-b.db", false)
	look(false, "checker.db", false)
	write("checker-a.db", time.Hour)
	look(true, "checker-b.db", true)
	write("checker.db", 2*time.Hour)
	look(true, "checker.db", true)
	if _, several, _ := (place{url: "postgres://db/o"}).choose(true); !several {
		t.Error("a server may have others, and that is not said")
	}
}
