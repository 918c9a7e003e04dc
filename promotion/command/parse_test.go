package command_test

// What a command's line says: each command as people write it, and what they are
// told when it is not understood.

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion/command"
)

var aliases = map[string]string{
	"ship": "promote prod", "freeze": "hold all --until Mon 09:00", "broken": "explode now", "sure": "rollback all --confirm",
}

func one(t *testing.T, body string) command.Command {
	t.Helper()
	cs := command.Parse(body, aliases)
	if len(cs) != 1 {
		t.Fatalf("%q has %d commands", body, len(cs))
	}
	return cs[0]
}

func TestUnderstood(t *testing.T) {
	for line, want := range map[string]command.Command{
		"":                                    {Name: "help"},
		"help":                                {Name: "help"},
		"HELP Rollback":                       {Name: "help", Topic: "rollback"},
		"status":                              {Name: "status"},
		"status services/checkout":            {Name: "status", Pipeline: "services/checkout"},
		"status --pipeline checkout":          {Name: "status", Pipeline: "checkout"},
		"plan":                                {Name: "plan"},
		"plan checkout":                       {Name: "plan", Pipeline: "checkout"},
		"promote":                             {Name: "promote"},
		"promote prod-eu":                     {Name: "promote", Environment: "prod-eu"},
		"promote `prod-eu` `1.42.0`":          {Name: "promote", Environment: "prod-eu", Revision: "1.42.0"},
		"promote Prod 9f3c1d2 --pipeline=a/b": {Name: "promote", Environment: "prod", Revision: "9f3c1d2", Pipeline: "a/b"},
		"promote --pipeline checkout prod sha256:0af1": {Name: "promote", Environment: "prod", Revision: "sha256:0af1", Pipeline: "checkout"},
		"promote all":                        {Name: "promote", Environment: "all"}, // an environment may have that name
		"retry":                              {Name: "retry"},
		"retry staging":                      {Name: "retry", Environment: "staging"},
		"rollback prod":                      {Name: "rollback", Environment: "prod"},
		"rollback prod --to v1.40.0+build.3": {Name: "rollback", Environment: "prod", To: "v1.40.0+build.3"},
		"rollback all --confirm":             {Name: "rollback", Environments: "*", Confirm: true},
		"hold prod":                          {Name: "hold", Environment: "prod"},
		"hold ALL":                           {Name: "hold", Environments: "*"},
		"hold *":                             {Name: "hold", Environments: "*"},
		"hold prod-* the database moves":     {Name: "hold", Environments: "prod-*", Reason: "the database moves"},
		"hold pro***d":                       {Name: "hold", Environments: "pro*d"},
		"hold prod --until 2h":               {Name: "hold", Environment: "prod", Until: "2h"},
		"hold prod --until Mon 09:00 it's `moving`":             {Name: "hold", Environment: "prod", Until: "Mon 09:00", Reason: "it's `moving`"},
		"hold prod --until Monday a talk":                       {Name: "hold", Environment: "prod", Until: "Monday", Reason: "a talk"},
		"hold prod --until=2026-11-23 17:30 x":                  {Name: "hold", Environment: "prod", Until: "2026-11-23 17:30", Reason: "x"},
		`hold prod --until "Mon 09:00" x`:                       {Name: "hold", Environment: "prod", Until: "Mon 09:00", Reason: "x"},
		"hold prod --until “Mon 09:00” x":                       {Name: "hold", Environment: "prod", Until: "Mon 09:00", Reason: "x"},
		"hold prod —until 17:00":                                {Name: "hold", Environment: "prod", Until: "17:00"},
		"hold prod a — b – c":                                   {Name: "hold", Environment: "prod", Reason: "a — b – c"},
		"hold prod we wait for it --until 2026-11-23T09:00:00Z": {Name: "hold", Environment: "prod", Until: "2026-11-23T09:00:00Z", Reason: "we wait for it"},
		"hold prod -- ran apply --auto-approve --until 2h":      {Name: "hold", Environment: "prod", Reason: "ran apply --auto-approve --until 2h"},
		"hold prod a\u202eb\u200b \x1b[31m":                     {Name: "hold", Environment: "prod", Reason: "ab [31m"},
		"hold prod " + strings.Repeat("é", 400):                 {Name: "hold", Environment: "prod", Reason: strings.Repeat("é", 299) + "…"},
		"resume prod":                                           {Name: "resume", Environment: "prod"},
		"resume all --pipeline x":                               {Name: "resume", Environments: "*", Pipeline: "x"},
		"approve":                                               {Name: "approve"},
		"merge --past window":                                   {Name: "merge", Gate: "window"},
		"merge --confirm --past `Soak`":                         {Name: "merge", Gate: "soak", Confirm: true},
		"skip prod-us":                                          {Name: "skip", Environment: "prod-us"},
		"cancel":                                                {Name: "cancel"},
		"rebuild":                                               {Name: "rebuild"},
		"ship":                                                  {Name: "promote", Environment: "prod"},
		"Ship 1.42.0":                                           {Name: "promote", Environment: "prod", Revision: "1.42.0"},
		"freeze the office is closed":                           {Name: "hold", Environments: "*", Until: "Mon 09:00", Reason: "the office is closed"},
	} {
		t.Run(line, func(t *testing.T) {
			got := one(t, "x\n\n  /promobot "+line)
			if got.Text == "" || got.Line != 3 {
				t.Errorf("it is %q on line %d", got.Text, got.Line)
			}
			got.Text, got.Line = "", 0
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestNotUnderstood(t *testing.T) {
	const holdUsage = "; write `/promobot hold ENV [--until TIME] [--pipeline P] [REASON]`"
	for line, want := range map[string]struct{ name, problem string }{
		"rolback prod":                      {"", "\"rolback\" is no command; did you mean `rollback`? Write `/promobot rollback ENV [--to REVISION] [--pipeline P] [--confirm]`"},
		"shipp":                             {"", "\"shipp\" is no command; did you mean `ship`?"},
		"frobnicate":                        {"", "\"frobnicate\" is no command; `/promobot help` shows them"},
		"`@ana`<b>":                         {"", "\"@ana<b>\" is no command; `/promobot help` shows them"},
		"broken":                            {"", "the alias \"broken\" stands for \"explode\", which is no command; `/promobot help` shows them"},
		"sure":                              {"", "the alias \"sure\" confirms by itself, which is for a person; take --confirm out of the pipeline file"},
		"help me":                           {"help", "\"me\" is no command; write `/promobot help [COMMAND]`"},
		"help hodl":                         {"help", "\"hodl\" is no command; did you mean `hold`?; write `/promobot help [COMMAND]`"},
		"status a b":                        {"status", "\"b\" is too much; write `/promobot status [PIPELINE]`"},
		"status a --pipeline b":             {"status", "the pipeline stands there twice; write `/promobot status [PIPELINE]`"},
		"status a|b":                        {"status", "\"a|b\" is no pipeline's name; write `/promobot status [PIPELINE]`"},
		"promote 1.42.0":                    {"promote", "\"1.42.0\" is no environment's name, which has at most 40 of a-z, 0-9 and -; write `/promobot promote ENV [REVISION] [--pipeline P]`"},
		"promote prod-*":                    {"promote", "\"prod-*\" is a pattern; name one environment; write `/promobot promote ENV [REVISION] [--pipeline P]`"},
		"rollback prod-* --confirm":         {"rollback", "\"prod-*\" is a pattern; name one environment; write `/promobot rollback ENV [--to REVISION] [--pipeline P] [--confirm]`"},
		"promote prod -x":                   {"promote", "\"-x\" is neither a commit nor a version; write `/promobot promote ENV [REVISION] [--pipeline P]`"},
		"promote prod a..b":                 {"promote", "\"a..b\" is neither a commit nor a version; write `/promobot promote ENV [REVISION] [--pipeline P]`"},
		"promote prod --confirm":            {"promote", "\"--confirm\" is no option of `promote`; write `/promobot promote ENV [REVISION] [--pipeline P]`"},
		"promote prod --pipline a":          {"promote", "\"--pipline\" is no option of `promote`, did you mean `--pipeline`?; write `/promobot promote ENV [REVISION] [--pipeline P]`"},
		"hold prod --until":                 {"hold", "--until lacks its value" + holdUsage},
		"hold prod --until --pipeline a":    {"hold", "--until lacks its value" + holdUsage},
		"hold prod --until 2h --until 3h":   {"hold", "--until stands there twice" + holdUsage},
		"hold prod --until soon":            {"hold", "\"soon\" is no time; write 2h, 3d, 17:00, Mon 09:00, 2026-11-23, 2026-11-23 09:00 or 2026-11-23T09:00:00Z" + holdUsage},
		"hold prod --untl 2h":               {"hold", "\"--untl\" is no option of `hold`, did you mean `--until`?" + holdUsage},
		"hold prod apply --auto-approve":    {"hold", "\"--auto-approve\" is no option of `hold`, put -- before words of a reason that begin with dashes" + holdUsage},
		"hold prod\u00e9":                   {"hold", "\"prod\u00e9\" is no environment's name, which has at most 40 of a-z, 0-9 and -" + holdUsage},
		"hold " + strings.Repeat("a", 41):   {"hold", "\"" + strings.Repeat("a", 41) + "\" is no environment's name, which has at most 40 of a-z, 0-9 and -" + holdUsage},
		"merge":                             {"merge", "name the gate to pass, one of after, soak, window, kinds, approval; write `/promobot merge --past GATE [--confirm]`"},
		"merge --past windw":                {"merge", "\"windw\" is no gate that can be passed, which are after, soak, window, kinds, approval; did you mean `window`?; write `/promobot merge --past GATE [--confirm]`"},
		"merge --past hold --confirm":       {"merge", "\"hold\" is no gate that can be passed, which are after, soak, window, kinds, approval; write `/promobot merge --past GATE [--confirm]`"},
		"merge --past window --confirm=no":  {"merge", "--confirm takes no value; write `/promobot merge --past GATE [--confirm]`"},
		"approve prod":                      {"approve", "\"prod\" is too much; write `/promobot approve`"},
		"hold " + strings.Repeat("a ", 600): {"", "the line is longer than 1000 bytes; write less"},
	} {
		t.Run(line, func(t *testing.T) {
			got := one(t, "/promobot "+line)
			got.Text = ""
			if diff := cmp.Diff(command.Command{Line: 1, Name: want.name, Problem: want.problem}, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestWhichEnvironments(t *testing.T) {
	for line, want := range map[string]string{
		"hold all": "dev prod prod-eu prod-us", "hold prod": "prod", "hold prod-*": "prod-eu prod-us", "hold *prod*": "prod prod-eu prod-us", "hold *-us": "prod-us",
		"rollback all": "dev prod prod-eu prod-us", "retry": "", "status": "", "rolback prod": "",
	} {
		t.Run(line, func(t *testing.T) {
			var got []string
			for _, e := range []string{"dev", "prod", "prod-eu", "prod-us"} {
				if one(t, "/promobot "+line).Covers(e) {
					got = append(got, e)
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("it covers %v, want %s", got, want)
			}
		})
	}
}

func TestWhatIsAsked(t *testing.T) {
	for line, want := range map[string]struct {
		environment, confirm, changes bool
	}{
		"help": {}, "status": {}, "plan": {}, "explode": {},
		"promote": {environment: true, changes: true}, "promote prod": {changes: true}, "retry": {environment: true, changes: true},
		"rollback prod": {changes: true}, "rollback prod --to 1.0": {changes: true}, "rollback all": {confirm: true, changes: true}, "rollback all --confirm": {changes: true},
		"hold all": {changes: true}, "hold": {environment: true, changes: true}, "resume prod-*": {changes: true}, "skip": {environment: true, changes: true},
		"approve": {environment: true, changes: true}, "merge --past window": {environment: true, confirm: true, changes: true}, "merge": {changes: true},
		"merge --past window --confirm": {environment: true, changes: true}, "cancel": {environment: true, changes: true}, "rebuild": {environment: true, changes: true},
	} {
		t.Run(line, func(t *testing.T) {
			c := one(t, "/promobot "+line)
			if c.NeedsEnvironment() != want.environment || c.NeedsConfirm() != want.confirm || c.Changes() != want.changes {
				t.Errorf("needs an environment: %v, needs --confirm: %v, changes: %v; want %+v", c.NeedsEnvironment(), c.NeedsConfirm(), c.Changes(), want)
			}
		})
	}
	if got, want := one(t, "/promobot hold").NoEnvironment(), "name the environment, since this is no promotion's pull request; write `/promobot hold ENV [--until TIME] [--pipeline P] [REASON]`"; got != want {
		t.Errorf("hold elsewhere is answered %q", got)
	}
	if got, want := one(t, "/promobot approve").NoEnvironment(), "`/promobot approve` goes with a promotion's pull request; write it there"; got != want {
		t.Errorf("approve elsewhere is answered %q", got)
	}
	if got, want := one(t, "/promobot Rollback ALL --pipeline a").Confirmed(), "/promobot rollback all --pipeline a --confirm"; got != want {
		t.Errorf("confirmed it is %q", got)
	}
}

// Whatever is understood can be written again and means the same; what is not
// leaves nothing behind.
func checkParsed(t interface {
	Helper()
	Errorf(string, ...any)
}, body string,
) {
	t.Helper()
	for i, c := range command.Parse(body, aliases) {
		if c.Index != i || c.Line < 1 || i > command.MostCommands || len([]rune(c.Text)) > 200 {
			t.Errorf("%q: command %d is number %d on line %d: %q", body, i, c.Index, c.Line, c.Text)
		}
		if c.Problem != "" {
			bare := command.Command{Index: c.Index, Line: c.Line, Text: c.Text, Name: c.Name, Problem: c.Problem}
			if c != bare || c.String() != "" || strings.ContainsAny(c.Problem, "\r\n\x00\x1b") {
				t.Errorf("%q: with a problem there is more: %+v", body, c)
			}
			continue
		}
		again := command.Parse(c.String(), nil)
		if len(again) != 1 {
			t.Errorf("%q: %q is read as %d commands", body, c.String(), len(again))
			continue
		}
		want, got := c, again[0]
		want.Index, want.Line, want.Text = got.Index, got.Line, got.Text
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %q means something else -want +got\n%s", body, c.String(), diff)
		}
	}
}

func TestCommandsCanBeWrittenAgain(t *testing.T) {
	words := []string{
		"help", "status", "promote", "rollback", "hold", "resume", "merge", "ship", "freeze", "prod", "all", "prod-*", "*", "1.42.0", "--to", "--until", "--past", "--pipeline", "--confirm",
		"--until=2h", "Mon", "09:00", `"Mon`, `09:00"`, "2026-11-23", "window", "--", "—until", "--x", "because", "it's", "`x`", "a/b", "\u00a0", "\n/promobot", "\n\n> ", "\n    ", "\n```\n", "<!--", "-->",
	}
	rapid.Check(t, func(t *rapid.T) {
		checkParsed(t, "/promobot "+strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 14).Draw(t, "words"), " "))
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/promobot", "x\r\n/promobot hold prod-* --until Mon 09:00 it's `x`", "> /promobot x\n/promobot ship", "```\n/promobot\n```\n/promobot merge --past window", "- x\n/promobot rollback all --confirm",
		"/promobot hold prod -- --x\n<!--\n/promobot\n-->", "[x]: /promobot\n/promobot status\n---\n", "|a|\n|-|\n/promobot", "/promobot hold prod\u2028--until\x0017:00", "[^1]: x\n/promobot\n\n[^1]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) { checkParsed(t, body) })
}
