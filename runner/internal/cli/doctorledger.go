package cli

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/state"
)

// ledgerPatience is how long the doctor waits for a ledger.
const ledgerPatience = 15 * time.Second

// examineLedger looks at where runs are recorded, and tells what removes them by
// itself. A ledger that is not there yet is not made.
func examineLedger(ctx context.Context, cfg config.Config) []finding {
	ctx, cancel := context.WithTimeout(ctx, ledgerPatience)
	defer cancel()
	d, err := state.Open(os.Getenv)
	if err != nil {
		return nil // a finding of the state
	}
	at, err := ledgerURL(cfg, d)
	if err != nil {
		return []finding{{"ledger", false, err.Error()}}
	}
	b := &book{dir: d, config: cfg}
	keeps := pruneText(b)
	if path, isFile := strings.CutPrefix(at, "sqlite:"); isFile {
		if _, err := os.Stat(path); os.IsNotExist(err) {
			return []finding{{"ledger", true, at + ", not there yet: the first run makes it"}, keeps}
		}
	}
	if b.Ledger, err = ledger.Open(ctx, at, false); err != nil {
		return []finding{{"ledger", false, publicURL(at) + ": " + err.Error()}, keeps}
	}
	defer func() { _ = b.Close() }()
	b.reconcile(ctx)
	onDisk, err := b.Bytes(ctx)
	if err != nil {
		return []finding{{"ledger", false, publicURL(at) + ": " + err.Error()}, keeps}
	}
	runs, size, err := b.store().Size(ctx)
	if err != nil {
		return []finding{{"ledger", false, publicURL(at) + ": " + err.Error()}, keeps}
	}
	out := []finding{
		{"ledger", true, fmt.Sprintf("%s, %s, %s; its claims hold on %s", publicURL(at), humanize.Bytes(uint64(onDisk)), count(int(runs), "run"), holdsOn(b))},
		keeps,
	}
	if above := b.rule().Above; size > above+above/10 {
		out = append(out, finding{"prune", false, fmt.Sprintf(
			"ledger, logs and artifacts take %s, above the %s: what is left are open runs and successes that once-keys stand for (outrider once list)",
			humanize.Bytes(uint64(size)), humanize.Bytes(uint64(above)))})
	}
	return out
}

func holdsOn(b *book) string {
	if b.Shared() {
		return "all hosts that use it"
	}
	return "this host"
}

// pruneText says what removes runs by itself.
func pruneText(b *book) finding {
	r, from := b.rule(), "the default"
	if b.config.PruneAfter != 0 || b.config.PruneAbove != 0 {
		from = "by " + b.config.File
	}
	return finding{"prune", true, fmt.Sprintf("about once an hour ended runs go after %s, and the oldest while ledger, logs and artifacts take more than %s (%s)",
		short(r.After), humanize.Bytes(uint64(r.Above)), from)}
}

// publicURL is a ledger's address without what is secret in it.
func publicURL(at string) string {
	if strings.HasPrefix(at, "sqlite:") {
		return at
	}
	u, err := url.Parse(at)
	if err != nil {
		return "postgres (its URL cannot be read)"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	for _, secret := range []string{"password", "sslpassword", "passfile"} {
		q.Del(secret)
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "%2F", "/")
	return u.String()
}
