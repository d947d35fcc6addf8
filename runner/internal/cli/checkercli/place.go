package checkercli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	"github.com/outrider-run/outrider/runner/internal/cli/term"
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
	if watched := endpoints(s.Sources); len(watched) > 0 && !slices.Equal(watched, endpoints(own(cfg))) {
		p.name = digest(watched...)
	}
	return p
}

// own are the sources of a config without those of flags and environment.
func own(cfg config.Config) map[string]settings.Source {
	s, err := settings.Load(cfg)
	if err != nil {
		return nil
	}
	return s.Sources
}

// memory are the flags that lead to the memory of the checker with these ones.
func (g given) memory(cfg config.Config) (words []string, err error) {
	if g.config != "" || os.Getenv("OUTRIDER_CONFIG") != "" {
		file, err := filepath.Abs(cfg.File)
		if err != nil {
			return nil, fmt.Errorf("name the config: %w", err)
		}
		words = append(words, "--config", file)
	}
	beside, ledger := g.beside(own(cfg))
	for _, x := range beside {
		words = append(words, "--"+string(x.engine), x.url)
	}
	if ledger {
		words = append(words, "--ledger")
	}
	return words, nil
}

// endpoints are the sources with their addresses, which tell one server from another.
func endpoints(sources map[string]settings.Source) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		all = append(all, name+"\n"+sources[name].Engine+"\n"+endpoint(sources[name]))
	}
	return all
}

// endpoint is the address of a source.
func endpoint(s settings.Source) string {
	var params struct {
		Endpoint any `json:"endpoint"`
	}
	_ = json.Unmarshal(s.Params, &params) // what is no object has no endpoint
	return strings.TrimRight(fmt.Sprint(params.Endpoint), "/")
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
	switch {
	case p.name != "":
		return p.installation() + "_" + p.name
	case p.instance != "":
		return p.installation()
	}
	return ""
}

// installation is what the names of an installation's schemas begin with.
func (p place) installation() string { return "outrider_checker_" + digest(p.instance) }

func (p place) open(ctx context.Context) (*store.Store, error) {
	if p.url != "" {
		return store.OpenSchema(ctx, p.url, p.schema())
	}
	return store.Open(ctx, "sqlite:"+p.file(".db"))
}

// names are the sets of sources of which something is remembered here, "" for the sources
// of a config; the one that was written last comes first.
func (p place) names(ctx context.Context) (names []string, err error) {
	var at map[string]time.Time
	if p.url != "" {
		at, err = p.schemas(ctx)
	} else {
		at, err = p.files()
	}
	names = slices.Sorted(maps.Keys(at))
	slices.SortStableFunc(names, func(a, b string) int { return at[b].Compare(at[a]) })
	return names, err
}

// files are the names of which there is a file, with when it was written last.
func (p place) files() (map[string]time.Time, error) {
	all := map[string]time.Time{}
	found, err := filepath.Glob(filepath.Join(p.dir, "checker*.db"))
	if err != nil {
		return nil, fmt.Errorf("look for what checkers remember: %w", err)
	}
	for _, file := range found {
		name := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(file), ".db"), "checker")
		all[strings.TrimPrefix(name, "-")] = touched(file)
	}
	return all, nil
}

// schemas are the names of this installation that a server has, with when the last pass
// was made.
func (p place) schemas(ctx context.Context) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	found, err := store.Schemas(ctx, p.url)
	if err != nil {
		return nil, err
	}
	for _, schema := range found {
		p.name = strings.TrimPrefix(schema, p.installation()+"_")
		if p.name == schema {
			p.name = ""
		}
		if schema != cmp.Or(p.schema(), "outrider") {
			continue // another installation's
		}
		if all[p.name], err = p.lastPass(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// lastPass is when the last pass was made, zero where there was none.
func (p place) lastPass(ctx context.Context) (time.Time, error) {
	s, err := p.open(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = s.Close() }()
	last, _, err := s.Last(ctx)
	return last.At, err
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

// errNothing says that no check keeps what it remembers in a place.
var errNothing = errors.New("no check has been made that keeps what it knows in")

// lookAt is the place that a command is about. Where no source is named at all it is that
// of the config if something is remembered there, else the one that was written last. The
// error is errNothing where nothing is: a place is made by a check alone.
func (a *app) lookAt(ctx context.Context, g given) (place, error) {
	cfg, s, err := g.settings()
	if err != nil {
		return place{}, err
	}
	dir, err := a.folder()
	if err != nil {
		return place{}, err
	}
	p := g.place(cfg, s, dir)
	names, err := p.names(ctx)
	if err != nil {
		return p, err
	}
	named := g.config != "" || g.digdag != "" || g.airflow != "" || g.ledger
	if !named && len(s.Sources) == 0 && len(names) > 0 && !slices.Contains(names, "") {
		p.name = names[0]
	}
	const other = "another checker's memory is named by the flags of its check: --config, --digdag, --airflow, --ledger"
	switch {
	case !slices.Contains(names, p.name):
		return p, fmt.Errorf("%w %s; %s", errNothing, p, other)
	case !named && len(names) > 1:
		a.say("this looks at %s; %s", p, other)
	}
	return p, nil
}

// memoryOf are the flags that lead where a command's own ones do.
func memoryOf(c *cli.Context) ([]string, error) {
	g, err := parse(c)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(g.config, os.Getenv)
	if err != nil {
		return nil, term.Usage("%w", err)
	}
	return g.memory(cfg)
}
