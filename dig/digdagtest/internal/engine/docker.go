package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// inDocker puts a command of a task with docker: into a container: only the
// project's folder is there, and the environment is on the command line.
func (j *job) inDocker(argv []string, dir string, env map[string]string) ([]string, *failure) {
	docker := j.config.Object("docker")
	image, f := j.text(docker, "image")
	if f != nil {
		return nil, f
	}
	program := "docker"
	if docker.Has("docker") {
		program = conf.String(docker.Get("docker"))
	}
	for _, key := range []string{"build", "pull_always", "selinux"} {
		if docker.Has(key) {
			return nil, fail(configError("docker: " + key + " is not in the double"))
		}
	}
	options, _ := docker.Get("run_options").([]any)
	all := append([]string{program, "run"}, texts(options)...)
	all = append(all, "--rm", "-v", fmt.Sprintf("%s:%s:rw", j.workspace, j.workspace), "-w", dir)
	for _, k := range slices.Sorted(maps.Keys(env)) {
		all = append(all, "-e", k+"="+env[k])
	}
	return append(append(all, image), argv...), nil
}
