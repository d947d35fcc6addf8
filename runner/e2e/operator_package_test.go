package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

// TestOperatorManifest: a wrong parameter is an import error, and gone once it is right.
func TestOperatorManifest(t *testing.T) {
	const dag = `
from outrider_airflow import OutriderOperator
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
with DAG("op_manifest", schedule=None):
    OutriderOperator(task_id="greet", component="hello.greet", manifest="greet.json", params={"%s": "{{ run_id }}"})
`
	onAirflow(t, func(t *testing.T, a airflow) {
		err := a.PutDAG(deadline(t), "op_manifest.py", fmt.Sprintf(dag, "nmae"), "op_manifest")
		const want = "task greet: hello.greet: "
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "there is no parameter nmae; did you mean name?") || !strings.Contains(err.Error(), "name is missing") {
			t.Errorf("%v, want %q", err, want)
		}
		for ctx := deadline(t); ; time.Sleep(200 * time.Millisecond) {
			err := a.PutDAG(ctx, "op_manifest.py", fmt.Sprintf(dag, "name"), "op_manifest")
			if err == nil {
				break
			}
			if !strings.Contains(err.Error(), want) {
				t.Fatal(err) // else Airflow has not read it again yet
			}
		}
		ends(t, a.operated(t, "op_manifest", nil), "greet", "success", 1)
	})
}

// TestOperatorPackage installs the package as users do: Airflow lists the provider, and
// the operator is there.
func TestOperatorPackage(t *testing.T) {
	for _, v := range []airflowtest.Version{airflowtest.V3, airflowtest.V2} {
		t.Run(string(v), func(t *testing.T) {
			venv, err := airflowtest.Install(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			source, target := filepath.Join(t.TempDir(), "source"), t.TempDir()
			if err := os.CopyFS(source, os.DirFS(filepath.Join(root(t), "dags", "outrider_airflow"))); err != nil {
				t.Fatal(err)
			}
			python := filepath.Join(venv, "bin", "python")
			said := func(argv ...string) string {
				t.Helper()
				cmd := exec.Command(argv[0], argv[1:]...)
				cmd.Dir = t.TempDir()
				cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "PYTHON") }), "PYTHONPATH="+target, "AIRFLOW_HOME="+t.TempDir())
				if cert := os.Getenv("PIP_CERT"); cert != "" {
					cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+cert) // uv's name for it
				}
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %v\n%s", argv, err, out)
				}
				return string(out)
			}
			said(filepath.Join(venv, "bin", "uv"), "pip", "install", "--quiet", "--no-deps", "--python", python, "--target", target, source)
			if got := said(filepath.Join(venv, "bin", "airflow"), "providers", "get", "outrider-airflow", "--output", "json"); !strings.Contains(got, "0.1.0") {
				t.Errorf("airflow providers get says %q", got)
			}
			got := said(python, "-c", "import outrider_airflow; print(outrider_airflow.__file__, outrider_airflow.OutriderOperator.__name__)")
			if !strings.Contains(got, target) || !strings.Contains(got, "OutriderOperator") {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestOperatorUnits runs the package's own tests on both versions.
func TestOperatorUnits(t *testing.T) {
	for _, v := range []airflowtest.Version{airflowtest.V3, airflowtest.V2} {
		t.Run(string(v), func(t *testing.T) {
			venv, err := airflowtest.Install(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(filepath.Join(venv, "bin", "python"), "-B", "-W", "ignore", "-m", "unittest", "discover", "--start-directory", "outrider_airflow/tests", "--top-level-directory", ".")
			cmd.Dir = filepath.Join(root(t), "dags")
			cmd.Env = append(os.Environ(), "AIRFLOW_HOME="+t.TempDir(), "AIRFLOW__CORE__LOAD_EXAMPLES=False")
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Contains(string(out), "Ran 0 tests") {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
