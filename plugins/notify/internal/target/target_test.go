package target

import (
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
)

func TestService(t *testing.T) {
	for address, want := range map[string]string{
		"smtp://x": "smtp", "generic+https://x": "generic", "NTFY://x": "ntfy", "no scheme": "", "a b://x": "", "": "",
	} {
		if got := Service(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

// A service whose configuration has no title fails for one, or loses it, so a
// new service has to be looked at before it is taken in.
func TestTheServicesWithoutATitleAreKnown(t *testing.T) {
	var r router.ServiceRouter
	names := r.ListServices()
	for _, name := range []string{"smtp", "teams", "discord", "pagerduty", "ntfy", "mattermost", "telegram"} {
		if !slices.Contains(names, name) {
			t.Errorf("shoutrrr has no %s any more", name)
		}
	}
	slices.Sort(names)
	var without []string
	for _, name := range names {
		if !takesTitle(name, name+"://x") {
			without = append(without, name)
		}
	}
	const want = "generic googlechat hangouts notifiarr pagerduty rocketchat signal wecom"
	if got := strings.Join(without, " "); got != want {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(names, " "); got != "bark discord generic googlechat gotify hangouts ifttt join lark logger matrix mattermost notifiarr ntfy opsgenie pagerduty pushbullet pushover rocketchat signal slack smtp teams telegram wecom zulip" {
		t.Errorf("the services are others: see whether each new one takes a title: %s", got)
	}
}

func TestTheTitleHasItsPlace(t *testing.T) {
	for _, c := range []struct{ service, address, title, text, param string }{
		{"smtp", "smtp://x", "Ü", "text", "=?utf-8?q?=C3=9C?="},
		{"ntfy", "ntfy://x", "a\nb", "text", "a b"},
		{"pagerduty", "pagerduty://x", "a\r\nb", "a  b\n\ntext", ""},
		{"generic", "generic://x/?template=json", "a", "text", "a"},
		{"generic", "generic://x/", "a", "a\n\ntext", ""},
		{"smtp", "smtp://x", "", "text", ""},
	} {
		text, params := compose(c.service, c.address, c.title, "text")
		if got, _ := params.Title(); got != c.param || text != c.text {
			t.Errorf("%+v: %q, %q", c, text, got)
		}
	}
}

func TestFaultOfMail(t *testing.T) {
	const address = "smtp://user:hunter2hunter2@mail.example.com/?from=a@b.c&to=d@e.f"
	for code, permanent := range map[int]bool{421: false, 550: true, 535: true} {
		err := fmt.Errorf("at mail.example.com: %w", &textproto.Error{Code: code, Msg: "not with hunter2hunter2"})
		f := faultOf(address, err)
		if f == nil || f.Permanent != permanent || f.Code != "refused" || f.Text != fmt.Sprintf("at mail.example.com: %d \"not with [secret]\"", code) {
			t.Errorf("%d: %+v", code, f)
		}
	}
	for permanent, codes := range map[bool][]int{true: {550, 503}, false: {550, 421}} {
		err := errors.Join(&textproto.Error{Code: codes[0]}, fmt.Errorf("closing: %w", &textproto.Error{Code: codes[1]}))
		if f := faultOf(address, err); f.Permanent != permanent {
			t.Errorf("%v: %+v", codes, f)
		}
	}
	if f := faultOf(address, nil); f != nil {
		t.Error(f)
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("late\r\nBcc: x@y.example")
	f.Add("\u2028 \x00\x85")
	f.Fuzz(func(t *testing.T, title string) {
		got := oneLine(title)
		if strings.ContainsFunc(got, unicode.IsControl) || strings.ContainsAny(encoded("smtp", got), "\r\n") {
			t.Errorf("%q", got)
		}
	})
}

// TestNoHalfSecretIsTold where a text is cut in the middle of it.
func TestNoHalfSecretIsTold(t *testing.T) {
	const address = "telegram://1234567890:abcdefghijklmnopqrstuvwxyz@telegram?chats=@x"
	for n := range 60 {
		err := faultOf(address, errors.New(strings.Repeat("x", 440+n)+" "+address+" is denied"))
		for _, part := range []string{"1234", "abcd"} {
			if strings.Contains(err.Error(), part) {
				t.Fatalf("%d: %v", n, err)
			}
		}
	}
}
