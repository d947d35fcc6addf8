package digdagtest

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// h2Delay is how long H2, the real server's own database, may keep a committed
// change in memory: a kill -9 within it is a kill before the change.
const h2Delay = time.Second

// settle waits until what the server answered so far is on disk. The double and
// PostgreSQL write before they answer.
func (s *Server) settle() error {
	if !s.Real || s.ownDatabase() {
		return nil
	}
	asked := time.Now()
	return poll(context.Background(), 20*time.Millisecond, func() (bool, error) {
		info, err := os.Stat(filepath.Join(s.options.Dir, "database", "digdag.mv.db"))
		if err != nil {
			return false, err
		}
		// A busy machine writes late and in several goes: the first is not taken for all.
		return info.ModTime().After(asked.Add(h2Delay)) || time.Since(asked) > 5*h2Delay, nil
	})
}
