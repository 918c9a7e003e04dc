package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// narrator tells the story: plain lines, and on a terminal colours and what is
// being waited for. What it is given comes out of repositories and is made
// printable.
type narrator struct {
	printer
	terminal bool
	turn     int // of what goes round while waiting; 0: nothing is shown
	scene    int
}

func newNarrator(to io.Writer) *narrator {
	return &narrator{printer: newPrinter(to), terminal: isTerminal(to) && os.Getenv("TERM") != "dumb"}
}

const cyan = "36"

// chapter begins a scene.
func (n *narrator) chapter(title string) {
	n.scene++
	n.progress("")
	n.line("\n%s", n.paint(bold, fmt.Sprintf("%d  %s", n.scene, title)))
}

// say tells something that has been looked up.
func (n *narrator) say(format string, args ...any) {
	n.progress("")
	for text := range strings.SplitSeq(printableLines(fmt.Sprintf(format, args...)), "\n") {
		n.line("%s", strings.TrimRight("   "+text, " "))
	}
}

// link shows where to look.
func (n *narrator) link(url string) {
	n.progress("")
	n.line("   %s", n.paint(cyan, printable(url)))
}

// begin tells what this is, and where.
func (n *narrator) begin(what, url string) {
	n.line("%s: %s", n.paint(bold, "promobot demo"), printable(what))
	n.link(url)
}

// progress shows on a terminal what is waited for; "" takes it away.
func (n *narrator) progress(what string) {
	switch {
	case !n.terminal || what == "" && n.turn == 0:
	case what == "":
		n.turn = 0
		fmt.Fprint(n.to, "\r\x1b[K")
	default:
		n.turn++
		wheel := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
		fmt.Fprint(n.to, "\r\x1b[K", n.paint(dim, "   "+string(wheel[n.turn%len(wheel)])+" "+what))
	}
}
