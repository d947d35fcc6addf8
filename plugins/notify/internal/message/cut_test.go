package message

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestCutIsBetweenRunesEscapesAndLinks(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"short", 10, "short"},
		{"exactly ten", 11, "exactly ten"},
		{"0123456789abcdef", 15, "01234567… [cut]"},
		{"ééééééééééééééééé", 12, "ééééé… [cut]"},
		{"😀😀😀😀😀😀😀😀", 12, "😀😀… [cut]"}, // of two units each
		{"abc&amp;defghijklmnopqrst", 13, "abc… [cut]"},
		{"abc&amp;defghijklmnopqrst", 15, "abc&amp;… [cut]"},
		{"tell me <https://x|why> and when, at great length", 28, "tell me … [cut]"},
		{"<b and so on, which is no link at all>", 30, "<b and so on, which is … [cut]"},
		{"no room for the mark", 3, ""},
	} {
		if got := Cut(c.text, c.limit); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("plain text that is longer than that", 12)
	f.Add("a&amp;b&lt;c&gt;d&amp;&amp;&amp;", 20)
	f.Add("see <https://example.com|here> 😀 for more", 30)
	f.Add("\xff\xfe broken", 9)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = min(max(limit, 0), 1000)
		got := Cut(text, limit)
		if n := len(utf16.Encode([]rune(got))); n > limit {
			t.Errorf("%d units, at most %d", n, limit)
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("cut through a rune: %q", got)
		}
		if got == text || got == "" {
			return
		}
		head, marked := strings.CutSuffix(got, mark)
		if !marked || !strings.HasPrefix(text, head) {
			t.Errorf("%q is not the beginning of %q with a mark", got, text)
		}
		// What is plain stays plain: no escape may be cut open.
		plain := strings.ToValidUTF8(text, "?")
		short := strings.TrimSuffix(Cut(Escape(plain), limit), mark)
		back := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(short)
		if !strings.HasPrefix(plain, back) {
			t.Errorf("%q does not begin as %q", short, plain)
		}
	})
}

func TestEscapeTakesTheMeaningOfMentionsAndLinksAndLeavesEmoji(t *testing.T) {
	got := Escape("<!channel> <@U1> a&b <https://x|y> :tada: @here")
	want := "&lt;!channel&gt; &lt;@U1&gt; a&amp;b &lt;https://x|y&gt; :tada: @here"
	if got != want {
		t.Errorf("%s", got)
	}
}
