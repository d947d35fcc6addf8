package engine

import (
	"net/url"
	"strconv"
)

// The variables that hold an engine's address, http://HOST:PORT with a path before
// it where there is one. No engine tells its tasks.
const (
	DigdagEndpoint  = "OUTRIDER_DIGDAG_ENDPOINT"
	AirflowEndpoint = "OUTRIDER_AIRFLOW_ENDPOINT"
)

// digdagLink leads to the attempt, which shows its tasks (the routes of Digdag's
// own pages, 0.10.5.1); "" where the address or the attempt is not known.
func digdagLink(endpoint string, id Identity) string {
	if id.Run == "" {
		return ""
	}
	return link(endpoint, nil, "attempts", id.Run)
}

// airflowLink leads to the try's log, as TaskInstance.log_url has it in 3.3.2 and
// in 2.11.2, but for the index of a mapped task, which is not known here.
func airflowLink(endpoint string, id Identity, three bool) string {
	if id.Workflow == "" || id.Run == "" || id.Task == "" {
		return ""
	}
	query := url.Values{}
	if three {
		if id.Try > 0 {
			query.Set("try_number", strconv.Itoa(id.Try))
		}
		return link(endpoint, query, "dags", id.Workflow, "runs", id.Run, "tasks", id.Task)
	}
	query.Set("dag_run_id", id.Run)
	query.Set("task_id", id.Task)
	query.Set("tab", "logs")
	return link(endpoint, query, "dags", id.Workflow, "grid")
}

// link joins an address with parts of a path. A name and password in the address
// stay out of it: a link is shown.
func link(endpoint string, query url.Values, parts ...string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	u.User, u.Fragment, u.RawQuery = nil, "", query.Encode()
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return u.JoinPath(parts...).String()
}
