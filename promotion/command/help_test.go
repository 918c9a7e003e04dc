package command_test

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/config"
)

var update = flag.Bool("update", false, "write docs/commands.md anew")

func TestReference(t *testing.T) {
	const file = "../../docs/commands.md"
	got := command.Reference()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (run with -update if that is meant):\n%s", file, diff)
	}
}

func TestTheTableHasAllCommands(t *testing.T) {
	var names []string
	for _, s := range command.All {
		names = append(names, s.Name)
		if first, _, _ := strings.Cut(s.Usage, " "); first != s.Name {
			t.Errorf("the usage of %s is %s", s.Name, s.Usage)
		}
	}
	if diff := cmp.Diff(config.CommandNames, names); diff != "" {
		t.Errorf("the pipeline file knows other commands -file +table\n%s", diff)
	}
}

// Every example is a command of its name, without a problem; every option of a
// usage can be said.
func TestExamplesAreCommands(t *testing.T) {
	for _, s := range command.All {
		t.Run(s.Name, func(t *testing.T) {
			if c := one(t, s.Example); c.Name != s.Name || c.Problem != "" {
				t.Errorf("%s is %+v", s.Example, c)
			}
			values := strings.NewReplacer("[", "", "]", "", "ENV", "prod", "REVISION", "1.42.0", "PIPELINE", "checkout", "TIME", "2h", "GATE", "window", "COMMAND", "hold", " P", " checkout", "REASON", "because")
			line := "/promobot " + values.Replace(s.Usage)
			c := one(t, line)
			if c.Name != s.Name || c.Problem != "" {
				t.Errorf("%s is %+v", line, c)
			}
			if (s.Dangerous != "") != strings.Contains(s.Usage, "--confirm") {
				t.Errorf("the usage %s does not go with being dangerous %q", s.Usage, s.Dangerous)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	all := command.Help("")
	for _, s := range command.All {
		if !strings.Contains(all, "`/promobot "+s.Usage+"`") {
			t.Errorf("help lacks %s", s.Name)
		}
		own := command.Help(s.Name)
		for _, want := range []string{s.Usage, s.About, s.Example} {
			if !strings.Contains(own, want) {
				t.Errorf("help of %s lacks %q", s.Name, want)
			}
		}
		var html bytes.Buffer
		if err := goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(own), &html); err != nil || strings.Contains(html.String(), "omitted") {
			t.Errorf("help of %s has raw HTML, %v", s.Name, err)
		}
	}
	if command.Help("<b>nothing</b>") != all {
		t.Error("help about nothing is not the help about all")
	}
	if cs := command.Parse(all+"\n\n"+command.Reference(), nil); slices.ContainsFunc(cs, func(c command.Command) bool { return true }) {
		t.Errorf("the help itself has commands: %+v", cs)
	}
}
