package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Prefixes of the names of resources.
const (
	lockPrefix     = "lock:"
	poolPrefix     = "pool:"
	oncePrefix     = "once:"
	deliveryPrefix = "delivery:"
)

// Digest tells params apart: it is the same for JSON that means the same.
func Digest(params json.RawMessage) string {
	var v any
	if json.Unmarshal(params, &v) == nil {
		if same, err := json.Marshal(v); err == nil { // keys in order, no blanks
			params = same
		}
	}
	sum := sha256.Sum256(params)
	return hex.EncodeToString(sum[:12])
}

// ErrNoKey: the plain --once needs an engine's task to make a key of.
var ErrNoKey = errors.New("there is no engine's task to make a key of")

// DefaultKey is the key of --once: the task of the engine in the session or run that
// it is for, whichever try. Airflow's mapped tasks tell each other apart by their
// params alone.
func DefaultKey(c Caller, component string, params json.RawMessage) (string, error) {
	base, err := taskKeys(c)
	switch {
	case err != nil:
		return "", err
	case c.Engine == "airflow":
		return base + join(component, Digest(params)), nil
	}
	return base + join(component), nil
}

// taskKeys is how the default keys of all that a task calls begin.
func taskKeys(c Caller) (string, error) {
	switch {
	case c.Engine == "digdag" && c.Session != "" && c.Task != "":
		return join("digdag", c.Instance, c.Session, c.Task, ""), nil
	case c.Engine == "airflow" && c.Workflow != "" && c.Run != "" && c.Task != "":
		return join("airflow", c.Instance, c.Workflow, c.Run, c.Task, ""), nil
	}
	return "", ErrNoKey
}

// deliveryBase is what equal calls of one Digdag task have in common over its
// deliveries; "" where that is not known.
func deliveryBase(c Caller, component, digest string) string {
	if c.Engine != "digdag" || c.TaskID == "" || c.Delivery == "" || c.Run == "" {
		return ""
	}
	return join(c.Instance, c.Run, c.TaskID, component, digest)
}

// memoryBase is what equal calls of one Digdag task have in common over the retries
// in an attempt, which may copy the task; "" where that is not known.
func memoryBase(c Caller, component, digest string) string {
	if c.Engine != "digdag" || c.Task == "" || c.Delivery == "" || c.Run == "" {
		return ""
	}
	return join(c.Instance, c.Run, c.Task, component, digest)
}

// join makes a key of parts, none of which can look like two.
func join(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// ordinal adds the place of a call among equals in one delivery.
func ordinal(base string, n int) string {
	if base == "" {
		return ""
	}
	return base + "/" + strconv.Itoa(n)
}

// Claim is a request for slots of a resource.
type Claim struct {
	resource string
	slots    int64
}

// Lock claims a lock.
func Lock(name string) Claim { return Claim{lockPrefix + name, 1} }

// Pool claims slots of a pool, which must have been set.
func Pool(name string, slots int64) Claim { return Claim{poolPrefix + name, slots} }

func (c Claim) isPool() bool { return strings.HasPrefix(c.resource, poolPrefix) }

// isKey: what is claimed keeps the run that succeeded with it.
func (c Claim) isKey() bool {
	return strings.HasPrefix(c.resource, oncePrefix) || strings.HasPrefix(c.resource, deliveryPrefix)
}

// words names a resource for people.
func words(resource string) string {
	kind, name, _ := strings.Cut(resource, ":")
	if kind == "once" {
		kind = "once-key"
	}
	return fmt.Sprintf("%s %q", kind, name)
}

// DistinctClaims refuses a resource that is claimed twice in one request.
func DistinctClaims(claims []Claim) error {
	seen := map[string]bool{}
	for _, c := range claims {
		if seen[c.resource] {
			return fmt.Errorf("%s is claimed twice", words(c.resource))
		}
		seen[c.resource] = true
	}
	return nil
}
