package deliver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/outrider-run/outrider/runner/internal/checker/message"
)

// print writes a message to the console, with a blank line after it.
func (d *Deliverer) print(m message.Message) error {
	d.console.Lock()
	defer d.console.Unlock()
	if _, err := io.WriteString(d.Console, message.Text(m, message.Plain)+"\n"); err != nil {
		return fmt.Errorf("write to the console: %w", err)
	}
	return nil
}

// appendLine adds a message to a file as one line of JSON, and returns when it is on the
// disk. After a line that a crash has torn it begins a new one.
func appendLine(path string, m message.Message) (err error) {
	line, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("make a line of the message: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the file of alerts: %w", err)
	}
	defer func() {
		if closing := f.Close(); closing != nil {
			err = errors.Join(err, fmt.Errorf("close the file of alerts: %w", closing))
		}
	}()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("look at the file of alerts: %w", err)
	}
	last := []byte{'\n'}
	if end > 0 {
		if _, err := f.ReadAt(last, end-1); err != nil {
			return fmt.Errorf("look at the file of alerts: %w", err)
		}
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write to the file of alerts: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("bring the file of alerts to the disk: %w", err)
	}
	return nil
}
