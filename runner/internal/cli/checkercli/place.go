package checkercli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/config"
)

// place is where a checker keeps what it remembers: on the ledger's server where that is
// one, else in a file of the state folder. Checkers that watch different sources have
// different places, so that none takes another's sources for gone.
type place struct {
	dir, url string
	// name is that of a set of sources that flags or the environment name; empty for the
	// sources of a config.
	name string
	// instance is the installation's on a server.
	instance string
}

// place is that of the checker with these settings.
func (g given) place(cfg config.Config, s settings.Settings, dir string) place {
	p := place{dir: dir, instance: cmp.Or(os.Getenv("OUTRIDER_INSTANCE"), cfg.Instance)}
	if url := cmp.Or(os.Getenv("OUTRIDER_LEDGER"), cfg.Ledger); strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		p.url = url
	}
	own := settings.Settings{}
	if of, err := settings.Load(cfg); err == nil {
		own = of
	}
	if watched := endpoints(s); len(watched) > 0 && !slices.Equal(watched, endpoints(own)) {
		p.name = digest(watched...)
	}
	return p
}

// endpoints are the sources with their addresses, which tell one server from another.
func endpoints(s settings.Settings) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		one := s.Sources[name]
		var params struct {
			Endpoint any `json:"endpoint"`
		}
		_ = json.Unmarshal(one.Params, &params) // what is no object has no endpoint
		all = append(all, name+"\n"+one.Engine+"\n"+strings.TrimRight(fmt.Sprint(params.Endpoint), "/"))
	}
	return all
}

// digest is a short name for texts.
func digest(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\n\n")))
	return hex.EncodeToString(sum[:5])
}

// file is one of the state folder that belongs to this place.
func (p place) file(ending string) string {
	if p.name == "" {
		return filepath.Join(p.dir, "checker"+ending)
	}
	return filepath.Join(p.dir, "checker-"+p.name+ending)
}

// schema has the tables on a server; empty for that of the ledger.
func (p place) schema() string {
	if p.name == "" && p.instance == "" {
		return ""
	}
	return "outrider_checker_" + digest(p.instance, p.name)
}

func (p place) open(ctx context.Context) (*store.Store, error) {
	if p.url != "" {
		return store.OpenSchema(ctx, p.url, p.schema())
	}
	return store.Open(ctx, "sqlite:"+p.file(".db"))
}

// choose is where to look when no source is named: at the config's if it is there, else
// at what was written last. Several: there are others to be meant.
func (p place) choose(unnamed bool) (chosen place, several bool, err error) {
	if p.url != "" {
		return p, unnamed, nil
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "checker*.db"))
	if err != nil {
		return p, false, fmt.Errorf("look for what checkers remember: %w", err)
	}
	if unnamed && len(files) > 0 && !slices.Contains(files, p.file(".db")) {
		last := slices.MaxFunc(files, func(a, b string) int { return touched(a).Compare(touched(b)) })
		p.name = strings.TrimPrefix(strings.TrimSuffix(filepath.Base(last), ".db"), "checker-")
	}
	return p, len(files) > 1, nil
}

// touched is when a file was written last, zero where it is gone.
func touched(file string) time.Time {
	st, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

func (p place) String() string {
	if p.url != "" {
		return "the schema " + cmp.Or(p.schema(), "outrider") + " of the ledger's database"
	}
	return p.file(".db")
}

// storeFlags name the checker whose memory a command is about, as check does.
func storeFlags() []cli.Flag { return settingsFlags()[:4] }

// lookAt is the place that a command is about.
func (a *app) lookAt(g given) (place, error) {
	cfg, s, err := g.settings()
	if err != nil {
		return place{}, err
	}
	dir, err := a.folder()
	if err != nil {
		return place{}, err
	}
	p := g.place(cfg, s, dir)
	if g.config != "" || g.digdag != "" || g.airflow != "" || g.ledger {
		return p, nil
	}
	p, several, err := p.choose(len(s.Sources) == 0)
	if several {
		a.say("this looks at %s; another checker's memory is named by the flags of its check: --config, --digdag, --airflow, --ledger", p)
	}
	return p, err
}
