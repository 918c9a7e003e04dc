package command_test

// Which lines are commands: the same as those that a person sees as text on
// GitHub's page.

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/command"
)

func TestWhereCommandsStand(t *testing.T) {
	const c = "/promobot status"
	for name, test := range map[string]struct {
		body string
		want []int // lines
	}{
		"alone":                              {c, []int{1}},
		"empty comment":                      {"", nil},
		"no command":                         {"see the docs of promobot", nil},
		"the last line has an end":           {c + "\n", []int{1}},
		"after a paragraph":                  {"Sorry.\n\n" + c, []int{3}},
		"within a paragraph":                 {"Sorry:\n" + c + "\nThanks.", []int{2}},
		"several below each other":           {c + "\n" + c + "\n\n" + c, []int{1, 2, 4}},
		"line ends of Windows":               {"Hm.\r\n\r\n" + c + "\r\n" + c + "\r\n", []int{3, 4}},
		"line ends of old":                   {"Hm.\r\r" + c + "\r" + c, []int{3, 4}},
		"three spaces before":                {"   " + c, []int{1}},
		"four spaces are code":               {"    " + c, nil},
		"a tab is code":                      {"\t" + c, nil},
		"four spaces within a paragraph":     {"Hm.\n    " + c, nil}, // Markdown's text, but no line's start
		"in capitals":                        {"/PromoBot STATUS", []int{1}},
		"not at the start":                   {"please " + c, nil},
		"another word":                       {"/promobots status", nil},
		"a path":                             {"/promobot/status", nil},
		"a colon":                            {"/promobot: status", nil},
		"a line separator is no line's end":  {"x\u2028" + c, nil},
		"a vertical tab is no line's end":    {"x\v" + c, nil},
		"fenced by backticks":                {"```\n" + c + "\n```\n" + c, []int{4}},
		"fenced by tildes":                   {"~~~ sh\n" + c + "\n~~~", nil},
		"a fence that is not closed":         {"```\n" + c, nil},
		"a fence in a fence":                 {"````\n```\n" + c + "\n```\n" + c + "\n````\n" + c, []int{7}},
		"what is no fence":                   {"``\n" + c, []int{2}},
		"in a code span over lines":          {"`x\n" + c + "\ny`", nil},
		"beside a code span":                 {"`x`\n" + c + " `checkout`", []int{2}},
		"quoted":                             {"> " + c, nil},
		"quoted and gone on lazily":          {"> x\n" + c, nil},
		"below a quote":                      {"> " + c + "\n\n" + c, []int{3}},
		"an alert":                           {"> [!NOTE]\n> x\n" + c, nil},
		"in a list's item":                   {"- " + c, nil},
		"below a list's item":                {"- x\n" + c, []int{2}},
		"code in a list's item":              {"- ```\n  " + c + "\n  ```", nil},
		"quoted in a list's item":            {"- > x\n  > y\n" + c, nil},
		"a comment of HTML":                  {"<!--\n" + c + "\n-->\n" + c, []int{4}},
		"a comment of HTML, not closed":      {"<!--\n" + c, nil},
		"a comment of HTML within text":      {"x <!--\n" + c + "\n--> y", nil},
		"text that looks like a comment":     {"x <!--\n\n" + c + "\n\n-->", []int{3}},
		"a block of HTML":                    {"<div>\n" + c + "\n</div>", nil},
		"between blocks of HTML":             {"<details><summary>x</summary>\n\n" + c + "\n\n</details>", []int{3}},
		"preformatted":                       {"<pre>\n\n" + c + "\n\n</pre>\n" + c, []int{6}},
		"in a quote of HTML":                 {"<blockquote>\n\n" + c + "\n\n</blockquote>\n\n" + c, []int{7}},
		"in code of HTML":                    {"see <code>\n" + c + "\n</code>\n" + c, []int{4}},
		"struck out by HTML":                 {"<del>\n\n" + c + "\n\n</del>", nil},
		"after a tag in a comment of HTML":   {"<!-- <code> -->\n\n" + c, []int{3}},
		"after a tag in an empty comment":    {"<!--> <code>\n\n" + c, nil},
		"after a tag that closes nothing":    {"</code>\n\n" + c, []int{3}},
		"an attribute over lines":            {"x <a title=\"\n" + c + "\n\">y</a>", nil},
		"a link's text":                      {"[x\n" + c + "\n](https://example.com)", nil},
		"a picture's text":                   {"![x\n" + c + "\n](https://example.com)", nil},
		"a link's address":                   {"[x]:\n" + c + "\n", []int{2}},
		"a link's title":                     {"[x]: /y '\n" + c + "\n'\n\n[x]", nil},
		"a footnote":                         {"x[^1]\n\n[^1]: y\n" + c, nil},
		"struck out":                         {"~~x\n" + c + "\ny~~", nil},
		"emphasised":                         {"*x\n" + c + "\ny*", []int{2}},
		"its pattern begins emphasis":        {"*x\n/promobot hold prod-*\ny", []int{2}},
		"a heading by what is below":         {c + "\n---\nx", []int{1}},
		"below a heading":                    {"# x\n" + c, []int{2}},
		"a table's row":                      {"| a |\n| --- |\n" + c, nil},
		"a table's head":                     {"/promobot a | b\n--- | ---\n1 | 2", nil},
		"with invalid bytes":                 {"\xff\n" + c + " \xff", []int{2}},
		"with a null":                        {"\x00\n" + c, []int{2}},
		"a byte order mark is no blank":      {"\ufeff" + c, nil},
		"among many lines that are not any":  {strings.Repeat("> "+c+"\n", 500) + "\n" + c, []int{502}},
		"the fence's own line":               {"``` " + c + "\n" + c, nil},
		"an indented command after a blank":  {"x\n\n    " + c + "\n" + c, []int{4}},
		"underscores around":                 {"__x__\n" + c + " _y_", []int{2}},
		"a hard line break before":           {"x\\\n" + c, []int{2}},
		"two spaces before the line's end":   {"x  \n" + c + "  \ny", []int{2}},
		"a reference in the text before":     {"@ana #12 https://example.com\n" + c, []int{2}},
		"a task":                             {"- [ ] x\n" + c, []int{2}},
		"a second paragraph of a list":       {"1. x\n\n   " + c, []int{3}},
		"an entity is not the word":          {"&#47;promobot status", nil},
		"an escape is not the word":          {"\\/promobot status", nil},
		"invisible letters are not the word": {"/promo\u200bbot status", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for i, c := range command.Parse(test.body, nil) {
				if c.Index != i {
					t.Errorf("command %d has the index %d", i, c.Index)
				}
				got = append(got, c.Line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%q has commands on the lines -want +got\n%s", test.body, diff)
			}
		})
	}
}

