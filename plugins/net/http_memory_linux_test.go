package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// A download needs no more memory than any run: when all but the last byte of a
// gibibyte has been sent, the process has never held a twentieth of it.
func TestDownloadIsFlatInMemory(t *testing.T) {
	const size, mostKiB = 1 << 30, 50 << 10
	pid, peak := make(chan int, 1), make(chan int, 1)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		block := make([]byte, 1<<20)
		for sent := 0; sent < size-1; {
			n, err := w.Write(block[:min(len(block), size-1-sent)])
			if err != nil {
				return
			}
			sent += n
		}
		peak <- peakKiB(t, <-pid)
		_, _ = w.Write(block[:1])
	})
	bin, dir := sdktest.Build(t, "."), t.TempDir()
	cmd := exec.Command(bin.Path, "run", "http.request", "--params", textFile(t, "params.json", fields{"url": s.URL, "artifact": "big", "retries": 0}.json(t)))
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid <- cmd.Process.Pid
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	found, err := filepath.Glob(dir + "/*/artifacts/big")
	if err != nil || len(found) != 1 {
		t.Fatalf("artifacts %q, %v", found, err)
	}
	if info, err := os.Stat(found[0]); err != nil || info.Size() != size {
		t.Errorf("the artifact is %v, %v", info, err)
	}
	if got := <-peak; got == 0 || got > mostKiB {
		t.Errorf("the process took %d KiB, at most %d are allowed", got, mostKiB)
	} else {
		t.Logf("the process took %d KiB", got)
	}
}

// peakKiB is the most memory that a process had, 0 if that is unknown. What wait
// returns counts the memory of whoever started the process too.
func peakKiB(t *testing.T, pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Error(err)
		return 0
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(found[1]))
	return n
}
