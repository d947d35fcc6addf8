package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// retry is what a _retry says, and how often it was made use of.
type retry struct {
	limit, count, base, most int
	exponential              bool
	state                    *conf.Object
}

// retryOf reads _retry: a number, or an object with limit, interval,
// max_interval and interval_type. Without one the limit is 0.
func retryOf(config, stateParams *conf.Object) (retry, error) {
	r := retry{state: stateParams}
	r.count, _ = conf.Int(stateParams.Get("retry_count"))
	var err error
	switch v := config.Get("_retry").(type) {
	case nil:
		return r, nil
	case *conf.Object:
		for key, to := range map[string]*int{"limit": &r.limit, "interval": &r.base, "max_interval": &r.most} {
			if key != "limit" && !v.Has(key) {
				continue
			}
			if *to, err = conf.Int(v.Get(key)); err != nil {
				return r, fmt.Errorf("_retry: %s: %w", key, err)
			}
		}
		switch t := strings.ToLower(conf.String(v.Get("interval_type"))); t {
		case "null", "constant":
		case "exponential":
			r.exponential = true
		default:
			return r, InvalidError("Invalid retry_interval_type: " + t)
		}
	case json.Number, string:
		if r.limit, err = conf.Int(v); err != nil {
			return r, fmt.Errorf("_retry: %w", err)
		}
	default:
		return r, InvalidError("Invalid _retry format:" + conf.Text(v))
	}
	return r, nil
}

func (r retry) again() bool { return r.limit > r.count }

func (r retry) interval() time.Duration {
	seconds := r.base
	if r.exponential {
		seconds = r.base * int(math.Pow(2, float64(r.count)))
		if r.most > 0 {
			seconds = min(seconds, r.most)
		}
	}
	return time.Duration(seconds) * time.Second
}

func (r retry) nextState() *conf.Object {
	s := r.state.Clone()
	s.Set("retry_count", json.Number(strconv.Itoa(r.count+1)))
	return s
}

// generated tells whether a task came out of a task of the group while it ran.
func generated(group, t *state.Task) bool {
	return strings.Contains(strings.TrimPrefix(t.FullName, group.FullName), "^sub")
}
