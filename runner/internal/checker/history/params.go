package history

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
)

// digests are of the parameters, by their keys. They tell whether a value is another,
// and not which it is: they are short, and salted with the workflow.
func digests(workflow string, params json.RawMessage) map[string]string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(params, &fields) != nil || len(fields) == 0 {
		return nil
	}
	all := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(fields))[:min(len(fields), maxParams)] {
		sum := sha256.New()
		for _, part := range []string{workflow, key, string(fields[key])} {
			sum.Write([]byte(part))
			sum.Write([]byte{0})
		}
		all[key] = hex.EncodeToString(sum.Sum(nil)[:4])
	}
	return all
}

// changed are the keys by which two differ, sorted.
func changed(a, b map[string]string) (keys []string) {
	for key, value := range a {
		if other, ok := b[key]; !ok || other != value {
			keys = append(keys, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// differs are the keys by which parameters differ from those of the last success, but
// for those that always do.
func (w *Workflow) differs(params json.RawMessage) []string {
	if w.Good == nil || w.Good.Params == nil && params == nil {
		return nil
	}
	keys := changed(w.Good.Params, digests(w.Key(), params))
	return slices.DeleteFunc(keys, func(k string) bool { return slices.Contains(w.Volatile, k) })
}
