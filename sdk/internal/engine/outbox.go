package engine

import (
	"sync"
	"time"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

const (
	// batchBytes and batchDelay end a batch of log lines.
	batchBytes = 64 << 10
	batchDelay = 5 * time.Millisecond
	// lineCost stands for what a line costs beside its text.
	lineCost = 32
	// aliveEvery is how often Alive is worth a message.
	aliveEvery = 100 * time.Millisecond
)

// outbox is the one way out: it numbers the messages and keeps them in order.
// Sending happens under its lock, so who logs faster than the host reads waits
// for it, and memory stays flat.
type outbox struct {
	send func(*taskv1.TaskMsg) error

	mu           sync.Mutex
	err          error // the first that send gave; nothing is sent after it
	closed       bool
	seq          uint64
	lines        []*taskv1.LogLine
	size         int
	timer        *time.Timer
	armed        bool
	progress     *taskv1.Progress // waits for the timer
	lastProgress time.Time
	lastAlive    time.Time
}

func newOutbox(send func(*taskv1.TaskMsg) error) *outbox {
	return &outbox{send: send}
}

func (o *outbox) log(line *taskv1.LogLine) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.err != nil {
		return
	}
	if o.lines == nil {
		o.lines = make([]*taskv1.LogLine, 0, 256)
	}
	o.lines = append(o.lines, line)
	o.size += len(line.Message) + len(line.Fields) + lineCost
	if o.size >= batchBytes {
		o.flush()
		return
	}
	o.arm()
}

// report sends p at once, unless one was sent within the delay of a batch: then
// the newest of those that wait is sent when it is over.
func (o *outbox) report(p *taskv1.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.progress = p
	if time.Since(o.lastProgress) < batchDelay {
		o.arm()
		return
	}
	o.flush()
	o.flushProgress()
}

func (o *outbox) alive() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Sub(o.lastAlive) < aliveEvery {
		return
	}
	o.lastAlive = now
	o.flush()
	o.put(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Alive{Alive: &taskv1.Alive{}}})
}

// post sends m after all that was logged before it. expect, unless nil, learns
// m's number before it is sent.
func (o *outbox) post(m *taskv1.TaskMsg, expect func(seq uint64)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
	o.flushProgress()
	if expect != nil {
		expect(o.seq + 1)
	}
	o.put(m)
	return o.err
}

// finish sends the last message; what comes later is dropped.
func (o *outbox) finish(r *taskv1.Result) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
	o.flushProgress()
	o.put(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Result{Result: r}})
	o.closed = true
	if o.timer != nil {
		o.timer.Stop()
	}
	return o.err
}

func (o *outbox) arm() {
	if o.armed {
		return
	}
	o.armed = true
	if o.timer == nil {
		o.timer = time.AfterFunc(batchDelay, o.tick)
		return
	}
	o.timer.Reset(batchDelay)
}

func (o *outbox) tick() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.armed = false
	o.flush()
	switch {
	case o.progress == nil || o.closed:
	case time.Since(o.lastProgress) < batchDelay:
		o.arm()
	default:
		o.flushProgress()
	}
}

func (o *outbox) flush() {
	if lines := o.lines; len(lines) > 0 {
		o.lines, o.size = nil, 0
		o.put(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Log{Log: &taskv1.LogBatch{Lines: lines}}})
	}
}

func (o *outbox) flushProgress() {
	if p := o.progress; p != nil {
		o.progress, o.lastProgress = nil, time.Now()
		o.put(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Progress{Progress: p}})
	}
}

func (o *outbox) put(m *taskv1.TaskMsg) {
	if o.err != nil || o.closed {
		return
	}
	o.seq++
	m.Seq = o.seq
	o.err = o.send(m)
}
