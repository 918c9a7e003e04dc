package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// narrator tells the story: plain lines, and on a terminal colours and what is
// being waited for.
type narrator struct {
	to       io.Writer
	terminal bool
	colours  bool
	waiting  string
	scene    int
}

func newNarrator(to io.Writer) *narrator {
	n := &narrator{to: to}
	if f, ok := to.(*os.File); ok {
		n.terminal = term.IsTerminal(int(f.Fd()))
	}
	n.colours = n.terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return n
}

func (n *narrator) paint(code, text string) string {
	if !n.colours {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// chapter begins a scene.
func (n *narrator) chapter(title string) {
	n.scene++
	n.line("\n" + n.paint("1", fmt.Sprintf("%d  %s", n.scene, title)))
}

// say tells something that has been looked up.
func (n *narrator) say(format string, args ...any) {
	n.line("   " + strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n   "))
}

// link shows where to look.
func (n *narrator) link(url string) { n.line("   " + n.paint("36", url)) }

func (n *narrator) line(text string) {
	n.progress("")
	fmt.Fprintln(n.to, text)
}

// progress shows on a terminal what is waited for; "" takes it away.
func (n *narrator) progress(what string) {
	if !n.terminal || what == n.waiting {
		return
	}
	n.waiting = what
	fmt.Fprint(n.to, "\r\x1b[K")
	if what != "" {
		fmt.Fprint(n.to, n.paint("2", "   … "+what))
	}
}
