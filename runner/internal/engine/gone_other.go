//go:build !linux

package engine

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Gone looks every second whether this process has been handed to another parent:
// without pidfd there is no event to wait for.
func (e Engine) Gone(ctx context.Context) (<-chan error, error) {
	said := make(chan error, 1)
	if e.Name == None {
		return said, nil
	}
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if os.Getppid() != parent {
					said <- fmt.Errorf("the process above, %d, has ended", parent)
					return
				}
			}
		}
	}()
	return said, nil
}

// LeaveStdin has nothing to do: no Airflow 3 worker runs here.
func (e Engine) LeaveStdin() error { return nil }

// owns is not known without /proc.
func (e Engine) owns(int) bool { return false }
