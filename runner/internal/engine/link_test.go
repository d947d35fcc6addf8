package engine

import "testing"

func TestLinks(t *testing.T) {
	digdagVars := map[string]string{"attempt_id": "42", "session_uuid": "u", "task_name": "+daily+load"}
	airflow3 := map[string]string{
		"AIRFLOW_CTX_DAG_ID": "d", "AIRFLOW_CTX_TASK_ID": "group.load", "AIRFLOW_CTX_TRY_NUMBER": "2",
		"AIRFLOW_CTX_DAG_RUN_ID": "manual__2026-11-21T00:00:00+00:00",
	}
	airflow2 := map[string]string{"AIRFLOW_CTX_EXECUTION_DATE": "2026-11-21T00:00:00+00:00"}
	for k, v := range airflow3 {
		airflow2[k] = v
	}
	for name, c := range map[string]struct {
		engine         Name
		env            map[string]string
		endpoint, want string
	}{
		"digdag": {Digdag, digdagVars, "http://dig:65432", "http://dig:65432/attempts/42"},
		"digdag under a path, with a password": {
			Digdag, digdagVars, "https://me:secret@dig.example/flows/", "https://dig.example/flows/attempts/42",
		},
		"no address":          {Digdag, digdagVars, "", ""},
		"no such address":     {Digdag, digdagVars, "dig:65432", ""},
		"no attempt":          {Digdag, map[string]string{}, "http://dig:65432", ""},
		"no run":              {Airflow, map[string]string{}, "http://air:8080", ""},
		"airflow 3":           {Airflow, airflow3, "http://air:8080", "http://air:8080/dags/d/runs/manual__2026-11-21T00:00:00+00:00/tasks/group.load?try_number=2"},
		"airflow 2":           {Airflow, airflow2, "http://air:8080/", "http://air:8080/dags/d/grid?dag_run_id=manual__2026-11-21T00%3A00%3A00%2B00%3A00&tab=logs&task_id=group.load"},
		"airflow's, not ours": {Airflow, digdagVars, "http://air:8080", ""},
	} {
		vars := map[string]string{DigdagEndpoint: c.endpoint, AirflowEndpoint: c.endpoint}
		for k, v := range c.env {
			vars[k] = v
		}
		if got := Detect(c.engine, env(vars), nil).Identity.Link; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestInstance(t *testing.T) {
	vars := env(map[string]string{"OUTRIDER_INSTANCE": "prod"})
	for _, asked := range []Name{Digdag, Airflow, None} {
		if got := Detect(asked, vars, nil).Identity.Instance; got != "prod" {
			t.Errorf("%s: instance %q", asked, got)
		}
	}
}
