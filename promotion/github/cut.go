package github

// Cutting texts to GitHub's limits. GitHub counts characters; here bytes are
// counted, which is never more than allowed.

import (
	"strings"
	"unicode/utf8"
)

const ellipsis = "…"

// cutBytes cuts a text to so many bytes, between characters.
func cutBytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// cutLine makes one line of at most so many bytes.
func cutLine(s string, most int) string {
	return cutBytes(strings.Join(strings.Fields(s), " "), most)
}

const cutNotice = "\n\n… the rest is left out: GitHub shows no more.\n"

// cutMarkdown cuts a Markdown text to so many bytes, at the end of a line, and
// says so; a block of code that was open there is closed.
func cutMarkdown(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const room = 16 // for closing a fence
	end := most - len(cutNotice) - room
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	text := s[:end]
	if line := strings.LastIndexByte(text, '\n'); line > 0 {
		text = text[:line]
	}
	if fence := openFence(text); fence != "" && len(fence) < room {
		text += "\n" + fence
	}
	return text + cutNotice
}

// openFence is the fence of the block of code that a text ends in, or "".
func openFence(text string) string {
	open := ""
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		if len(line)-len(trimmed) > 3 {
			continue
		}
		fence := leading(trimmed)
		switch {
		case fence == "":
		case open == "":
			open = fence
		case fence[0] == open[0] && len(fence) >= len(open) && strings.TrimSpace(trimmed[len(fence):]) == "":
			open = ""
		}
	}
	return open
}

// leading is a run of three or more backticks or tildes at a line's start.
func leading(line string) string {
	for _, mark := range []string{"`", "~"} {
		run := line[:len(line)-len(strings.TrimLeft(line, mark))]
		if len(run) >= 3 {
			return run
		}
	}
	return ""
}
