package cli

import (
	"os"

	"github.com/google/renameio/v2"
)

// writeWhole puts data at path whole or not at all, synced. What is no regular
// file (a pipe, /dev/null) is written to as it is: a rename would replace it.
func writeWhole(path string, data []byte) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if _, err := f.Write(data); err != nil {
			_ = f.Close()
			return err
		}
		return f.Close()
	}
	return renameio.WriteFile(path, data, 0o666)
}
