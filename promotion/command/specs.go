package command

// The table of commands: what each is called, takes, does and asks for. Parsing,
// help and docs/commands.md are made of it.

// Spec describes one command.
type Spec struct {
	Name  string
	Usage string // without /promobot: the name, then what it takes; what may be left out in brackets
	About string // one or two sentences
	// Example is one whole command, and what it does.
	Example, Does string
	// Dangerous says when it asks for --confirm; "" for never.
	Dangerous string

	about   subject
	tells   bool // it changes nothing
	words   []slot
	options []option
}

// subject is what a command is about.
type subject int

const (
	nothing     subject = iota
	environment         // one that is named, or that of the promotion's pull request
	pullRequest         // the promotion's pull request it is written on
)

// slot is what a word without a dash stands for, in order.
type slot int

const (
	oneEnvironment   slot = iota
	environmentOrAll      // one, or all
	environmentGlob       // one, all, or a pattern
	revisionWord
	pipelineWord
	topicWord
	reasonWords // all that follow
)

// option is a word with two dashes.
type option string

const (
	toOption       option = "--to"
	untilOption    option = "--until"
	pastOption     option = "--past"
	pipelineOption option = "--pipeline"
	confirmOption  option = "--confirm"
)

// All are the commands, in the order of their help.
var All = []Spec{
	{
		Name: NameHelp, Usage: "help [COMMAND]", tells: true, words: []slot{topicWord},
		About:   "Shows the commands, or one of them in detail.",
		Example: "/promobot help rollback", Does: "shows how `rollback` is written",
	},
	{
		Name: NameStatus, Usage: "status [PIPELINE]", tells: true, words: []slot{pipelineWord}, options: []option{pipelineOption},
		About:   "Shows where each environment stands: its revision, pull request, hold and verification; of one pipeline, or of all.",
		Example: "/promobot status checkout", Does: "shows the environments of the pipeline `checkout`",
	},
	{
		Name: NamePlan, Usage: "plan [PIPELINE]", tells: true, words: []slot{pipelineWord}, options: []option{pipelineOption},
		About:   "Shows what promobot would do next, and what each promotion waits for. It does none of it.",
		Example: "/promobot plan", Does: "shows what comes next",
	},
	{
		Name: NamePromote, Usage: "promote ENV [REVISION] [--pipeline P]", about: environment, words: []slot{oneEnvironment, revisionWord}, options: []option{pipelineOption},
		About:   "Promotes to an environment what is offered to it; with REVISION, only if that is it: also what a person had closed, what had failed, and what has to be asked for.",
		Example: "/promobot promote prod-eu 1.42.0 --pipeline checkout", Does: "opens the promotion of 1.42.0 to `prod-eu`",
	},
	{
		Name: NameRetry, Usage: "retry [ENV] [--pipeline P]", about: environment, words: []slot{oneEnvironment}, options: []option{pipelineOption},
		About:   "Tries once more what ended without landing, or was rolled back.",
		Example: "/promobot retry staging", Does: "makes a new attempt in `staging`",
	},
	{
		Name: NameRollback, Usage: "rollback ENV [--to REVISION] [--pipeline P] [--confirm]", about: environment, words: []slot{environmentOrAll},
		options: []option{toOption, pipelineOption, confirmOption}, Dangerous: "when ENV is `all`",
		About:   "Opens a pull request that takes back what landed last; with `--to`, only where that leads back to REVISION. The environment is held until someone resumes it.",
		Example: "/promobot rollback prod-eu", Does: "takes the newest landing of `prod-eu` back",
	},
	{
		Name: NameHold, Usage: "hold ENV [--until TIME] [--pipeline P] [REASON]", about: environment, words: []slot{environmentGlob, reasonWords}, options: []option{untilOption, pipelineOption},
		About:   "Stops an environment: nothing is opened or merged there until the time, or until someone resumes it. ENV may be `all`, or a pattern such as `prod-*`: these count for all pipelines, unless one is said.",
		Example: "/promobot hold prod-* --until Mon 09:00 migration of the database", Does: "holds all environments that begin with `prod-`",
	},
	{
		Name: NameResume, Usage: "resume ENV [--pipeline P]", about: environment, words: []slot{environmentGlob}, options: []option{pipelineOption},
		About:   "Ends a hold, also the one that follows a failed verification or a rollback. ENV is as with hold.",
		Example: "/promobot resume prod-eu", Does: "lets promotions to `prod-eu` go on",
	},
	{
		Name: NameApprove, Usage: "approve", about: pullRequest,
		About:   "Approves the promotion of this pull request, exactly as it stands: when what would land changes, it has to be approved anew. Nobody approves a change of their own.",
		Example: "/promobot approve", Does: "approves what this pull request would land",
	},
	{
		Name: NameMerge, Usage: "merge --past GATE [--confirm]", about: pullRequest, options: []option{pastOption, confirmOption}, Dangerous: "always",
		About:   "Lets the promotion of this pull request merge although the gate is shut. All other gates, and GitHub's own rules, still hold.",
		Example: "/promobot merge --past window --confirm", Does: "merges outside the window",
	},
	{
		Name: NameSkip, Usage: "skip ENV [--pipeline P]", about: environment, words: []slot{oneEnvironment}, options: []option{pipelineOption},
		About:   "Leaves out what is offered to an environment now; something newer will be promoted.",
		Example: "/promobot skip prod-us", Does: "leaves out what is offered to `prod-us`",
	},
	{
		Name: NameCancel, Usage: "cancel", about: pullRequest,
		About:   "Closes the promotion of this pull request. The same revision is not proposed again until someone asks for it.",
		Example: "/promobot cancel", Does: "closes this pull request",
	},
	{
		Name: NameRebuild, Usage: "rebuild", about: pullRequest,
		About:   "Makes the promotion of this pull request anew on today's base branch, also where someone has pushed to it.",
		Example: "/promobot rebuild", Does: "writes this pull request's branch anew",
	},
}
