package dbtest_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// childVar makes this binary start a server and wait to be killed; no test runs
// in it.
const childVar = "OUTRIDER_DBTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		fmt.Println("url:" + dbtest.Postgres(noTest{}))
		select {}
	}
	os.Exit(m.Run())
}

// noTest is what a server needs of a test.
type noTest struct{ testing.TB }

func (noTest) Helper()        {}
func (noTest) Cleanup(func()) {}
func (noTest) Fatal(args ...any) {
	fmt.Println(args...)
	os.Exit(1)
}

// TestEndsWithAKilledProcess: neither the server nor its folder is left.
func TestEndsWithAKilledProcess(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVar+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var url string
	for lines := bufio.NewScanner(out); url == "" && lines.Scan(); {
		_, url, _ = strings.Cut(lines.Text(), "url:")
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if _, err := conn.WaitForNotification(t.Context()); err == nil {
		t.Error("the connection is not cut")
	}
	_, dir, _ := strings.Cut(url, "host=")
	for {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("%s is left", dir)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestServer(t *testing.T) {
	s := dbtest.New(t, "max_connections=7")
	check := func() {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), s.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context()) //nolint:errcheck // it is only asked
		var settings string
		var tables int
		if err := conn.QueryRow(t.Context(), "select current_setting('max_connections')").Scan(&settings); err != nil || settings != "7" {
			t.Errorf("max_connections is %s, %v", settings, err)
		}
		if err := conn.QueryRow(t.Context(), "select count(*) from pg_tables where schemaname = 'public'").Scan(&tables); err != nil || tables != 0 {
			t.Errorf("it is not empty: %d, %v", tables, err)
		}
	}
	check()
	for _, end := range []func(testing.TB){s.Stop, s.Kill} {
		end(t)
		if _, err := pgx.Connect(t.Context(), s.URL()); err == nil {
			t.Error("it still runs")
		}
		s.Start(t)
		check()
	}
	one, two := s.Database(t), s.Database(t)
	if one == two || filepath.Base(strings.Split(one, "?")[0]) == "postgres" {
		t.Errorf("%s and %s are not databases of their own", one, two)
	}
}
