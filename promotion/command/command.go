// Package command is the language of comment commands: /promobot and a word, at
// the start of a line. It reads them out of a comment's Markdown, says what they
// mean and who may give them. It is pure; nothing here looks anything up.
package command

// Spec says what a command is for.
type Spec struct {
	Name  string
	Usage string // after /promobot
	About string
	// Reads says that it changes nothing, so that whoever can read may ask.
	Reads bool
}

// All are the commands, in the order in which people meet them.
var All = []Spec{
	{"help", "help [COMMAND]", "says what can be commanded here", true},
	{"status", "status [PIPELINE]", "says where every environment stands, and why", true},
	{"plan", "plan [PIPELINE]", "says what promobot would do next in every environment", true},
	{"promote", "promote ENV [REVISION]", "promotes what its upstream offers, even where it was refused before", false},
	{"retry", "retry [ENV]", "tries again what ended without landing, or was rolled back", false},
	{"rollback", "rollback ENV [--to REVISION]", "takes the newest landing back by pull request, and holds the environment", false},
	{"hold", "hold ENV [--until TIME] [REASON…]", "keeps promobot from merging there; ENV may be a pattern (prod-*) or all. TIME is 2h, 3d, 2026-11-23 or 2026-11-23T09:00Z", false},
	{"resume", "resume ENV", "lifts a hold, and goes on; ENV may be a pattern or all", false},
	{"approve", "approve [ENV]", "approves exactly what the open pull request would land", false},
	{"merge", "merge --past GATE [ENV] --confirm", "lets the open pull request pass one of promobot's gates: after, soak, window, kinds, approval", false},
	{"skip", "skip [ENV]", "closes the open pull request; its revision is not proposed again, something newer will be", false},
	{"cancel", "cancel [ENV]", "closes the open pull request, of a rollback too; a hold stays", false},
	{"rebuild", "rebuild [ENV]", "makes the open pull request anew on today's base branch", false},
}

// Find is the command of a name.
func Find(name string) (Spec, bool) {
	for _, s := range All {
		if s.Name == name {
			return s, true
		}
	}
	return Spec{}, false
}

// Command is one command of a comment.
type Command struct {
	Index int // among the comment's commands, from 0
	Line  int // of the comment, from 1
	Text  string
	Spec
	// Environment is a name, or for hold and resume a pattern in which * stands for
	// any part; "" where the pull request says which. All says that all are meant.
	Environment string
	All         bool
	Pipeline    string // "" for all, or the pull request's
	Revision    string
	Until       string
	Gate        string
	Reason      string
	Confirmed   bool
	// Problem says why it cannot be carried out, with what to write instead; "".
	Problem string
}

// Bounds of what is read.
const (
	MostCommands = 10
	mostText     = 500
)
