package content_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion/content"
)

func TestMerge3(t *testing.T) {
	tests := map[string]struct {
		base, ours, theirs, want string
		conflicts                int
	}{
		"disjoint":                      {lines, repl(lines, "one", "1"), repl(lines, "seven\n", "7\n8\n"), repl(repl(lines, "one", "1"), "seven\n", "7\n8\n"), 0},
		"the same on both":              {lines, repl(lines, "two", "2"), repl(repl(lines, "two", "2"), "six", "6"), repl(repl(lines, "two", "2"), "six", "6"), 0},
		"the same line":                 {lines, repl(lines, "two", "2"), repl(lines, "two", "II"), repl(lines, "two", "II"), 1},
		"lines that touch":              {lines, repl(lines, "two", "2"), repl(lines, "three", "3"), repl(lines, "three", "3"), 1},
		"no final newline":              {"a\nb\nc", "A\nb\nc", "a\nb\nC", "A\nb\nC", 0},
		"CRLF":                          {"a\r\nb\r\nc\r\n", "A\r\nb\r\nc\r\n", "a\r\nb\r\nC\r\n", "A\r\nb\r\nC\r\n", 0},
		"deleted by one":                {lines, repl(lines, "two\n", ""), repl(lines, "six", "6"), repl(repl(lines, "two\n", ""), "six", "6"), 0},
		"deleted by one, changed by us": {lines, repl(lines, "two", "2"), repl(lines, "two\n", ""), repl(lines, "two\n", ""), 1},
		"nothing in common":             {"", "a\n", "b\n", "b\n", 1},
		"all gone":                      {lines, lines, "", "", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			m := content.Merge3([]byte(tc.base), []byte(tc.ours), []byte(tc.theirs))
			if string(m.Text) != tc.want || m.Conflicts != tc.conflicts {
				t.Errorf("got %q with %d conflicts, want %q with %d", m.Text, m.Conflicts, tc.want, tc.conflicts)
			}
		})
	}
}

// someText has few distinct lines, so that they repeat, and any line ends.
var someText = rapid.Custom(func(t *rapid.T) string {
	s := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "\n", "d\r\n", "e\n"}), 0, 30).Draw(t, "lines"), "")
	if rapid.IntRange(0, 4).Draw(t, "end") == 0 {
		s += "end"
	}
	return s
})

func TestMerge3Laws(t *testing.T) {
	merge := func(b, o, t string) (string, int) {
		m := content.Merge3([]byte(b), []byte(o), []byte(t))
		return string(m.Text), m.Conflicts
	}
	rapid.Check(t, func(t *rapid.T) {
		b, x, y := someText.Draw(t, "base"), someText.Draw(t, "x"), someText.Draw(t, "y")
		if got, n := merge(b, b, x); got != x || n != 0 {
			t.Fatalf("only theirs changed: %q, %d", got, n)
		}
		if got, n := merge(b, x, b); got != x || n != 0 {
			t.Fatalf("only ours changed: %q, %d", got, n)
		}
		if got, n := merge(b, x, x); got != x || n != 0 {
			t.Fatalf("both changed the same: %q, %d", got, n)
		}
		_, n := merge(b, x, y)
		if _, m := merge(b, y, x); n != m {
			t.Fatalf("%d conflicts one way, %d the other", n, m)
		}
	})
}

func TestMerge3NeverConflictsOnDisjointLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var base, ours, theirs, want bytes.Buffer
		for i := range rapid.IntRange(1, 40).Draw(t, "blocks") {
			// Every block has lines of its own, and one that stays as a border.
			own := strings.Repeat("x", i)
			line := own + "\n"
			was := strings.ReplaceAll(rapid.SampledFrom([]string{"", "a\n", "a\nb\n"}).Draw(t, "was"), "\n", own+"\n")
			now := strings.ReplaceAll(rapid.SampledFrom([]string{"", "c\n", "a\nc\nb\n"}).Draw(t, "now"), "\n", own+"\n")
			o, th := was, was
			switch rapid.IntRange(0, 2).Draw(t, "who") {
			case 0:
				o = now
				want.WriteString(now)
			case 1:
				th = now
				want.WriteString(now)
			default:
				want.WriteString(was)
			}
			for buf, s := range map[*bytes.Buffer]string{&base: was, &ours: o, &theirs: th} {
				buf.WriteString(s + line)
			}
			want.WriteString(line)
		}
		m := content.Merge3(base.Bytes(), ours.Bytes(), theirs.Bytes())
		if m.Conflicts != 0 || m.Text == nil || string(m.Text) != want.String() {
			t.Fatalf("base %q\nours %q\ntheirs %q\ngot %q with %d conflicts\nwant %q", &base, &ours, &theirs, m.Text, m.Conflicts, &want)
		}
	})
}

func BenchmarkMerge3(b *testing.B) {
	var base, other bytes.Buffer
	for i := range 50000 {
		base.WriteString(strings.Repeat("k", i%50) + "\n")
		other.WriteString(strings.Repeat("k", (i*7)%50) + "\n")
	}
	for b.Loop() {
		content.Merge3(base.Bytes(), base.Bytes(), other.Bytes())
	}
}

// Files with thousands of differences go another way through the search.
func TestMerge3OfVeryDifferentFiles(t *testing.T) {
	text := func(step int) []byte {
		var b bytes.Buffer
		for i := range 20000 {
			b.WriteString(strings.Repeat("k", (i*step+i/97)%50) + "\n")
		}
		return b.Bytes()
	}
	base, other := text(1), text(7)
	if m := content.Merge3(base, base, other); !bytes.Equal(m.Text, other) || m.Conflicts != 0 {
		t.Error("only theirs changed, and theirs did not come out")
	}
	if m := content.Merge3(base, other, base); !bytes.Equal(m.Text, other) || m.Conflicts != 0 {
		t.Error("only ours changed, and ours did not come out")
	}
}
