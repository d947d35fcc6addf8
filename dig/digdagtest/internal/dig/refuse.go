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
func operators() []string {
	return []string{"sh>", "echo>", "fail>", "py>", "rb>", "loop>", "for_each>", "if>", "call>", "wait>", "require>", "http>", "notify>"}
}

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
	for _, later := range []string{"_do", "_else_do"} {
		if tasks := config.Object(later); tasks.Len() > 0 {
			if err := refuseWithin(fullName+"^sub", tasks); err != nil {
				return err
			}
		}
	}
	for _, k := range config.Keys() {
		if slices.Contains([]string{"_secrets", "ecs", "kubernetes"}, k) {
			return fmt.Errorf("%s: the directive %s is not in the double", fullName, k)
		}
		if strings.Contains(conf.Text(config.Get(k)), "${secret:") {
			return fmt.Errorf("%s: %s: secrets are not in the double", fullName, k)
		}
	}
	return nil
}

// refuseWithin looks ahead at tasks that are compiled only once they are
// generated.
func refuseWithin(fullName string, config *conf.Object) error {
	if err := refuse(fullName, config); err != nil {
		return err
	}
	for _, k := range config.Keys() {
		if strings.HasPrefix(k, "+") {
			if err := refuseWithin(fullName+k, config.Object(k)); err != nil {
				return err
			}
		}
	}
	return nil
}