func TestAtMostTenCommands(t *testing.T) {
	got := command.Parse(strings.Repeat("/promobot status\n", 50), nil)
	if len(got) != command.MostCommands+1 {
		t.Fatalf("there are %d commands", len(got))
	}
	for i, c := range got {
		if last := i == command.MostCommands; last != (c.Problem != "") {
			t.Errorf("command %d has the problem %q", i, c.Problem)
		}
	}
}

func TestLongCommentsAreNotRead(t *testing.T) {
	long := strings.Repeat("a log\n", 3000)
	if got := command.Parse(long, nil); len(got) != 0 {
		t.Errorf("a long comment without a command has the commands %+v", got)
	}
	got := command.Parse(long+"/promobot hold prod\n/promobot resume prod", nil)
	if len(got) != 1 || got[0].Line != 3001 || !strings.Contains(got[0].Problem, "16 KB") || got[0].Text != "/promobot hold prod" {
		t.Errorf("a long comment has the commands %+v", got)
	}
}

// What is written to make parsers slow does not hang; the limit is a guard.
func TestHostileCommentsAreRead(t *testing.T) {
	const most = 16 << 10
	for name, s := range map[string]string{
		"quotes in quotes": ">", "lists in lists": "- ", "numbered lists": "1. ", "open brackets": "[", "links": "[a](", "pictures": "![a](b ", "emphasis": "*a_", "emphasis that closes": "**a ",
		"backticks": "`", "backticks of many lengths": "`a``b```", "tags": "<a ", "comments": "<!--", "entities": "&#", "tables": "|", "rows": "|-|\n", "footnotes": "[^a]: ", "struck": "~", "struck letters": "~~a~b", "quoted lists": "> - ", "references to notes": "[^a]", "fences": "```\n",
		"declarations": "<!A", "instructions": "<?", "addresses": "https://", "mail": "a@", "w": "www.", "lines": "\n", "spaces": " ", "tabs": "\t", "nested items": " - a\n", "commands": "/promobot hold a-*\n", "options": "/promobot hold a --until \"\n",
		"escapes": "\\", "references": "[a]: b\n", "closing tags": "</code>", "opening tags": "<code>",
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Repeat(s, most/len(s)+1)
			done := make(chan struct{})
			go func() {
				defer close(done)
				command.Parse("/promobot status\n"+body[:most-18], nil)
				command.Parse(body[:most-18]+"\n/promobot status", nil)
			}()
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Error("reading takes more than a minute")
			}
		})
	}
}
