package main

import (
	"github.com/spf13/cobra"

	"github.com/promobot/promobot/promotion/config"
)

const schemaHelp = `Prints the JSON Schema of the pipeline file, ` + config.Path + `, for editors and
other tools. It is made from what promobot itself reads by. Editors that use
yaml-language-server find it by a first line such as

  # yaml-language-server: $schema=promobot.schema.json`

func newSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the pipeline file's JSON Schema",
		Long:    schemaHelp,
		Example: `  promobot schema > .github/promobot.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(config.Schema())
			return err
		},
	}
}
