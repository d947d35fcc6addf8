package protocol

import (
	"google.golang.org/protobuf/proto"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Warm has the message types build their tables, which protobuf does on first
// use, a fifth of a millisecond in all. Both sides call it beside the start, while
// one waits for the other, so that the first messages do not pay for it.
func Warm() {
	for _, m := range []struct{ from, to proto.Message }{
		{&taskv1.HostMsg{Msg: &taskv1.HostMsg_Start{Start: &taskv1.Start{RunId: "-", Caller: &taskv1.Caller{Engine: "-"}}}}, &taskv1.HostMsg{}},
		{&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Result{Result: &taskv1.Result{Code: "-"}}}, &taskv1.TaskMsg{}},
	} {
		// What cannot fail here would fail again, and be told, where it matters.
		if raw, err := proto.Marshal(m.from); err == nil {
			_ = proto.Unmarshal(raw, m.to)
		}
	}
}
