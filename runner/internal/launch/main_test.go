package launch

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the main of the plugins and hosts that the tests start: they
// are this binary, started with a role as its first argument.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "plugin":
			pluginMain(os.Args[2])
			return
		}
	}
	goleak.VerifyTestMain(m)
}
