package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commands are what the job runs, in its order.
func commands(t *testing.T, file, pattern string) []string {
	t.Helper()
	var all []string
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, file), -1) {
		all = append(all, found[1])
	}
	return all
}

// TestJobWithoutAnEngine runs the commands of etl.dig in a shell as Digdag does:
// in the project's folder, with the parameters as variables.
func TestJobWithoutAnEngine(t *testing.T) {
	component(t, "orders_transform") // skips where there is no Python
	work := filepath.Join(t.TempDir(), `it's "the" work folder`)
	env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "OUTRIDER_STATE="+t.TempDir(), "OUTRIDER_PLUGIN_PATH=.", "month=2026-03", "work="+work)
	run := func(command string) (string, error) {
		cmd := exec.Command("sh", "-c", command)
		cmd.Env = env
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Logf("%s\n%s", command, errs.String())
		}
		return string(out), err
	}
	want := []string{
		`{"orders":71,"duplicates":1,"bad":2}`,
		`{"cancelled":10,"paid":61,"revenue_cents":341516,"rows":23}`,
		`{"groups":23,"orders":61,"quantity":118,"revenue_cents":341516}`,
		`{"replaced":0,"revenue_cents":341516,"rows":23}`,
	}
	all := commands(t, "etl.dig", `(?m)sh>: (.*)$`)
	if len(all) != len(want) {
		t.Fatalf("%d commands: %q", len(all), all)
	}
	for i, command := range all {
		if got, err := run(command); err != nil || got != want[i]+"\n" {
			t.Errorf("$ %s\n%s%v, want %s", command, got, err, want[i])
		}
	}
	// The job can be run again, and what does not add up stops it.
	if got, err := run(all[3]); err != nil || got != `{"replaced":23,"revenue_cents":341516,"rows":23}`+"\n" {
		t.Errorf("loaded again: %s, %v", got, err)
	}
	sales := filepath.Join(work, "sales.csv")
	if err := os.WriteFile(sales, []byte(strings.Replace(read(t, sales), "\nDE,kettle,3,", "\nDE,kettle,4,", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(all[2]); err == nil || err.Error() != "exit status 3" {
		t.Errorf("false sales: %v", err)
	}
}

// TestBothEnginesRunTheSame compares the commands of etl.dig and etl.py.
func TestBothEnginesRunTheSame(t *testing.T) {
	dig, py := commands(t, "etl.dig", `(?m)sh>: (.*)$`), commands(t, "etl.py", `bash_command='(.*)'`)
	if len(dig) != 4 || !slices.Equal(dig, py) {
		t.Errorf("etl.dig runs\n%s\netl.py runs\n%s", strings.Join(dig, "\n"), strings.Join(py, "\n"))
	}
}
