package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/promotion/config"
)

const explainHelp = `Prints what is in force for one environment of one pipeline, each setting with
the line of the pipeline file that says so. A pipeline of for_each is named as in
pull requests, such as services/checkout, or by its short name where only one
has it.

The pipeline file is that of the repository's newest commit (HEAD), or --file.

Exit codes: 0 done, 1 the pipeline file is not valid, 2 there is no such
pipeline or environment, 3 something could not be read.`

func newExplainCommand() *cobra.Command {
	var repo, file string
	c := &cobra.Command{
		Use:   "explain PIPELINE ENVIRONMENT [--repo PATH] [--file FILE]",
		Short: "Show the settings of an environment and where each is said",
		Long:  explainHelp,
		Example: `  promobot explain checkout prod-eu
  promobot explain services/checkout staging --repo ~/src/gitops
  promobot explain checkout prod-eu --file my-draft.yml`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completePipeline(&repo),
		RunE: func(c *cobra.Command, args []string) error {
			return explain(c.Context(), args[0], args[1], repo, file, c.InOrStdin(), newPrinter(c.OutOrStdout()))
		},
	}
	c.Flags().StringVar(&repo, "repo", ".", "the repository at this `path`")
	c.Flags().StringVar(&file, "file", "", "this pipeline `file` instead of the repository's; - for standard input")
	return c
}

func explain(ctx context.Context, pipeline, environment, repo, named string, stdin io.Reader, out printer) error {
	r, err := openRepository(repo)
	if err != nil {
		return err
	}
	commit, err := r.resolve(ctx, "HEAD")
	if err != nil {
		return err
	}
	name, text, err := r.pipelineText(ctx, named, commit, stdin)
	if err != nil {
		return err
	}
	file, problems := config.Parse(name, text)
	if len(problems) > 0 {
		out.printProblems(problems)
		return silent()
	}
	tree, _, err := r.tree(ctx, file, commit)
	if err != nil {
		return err
	}
	pipelines, problems := file.Resolve(tree)
	table, err := config.Explain(name, pipelines, pipeline, environment)
	if err != nil {
		out.printProblems(problems) // they may be why it is not there
		return usage("%s", printable(err.Error()))
	}
	_, err = fmt.Fprint(out.to, table)
	return err
}
