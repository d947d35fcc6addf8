// Package airflowtest runs DAGs in tests: on a real Airflow, 3.3.2 or 2.11.2,
// from PyPI, without containers. It installs from the locks beside it into the
// user's cache folder, starts the servers on loopback in a temporary folder,
// speaks REST with them (v2 or v1), finds and signals their processes, and ends
// exactly what it started, even when the test itself is killed.
//
// It needs Linux and a Python 3.10 to 3.12 with venv. Nothing of ours may be
// imported here, and nothing that users run may import it.
package airflowtest
