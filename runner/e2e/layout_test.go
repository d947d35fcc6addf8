package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/outrider-run/outrider/"

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath   string
	Doc          string
	Imports      []string
	Deps         []string
	TestImports  []string
	XTestImports []string
}

func (p pkg) path() string { return strings.TrimPrefix(p.ImportPath, module) }

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-tags", "urfave_cli_no_docs,grpcnotrace", "-json=ImportPath,Doc,Imports,Deps,TestImports,XTestImports", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// within reports whether path is one of dirs or inside of one.
func within(path string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return path == d || strings.HasPrefix(path, d+"/") })
}

// mayImport is the design's table of import rules (section 3): what a package of
// ours may link of ours. tests says that the import stands in a test file.
func mayImport(from, to string, tests bool) bool {
	switch {
	case within(from, "runner/e2e", "runner/internal/launch/internal/sdkplugin"):
		return true // only tests, and a plugin that only tests build
	case within(from, "sdk"):
		return within(to, "sdk")
	case within(from, "plugins", "examples"):
		own := strings.Join(strings.Split(from, "/")[:2], "/")
		if within(from, "plugins") && to == "plugins/internal/rest" {
			return true // each engine's client lives with its plugin, and they all speak REST in one way
		}
		return to == "sdk" || to == "sdk/manifest" || to == "sdk/observe" || within(to, own) || tests && to == "sdk/sdktest"
	case within(from, "runner"):
		return within(to, "runner/internal") || slices.Contains([]string{"sdk/protocol", "sdk/protocol/taskv1", "sdk/manifest", "sdk/observe"}, to)
	case within(from, "dig/digdagtest"):
		return within(to, "dig/digdagtest") || to == "plugins/digdag/client"
	case within(from, "dags/airflowtest"):
		return within(to, "dags/airflowtest")
	}
	return false
}

// confined are packages that few folders may import.
var confined = map[string][]string{
	"github.com/hashicorp/go-plugin": {"sdk/protocol", "sdk/internal", "runner/internal/launch", "runner/e2e"},
	"google.golang.org/grpc":         {"sdk/protocol", "sdk/internal", "runner/internal/launch", "runner/e2e"},
	"github.com/urfave/cli/v2":       {"runner/internal/cli"},

	"github.com/prometheus/client_golang": {"runner/internal/checker/watch"},
}

func TestImportRules(t *testing.T) {
	for _, p := range packages(t) {
		tests := append(slices.Clone(p.TestImports), p.XTestImports...)
		for _, to := range append(slices.Clone(p.Imports), tests...) {
			inTest := !slices.Contains(p.Imports, to)
			if ours, ok := strings.CutPrefix(to, module); ok && to != p.ImportPath && !mayImport(p.path(), ours, inTest) {
				t.Errorf("%s imports %s", p.path(), ours)
			}
			for name, where := range confined {
				if within(to, name) && !within(p.path(), where...) && !inTest {
					t.Errorf("%s imports %s, which only %v may", p.path(), to, where)
				}
			}
		}
	}
}

// TestImportRulesCatch shows that the table refuses what it is there to refuse.
func TestImportRulesCatch(t *testing.T) {
	for _, c := range [][2]string{
		{"sdk", "runner/internal/run"},
		{"plugins/http", "sdk/protocol"},
		{"plugins/http", "plugins/script"},
		{"plugins/http", "sdk/sdktest"},
		{"plugins/airflow/client", "plugins/digdag/client"},
		{"plugins/internal/rest", "plugins/digdag/client"},
		{"examples/etl", "plugins/internal/rest"},
		{"runner/internal/run", "sdk"},
		{"runner/internal/cli", "plugins/script"},
		{"dags/airflowtest", "sdk"},
	} {
		if mayImport(c[0], c[1], false) {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
}

// TestHostLinksNothingHeavy looks at all that is linked, not only at what is
// imported directly.
func TestHostLinksNothingHeavy(t *testing.T) {
	heavy := []string{
		"github.com/santhosh-tekuri", "github.com/slack-go", "github.com/aws", "cloud.google.com",
		"github.com/dop251/goja", "net/http/pprof", "github.com/Masterminds/semver", "github.com/russross/blackfriday",
		"github.com/prometheus", "github.com/expr-lang",
	}
	for _, p := range packages(t) {
		if p.path() != "runner/cmd/outrider" {
			continue
		}
		for _, dep := range p.Deps {
			if within(dep, heavy...) {
				t.Errorf("the host links %s", dep)
			}
			if ours, ok := strings.CutPrefix(dep, module); ok && within(ours, "plugins", "sdk/internal", "dig", "dags", "runner/internal/checker") || dep == module+"sdk" {
				t.Errorf("the host links %s", dep)
			}
		}
		return
	}
	t.Fatal("there is no runner/cmd/outrider")
}

func TestPackagesHaveAComment(t *testing.T) {
	for _, p := range packages(t) {
		if within(p.path(), "runner/internal", "sdk", "plugins") && p.Doc == "" && !strings.HasPrefix(p.path(), "sdk/protocol/taskv1") {
			t.Errorf("%s has no package comment", p.path())
		}
	}
}
