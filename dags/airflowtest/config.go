package airflowtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// setting names a setting as users write it: section.key.
type settings map[string]string

// defaults are the settings of every server: light, quiet, on loopback, and quick
// to see a new DAG.
func (s *Server) defaults(ports []int) settings {
	web, health, logs, triggers := ports[0], ports[1], ports[2], ports[3]
	c := settings{
		"core.dags_folder":                             s.dags(),
		"core.plugins_folder":                          s.path("plugins"),
		"core.executor":                                "LocalExecutor",
		"core.parallelism":                             "12",
		"core.load_examples":                           "False",
		"core.dags_are_paused_at_creation":             "False",
		"database.sql_alchemy_conn":                    s.database,
		"logging.base_log_folder":                      s.path("logs"),
		"logging.worker_log_server_port":               fmt.Sprint(logs),
		"logging.trigger_log_server_port":              fmt.Sprint(triggers),
		"scheduler.enable_health_check":                "True",
		"scheduler.scheduler_health_check_server_host": "127.0.0.1",
		"scheduler.scheduler_health_check_server_port": fmt.Sprint(health),
		"usage_data_collection.enabled":                "False",
	}
	if s.Version == V3 {
		maps.Copy(c, settings{
			"api.host":     "127.0.0.1",
			"api.port":     fmt.Sprint(web),
			"api.base_url": s.URL,
			"api.workers":  "1",

			"api.secret_key":      s.Password,
			"api_auth.jwt_secret": s.Password + s.Password + s.Password, // a short one is warned of
			// A machine that has much to do is slow to answer, and then the task fails.
			"workers.execution_api_timeout": "60",

			"core.auth_manager":                       "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
			"core.simple_auth_manager_users":          User + ":admin",
			"core.simple_auth_manager_passwords_file": s.path("passwords.json"),

			"dag_processor.refresh_interval":          "2",
			"dag_processor.min_file_process_interval": "2",
			"dag_processor.parsing_processes":         "1",
		})
	} else {
		maps.Copy(c, settings{
			"api.auth_backends":                   "airflow.api.auth.backend.basic_auth",
			"webserver.web_server_host":           "127.0.0.1",
			"webserver.web_server_port":           fmt.Sprint(web),
			"webserver.base_url":                  s.URL,
			"webserver.workers":                   "1",
			"webserver.worker_refresh_interval":   "0",
			"webserver.secret_key":                s.Password,
			"scheduler.min_file_process_interval": "2",
			"scheduler.dag_dir_list_interval":     "2",
			"scheduler.parsing_processes":         "1",
		})
	}
	maps.Copy(c, s.options.Config)
	return c
}

// String is the text of airflow.cfg, in which % is special.
func (c settings) String() string {
	var text strings.Builder
	section := ""
	for _, name := range slices.Sorted(maps.Keys(c)) {
		in, key, _ := strings.Cut(name, ".")
		if in != section {
			fmt.Fprintf(&text, "[%s]\n", in)
			section = in
		}
		fmt.Fprintf(&text, "%s = %s\n", key, strings.ReplaceAll(c[name], "%", "%%"))
	}
	return text.String()
}
