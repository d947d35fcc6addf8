package catalog_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/catalog"
)

func TestDirs(t *testing.T) {
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	system := []string{
		"/usr/local/share/outrider/plugins system", "/usr/share/outrider/plugins system",
		"/usr/local/lib/outrider/plugins system", "/usr/lib/outrider/plugins system",
	}
	tests := []struct {
		name  string
		flags []string
		env   map[string]string
		want  []string
	}{
		{
			"all",
			[]string{"/f", "rel"},
			map[string]string{"OUTRIDER_PLUGIN_PATH": "/e1:/e2", "XDG_DATA_HOME": "/data", "HOME": "/home/u"},
			append([]string{
				"/f --plugin-dir", filepath.Join(cwd, "rel") + " --plugin-dir", "/e1 $OUTRIDER_PLUGIN_PATH", "/e2 $OUTRIDER_PLUGIN_PATH",
				"/bin beside outrider", "/data/outrider/plugins user's data folder",
			}, system...),
		},
		{"nothing set", nil, nil, append([]string{"/bin beside outrider"}, system...)},
		{
			"home, and a relative XDG folder", nil,
			map[string]string{"HOME": "/home/u", "XDG_DATA_HOME": "data"},
			append([]string{"/bin beside outrider", "/home/u/.local/share/outrider/plugins user's data folder"}, system...),
		},
		{
			"empty elements are not the current folder, twice is once",
			[]string{""},
			map[string]string{"OUTRIDER_PLUGIN_PATH": ":/bin::/bin/../bin:"},
			append([]string{"/bin $OUTRIDER_PLUGIN_PATH"}, system...),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range catalog.Dirs(tt.flags, func(k string) string { return tt.env[k] }, "/bin") {
				got = append(got, d.Path+" "+d.Origin)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}
