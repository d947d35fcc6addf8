package client

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// script is a task that says what it is given.
type script struct {
	says []*taskv1.TaskMsg
	end  error
	deaf error // of every Send
	got  []*taskv1.HostMsg
}

func (s *script) Send(m *taskv1.HostMsg) error {
	s.got = append(s.got, m)
	return s.deaf
}

func (s *script) Recv() (*taskv1.TaskMsg, error) {
	if len(s.says) == 0 {
		return nil, s.end
	}
	m := s.says[0]
	s.says = s.says[1:]
	return m, nil
}

func (s *script) CloseSend() error { return nil }

func TestATaskThatBreaksTheContractIsAnError(t *testing.T) {
	alive := func(seq uint64) *taskv1.TaskMsg {
		return &taskv1.TaskMsg{Seq: seq, Msg: &taskv1.TaskMsg_Alive{Alive: &taskv1.Alive{}}}
	}
	for want, s := range map[string]*script{
		"without a result":                {says: []*taskv1.TaskMsg{alive(1)}, end: io.EOF},
		"message 3 came where 2 was due":  {says: []*taskv1.TaskMsg{alive(1), alive(3)}, end: io.EOF},
		"message 1 came where 2 was due":  {says: []*taskv1.TaskMsg{alive(1), alive(1)}, end: io.EOF},
		"receiving from the task: broken": {end: errors.New("broken")},
		"receiving from the task: no":     {end: errors.New("no"), deaf: io.EOF}, // it refused before it heard
	} {
		if r, err := Execute(t.Context(), s, &taskv1.Start{}, Events{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("result %v, error %v, want %s", r, err, want)
		}
	}
}

func TestQuestionsAreAnsweredByTheirNumber(t *testing.T) {
	s := &script{says: []*taskv1.TaskMsg{
		{Seq: 1, Msg: &taskv1.TaskMsg_Checkpoint{Checkpoint: &taskv1.Checkpoint{Value: []byte(`1`)}}},
		{Seq: 2, Msg: &taskv1.TaskMsg_Open{Open: &taskv1.Open{Task: "t", Name: "n"}}},
		{Seq: 3, Msg: &taskv1.TaskMsg_Artifact{Artifact: &taskv1.Artifact{Name: "a"}}},
		{Seq: 4}, // of a later version
		{Seq: 5, Msg: &taskv1.TaskMsg_Result{Result: &taskv1.Result{Kind: taskv1.Result_SUCCESS}}},
	}}
	r, err := Execute(t.Context(), s, &taskv1.Start{}, Events{
		Artifact: func(*taskv1.Artifact) error { return errors.New("full") },
	})
	if err != nil || r.GetKind() != taskv1.Result_SUCCESS || len(s.got) != 4 || s.got[0].GetStart() == nil {
		t.Fatalf("%v %v, sent %v", r, err, s.got)
	}
	for i, want := range []string{"", "there is no artifact of another task here", "full"} {
		if ack := s.got[i+1].GetAck(); ack.GetSeq() != uint64(i+1) || ack.GetError() != want {
			t.Errorf("answer %d: %v", i+1, ack)
		}
	}
}
