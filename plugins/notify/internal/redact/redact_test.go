package redact

import (
	"strings"
	"testing"
	"unicode"
)

func TestTextHidesAnAddressHoweverItIsRepeated(t *testing.T) {
	for _, c := range []struct{ text, secret, keep, want string }{
		{
			"Post \"https://hooks.slack.com/services/T0001/B0002/abcdefSECRET\": EOF",
			"https://hooks.slack.com/services/T0001/B0002/abcdefSECRET", "",
			`Post "[secret]": EOF`,
		},
		{
			"dial tcp: lookup mail.example.com: no such host (pw p&ssw, p%26ssw)",
			"smtp://user:p&ssw@mail.example.com:25/?from=a@b.example", "mail.example.com",
			"dial tcp: lookup mail.example.com: no such host (pw [secret], [secret])",
		},
		{ // another form of the same token, as shoutrrr sends it
			"got xoxb-123456789-abcdefghi-ZYX from Slack",
			"slack://xoxb:123456789-abcdefghi-ZYX@C001", "",
			"got [secret]-[secret] from Slack",
		},
		{"nothing to hide", "", "", "nothing to hide"},
		{"https://api.telegram.org/bot110201543:AAHdqTcvCH1/sendMessage", "telegram://110201543:AAHdqTcvCH1@telegram?chats=-1001", "", "https://api.[secret].org/bot[secret]:[secret]/sendMessage"},
	} {
		if got := Text(c.text, c.secret, c.keep); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("before ", "smtp://user:password@host/", " after")
	f.Add("", "secret", "")
	f.Add("x", "discord://to%20ken@1234567\xff", "y")
	f.Fuzz(func(t *testing.T, before, secret, after string) {
		got := strings.ReplaceAll(Text(before+secret+after, secret, ""), hidden, " ")
		valid := strings.ToValidUTF8(secret, "?")
		if valid != "" && len(valid) >= leastWord && strings.Contains(got, valid) {
			t.Errorf("%q holds %q", got, valid)
		}
		_, rest, _ := strings.Cut(valid, "://")
		for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if len(word) >= leastWord && strings.Contains(got, word) {
				t.Errorf("%q holds %q of %q", got, word, secret)
			}
		}
	})
}
