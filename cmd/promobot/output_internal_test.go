package main

import (
	"bytes"
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"unicode"
)

// TestPrintable: nothing out of a repository is obeyed by a terminal.
func TestPrintable(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"plain text stands for itself", "services/checkout: 1.40.0 → 1.42.0", "services/checkout: 1.40.0 → 1.42.0"},
		{"letters of any script", "größe 名前", "größe 名前"},
		{"a colour", "a\x1b[31mb", `a\x1b[31mb`},
		{"a window's title", "\x1b]0;owned\a", `\x1b]0;owned\a`},
		{"an 8-bit escape sequence", "a\u009b31m", `a\u009b31m`},
		{"line ends", "a\r\nb", `a\r\nb`},
		{"a tab", "a\tb", `a\tb`},
		{"text turned around", "user\u202Etxt.exe", `user\u202etxt.exe`},
		{"a letter without width", "prod\u200b", `prod\u200b`},
		{"bytes that are no UTF-8", "a\xff\xfeb", `a\xff\xfeb`},
		{"the replacement character itself", "a\uFFFDb", "a\uFFFDb"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := printable(tt.text); got != tt.want {
				t.Errorf("%q is shown as %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[2Jb\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range printable(s) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q is shown with %q in it", s, r)
			}
		}
	})
}

// TestJSONPrints: JSON on a terminal is obeyed by none either, and says the same.
func TestJSONPrints(t *testing.T) {
	t.Parallel()
	const text = "a\x1b\u009b\u202e\U000e0001<b>\u00e9"
	var b bytes.Buffer
	if err := writeJSON(&b, []string{text}); err != nil {
		t.Fatal(err)
	}
	const want = "[\n  \"a\\u001b\\u009b\\u202e\\udb40\\udc01<b>é\"\n]\n"
	if got := b.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var back []string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back) != 1 || back[0] != text {
		t.Errorf("read back as %q, %v", back, err)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", widestCell+10)
	var b bytes.Buffer
	newPrinter(&b).table("  ", [][]string{{"file", "now", "after"}, {"größe", "1", "2"}, {long, "1", "2"}})
	pad := strings.Repeat(" ", widestCell)
	want := "  file" + pad[4:] + "  now  after\n" +
		"  größe" + pad[5:] + "  1    2\n" +
		"  " + long + "  1    2\n"
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestColoursOnATerminalOnly: a pipe, a file and a buffer get none.
func TestColoursOnATerminalOnly(t *testing.T) {
	t.Parallel()
	if p := newPrinter(&bytes.Buffer{}); p.paint(red, "text") != "text" {
		t.Error("a buffer gets colours")
	}
	if p := (printer{colours: true}); p.paint(red, "text") != "\x1b[31mtext\x1b[0m" || p.paint(red, "") != "" {
		t.Error("a terminal gets no colours, or colours around nothing")
	}
}

func TestVersionLine(t *testing.T) {
	t.Parallel()
	end := ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	vcs := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
		{Key: "vcs.time", Value: "2026-01-02T15:04:05Z"},
		{Key: "vcs.modified", Value: "true"},
	}
	tests := []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"a release", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "promobot v1.2.3"},
		{"a build of a work tree", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs}, "promobot (devel) (commit 0123456789 of 2026-01-02T15:04:05Z, with changes)"},
		{"a build of a commit", debug.BuildInfo{Settings: vcs[:1]}, "promobot (devel) (commit 0123456789)"},
		{"a build without anything said", debug.BuildInfo{}, "promobot (devel)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := versionLine(&tt.info); got != tt.want+end {
				t.Errorf("got %q, want %q", got, tt.want+end)
			}
		})
	}
}
