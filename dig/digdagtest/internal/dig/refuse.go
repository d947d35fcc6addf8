package dig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// Operators are the keys of a task that name an operator, such as sh>.
func Operators(config *conf.Object) []string {
	var ops []string
	for _, k := range config.Keys() {
		if strings.HasSuffix(k, ">") {
			ops = append(ops, k)
		}
	}
	return ops
}

// operators that the double runs; notify> is what Digdag itself adds when an
// attempt fails.
func operators() []string { return []string{"sh>", "echo>", "fail>", "py>", "notify>"} }

// refuse names what stands in a task and is not in the double. Anything else
// that starts with an underscore is a parameter to the operator, as in Digdag.
func refuse(fullName string, config *conf.Object) error {
	for _, op := range Operators(config) {
		if !slices.Contains(operators(), op) {
			return fmt.Errorf("%s: the operator %s is not in the double (it has %s)", fullName, op, strings.Join(operators(), " "))
		}
	}
	if t := config.Get("_type"); t != nil && !slices.Contains(operators(), conf.String(t)+">") {
		return fmt.Errorf("%s: the operator %s> is not in the double (it has %s)", fullName, conf.String(t), strings.Join(operators(), " "))
	}
	for _, k := range config.Keys() {
		if slices.Contains([]string{"_secrets", "docker", "ecs", "kubernetes"}, k) {
			return fmt.Errorf("%s: the directive %s is not in the double", fullName, k)
		}
		if strings.Contains(conf.Text(config.Get(k)), "${secret:") {
			return fmt.Errorf("%s: %s: secrets are not in the double", fullName, k)
		}
	}
	return nil
}
