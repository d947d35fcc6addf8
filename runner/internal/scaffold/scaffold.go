// Package scaffold writes the first version of a plugin for its author. The
// templates are plain Go under files/; nothing here knows what the SDK does.
package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed files/*.txt
var files embed.FS

// sdkModule is the module that a plugin builds on.
const sdkModule = "github.com/outrider-run/outrider"

// Plugin is a plugin to write.
type Plugin struct {
	// Name is the NAME of outrider-plugin-NAME and the noun of its component.
	Name string
	// Dir is where the author stands.
	Dir string
	// SDK is a checkout of Outrider to build against, "" for none.
	SDK string
	// Version is the release of Outrider to require where there is no checkout.
	Version string
}

// Written is what New wrote.
type Written struct {
	// Dir is the plugin's folder, Files what is in it.
	Dir   string
	Files []string
	// OwnModule tells that the plugin is a module of its own.
	OwnModule bool
	// InOutrider tells that it stands in Outrider's checkout, where make build finds it.
	InOutrider bool
}

// New writes the plugin: into Outrider's checkout when Dir is in one, else into a
// folder of its own below Dir, as a module unless Dir belongs to one. It never
// writes into a folder that is there.
func New(p Plugin) (Written, error) {
	if err := checkName(p.Name); err != nil {
		return Written{}, err
	}
	root, module, err := enclosing(p.Dir)
	if err != nil {
		return Written{}, err
	}
	w := Written{Dir: filepath.Join(p.Dir, "outrider-plugin-"+p.Name), OwnModule: module == "", InOutrider: module == sdkModule}
	if w.InOutrider {
		w.Dir = filepath.Join(root, "plugins", p.Name)
	}
	content := map[string]string{}
	for _, name := range []string{"main.go", "main_test.go"} {
		text, err := files.ReadFile("files/" + name + ".txt")
		if err != nil {
			return w, err
		}
		content[name] = strings.ReplaceAll(string(text), "NAME", p.Name)
	}
	if w.OwnModule {
		if err := moduleFiles(content, p); err != nil {
			return w, err
		}
	}
	return w, w.write(content)
}

func (w *Written) write(content map[string]string) error {
	if err := os.MkdirAll(filepath.Dir(w.Dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(w.Dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already; choose another name or remove it", w.Dir)
		}
		return err
	}
	for _, name := range []string{"main.go", "main_test.go", "go.mod", "go.sum"} {
		text, ok := content[name]
		if !ok {
			continue
		}
		if err := os.WriteFile(filepath.Join(w.Dir, name), []byte(text), 0o644); err != nil {
			return err
		}
		w.Files = append(w.Files, name)
	}
	return nil
}

// moduleFiles adds go.mod, and with a checkout at hand its requirements and sums,
// so that the plugin builds at once and offline.
func moduleFiles(content map[string]string, p Plugin) error {
	if p.SDK == "" {
		content["go.mod"] = fmt.Sprintf("module outrider-plugin-%s\n\ngo 1.26.0\n\nrequire %s %s\n", p.Name, sdkModule, p.Version)
		return nil
	}
	mod, err := os.ReadFile(filepath.Join(p.SDK, "go.mod"))
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(p.SDK, "go.sum"))
	if err != nil {
		return err
	}
	text := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllLiteralString(string(mod), "module outrider-plugin-"+p.Name)
	text = regexp.MustCompile(`(?ms)^tool \(.*?^\)\n+`).ReplaceAllLiteralString(text, "")
	content["go.mod"] = text + fmt.Sprintf("\nrequire %[1]s v0.0.0\n\nreplace %[1]s => %[2]s\n", sdkModule, p.SDK)
	content["go.sum"] = string(sum)
	return nil
}

func checkName(name string) error {
	if !regexp.MustCompile(`^[a-z][a-z0-9]*$`).MatchString(name) {
		return fmt.Errorf("plugin name %q: want lower-case letters and digits, a letter first, such as weather", name)
	}
	return nil
}

// enclosing returns the Go module that dir is in; module is "" outside of any.
func enclosing(dir string) (root, module string, err error) {
	for root = dir; ; root = filepath.Dir(root) {
		module, err = moduleOf(root)
		if err != nil || module != "" || root == filepath.Dir(root) {
			return root, module, err
		}
	}
}

// Checkout returns the checkout of Outrider that dir is in, "" if it is in none.
func Checkout(dir string) string {
	if root, module, err := enclosing(dir); err == nil && module == sdkModule {
		return root
	}
	return ""
}

func moduleOf(dir string) (string, error) {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mod)) {
		if m, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(m), nil
		}
	}
	return "", fmt.Errorf("%s names no module", filepath.Join(dir, "go.mod"))
}
