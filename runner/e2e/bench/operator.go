package main

import (
	_ "embed"
	"os"
	"path/filepath"
)

// operatorDAG holds the tasks bash_1, operator_1, bash_2 … one after the other.
//
//go:embed operator.py
var operatorDAG string

// operatorFiles are the DAG, and the operator's package beside it.
func operatorFiles() (map[string]string, error) {
	files := map[string]string{"operator_dag.py": operatorDAG}
	sources, err := filepath.Glob("dags/outrider_airflow/*.py") // make runs us in the repository's folder
	for _, path := range sources {
		text, readErr := os.ReadFile(path)
		if readErr != nil {
			return nil, readErr
		}
		files[filepath.Join("outrider_airflow", filepath.Base(path))] = string(text)
	}
	return files, err
}
