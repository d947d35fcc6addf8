package catalog

import "fmt"

// ScriptPlugin is the plugin that serves script manifests. It knows the machine's
// interpreters too: `outrider-plugin-script interpreter 'python>=3.11'` prints the path
// of one.
func (c *Catalog) ScriptPlugin() (string, error) {
	found := scan(c.options.Dirs)
	if found.server == nil {
		return "", fmt.Errorf("the plugin %s is in none of the folders; it belongs beside outrider", scriptPlugin)
	}
	if c.options.Lock != nil {
		if err := c.CheckEntry(Entry{Plugin: found.server.path}, *c.options.Lock); err != nil {
			return "", err
		}
	}
	return found.server.path, nil
}
