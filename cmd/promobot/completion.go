package main

// promobot completion: what shells need to complete commands, flags, and the
// pipelines and environments of the repository one is in.

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/promotion/config"
)

const completionHelp = `Writes what a shell needs to complete promobot's commands, flags, receivers, and
the pipelines and environments of the repository in the current folder.

  bash        source <(promobot completion bash)
              for each new shell: promobot completion bash > ~/.local/share/bash-completion/completions/promobot
  zsh         promobot completion zsh > "${fpath[1]}/_promobot"
  fish        promobot completion fish > ~/.config/fish/completions/promobot.fish
  powershell  promobot completion powershell | Out-String | Invoke-Expression

The deb and rpm packages bring it for bash, zsh and fish.`

// shells write completion for a command.
var shells = map[string]func(root *cobra.Command, out io.Writer) error{
	"bash":       func(root *cobra.Command, out io.Writer) error { return root.GenBashCompletionV2(out, true) },
	"zsh":        func(root *cobra.Command, out io.Writer) error { return root.GenZshCompletion(out) },
	"fish":       func(root *cobra.Command, out io.Writer) error { return root.GenFishCompletion(out, true) },
	"powershell": func(root *cobra.Command, out io.Writer) error { return root.GenPowerShellCompletionWithDesc(out) },
}

// newCompletionCommand returns "promobot completion".
func newCompletionCommand() *cobra.Command {
	names := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion " + strings.Join(names, "|"),
		Short:     "Complete commands and names in your shell",
		Long:      completionHelp,
		Example:   "  source <(promobot completion bash)",
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(names, args[0]) {
				given := ""
				if len(args) == 1 {
					given = meant(args[0], names)
				}
				return fmt.Errorf("name one shell of %s%s", strings.Join(names, ", "), given)
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			return shells[args[0]](command.Root(), command.OutOrStdout())
		},
	}
}

// completable are names that stand for themselves in every shell; others come from
// a repository that may mean harm, and are typed by hand.
var completable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/+@-]*$`)

// completePipeline completes PIPELINE ENVIRONMENT out of the pipeline file of the
// repository at a path. Where that cannot be read there is nothing to complete.
func completePipeline(repo *string) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx := command.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		var names []string
		for _, p := range pipelinesAt(ctx, *repo) {
			switch {
			case len(args) == 0:
				names = append(names, p.Key)
			case len(args) == 1 && (p.Key == args[0] || p.Title == args[0]):
				for _, e := range p.Environments {
					names = append(names, e.Name)
				}
			}
		}
		return slices.DeleteFunc(names, func(s string) bool { return !completable.MatchString(s) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// pipelinesAt are the pipelines of a repository's newest commit.
func pipelinesAt(ctx context.Context, repo string) []config.Pipeline {
	r, err := openRepository(cmp.Or(repo, "."))
	if err != nil {
		return nil
	}
	commit, err := r.resolve(ctx, "HEAD")
	if err != nil {
		return nil
	}
	name, text, err := r.pipelineText(ctx, "", commit, strings.NewReader(""))
	if err != nil {
		return nil
	}
	file, problems := config.Parse(name, text)
	if len(problems) > 0 {
		return nil
	}
	tree, _, err := r.tree(ctx, file, commit)
	if err != nil {
		return nil
	}
	pipelines, _ := file.Resolve(tree)
	return pipelines
}
