// Command outrider-plugin-script serves one script component: a program in any
// language with a NAME.component.yml beside it. The host starts it as
//
//	outrider-plugin-script --manifest PATH            (as a plugin)
//	outrider-plugin-script describe --manifest PATH
//
// and by hand `outrider-plugin-script run NAME --manifest PATH --params FILE`
// runs the component without a host. `outrider-plugin-script interpreter
// 'python>=3.11'` prints the path of one that fits: the host asks so for a task that
// is no component.
//
// Here lives what makes a run of a command and a result of its end, one file a
// job; its parts that know no component are under internal. Reading manifests
// and talking to the host is the SDK's.
package main

import (
	"fmt"
	"os"

	"github.com/outrider-run/outrider/sdk"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "interpreter" {
		os.Exit(printInterpreter(os.Args[2], os.Stdout, os.Stderr))
	}
	path, args := manifestFlag(os.Args)
	mode := ""
	if len(args) > 1 {
		mode = args[1]
	}
	components, err := load(path, mode == "run")
	if err == nil && len(components) == 0 && mode == "describe" {
		if err = describeNothing(os.Stdout); err == nil {
			return
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "outrider-plugin-script: %v\n", err)
		os.Exit(5) // a broken plugin, as sdk.Serve has it
	}
	os.Args = args // the SDK does not know the flag
	sdk.Serve(components...)
}
