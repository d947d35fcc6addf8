package launch

import (
	"time"
)

// abort ends a start.
func (p *Plugin) abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.aborted = true
	if p.process != nil {
		p.process.KillGroup()
	}
}

// Kill ends the plugin and all of its group at once. Execute then returns.
func (p *Plugin) Kill() {
	p.killed.Store(true)
	if process := p.running(); process != nil {
		process.KillGroup()
	}
}

// Close ends the plugin: a process without a running task may exit by itself
// within the budget, any other, and whatever is left of its group, is killed.
// More calls change nothing.
func (p *Plugin) Close() {
	p.closed.Do(func() {
		p.end()
		p.over.Store(true)
	})
}

func (p *Plugin) end() {
	process := p.running()
	if process == nil {
		p.client.Kill()
		return
	}
	// go-plugin's Kill waits without limit for a frozen process and for whoever
	// holds its pipes, so it never runs here. It also frees go-plugin's own
	// goroutines and must come even for a dead process.
	freed := make(chan struct{})
	goodbye := func() {
		p.client.Kill()
		close(freed)
	}
	if p.orderly.Load() && !p.killed.Load() {
		go goodbye()
		p.exitWithin(p.o.Stop.Kill)
	} else {
		process.KillGroup()
		go goodbye()
	}
	late := time.After(p.o.Stop.Reap)
	if err := process.Close(p.o.Stop.Reap); err != nil {
		p.o.Log.Warn("ending a plugin", "path", p.o.Command.Path, "error", err)
	}
	p.lifeline.Close()
	drained := make(chan struct{})
	go func() {
		p.drained.Wait()
		close(drained)
	}()
	for _, done := range []chan struct{}{freed, drained} {
		select {
		case <-done:
		case <-late:
			// Whoever left the group and keeps on printing is not read for ever.
			for _, pipe := range p.pipes {
				pipe.Close()
			}
			return
		}
	}
	for _, s := range p.stdio {
		s.flush()
	}
	p.o.Log.Debug("ended plugin", "path", p.o.Command.Path, "exit", process.Exit())
}
